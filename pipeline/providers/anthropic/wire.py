"""Anthropic's Messages API, and every server that speaks it: body, reply, failure, counting. Pure.

What the job fixes is encoded once and stands first, byte-identical over rows; per call only the turns and the cap are.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from pipeline.catalog.reasoning import reasoned
from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.parts import ResultPart
from pipeline.providers.anthropic.answers import asked_of, content_text, refusal_words, tier_of, usage_of
from pipeline.providers.anthropic.errors import failure_of, is_error, request_id
from pipeline.providers.anthropic.models import chooses
from pipeline.providers.anthropic.stream import CUT_OFF, AnthropicAssembler
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.damage import DAMAGED, damage_of
from pipeline.providers.files import MESSAGES_BLOCKS as BLOCKS
from pipeline.providers.files import Body, filled, turn_content
from pipeline.providers.hints import limits_seen, retry_after_s, shortened
from pipeline.providers.json import count, mapping, parsed, string
from pipeline.providers.parameters import MESSAGES, ending, sampling, tier_asked
from pipeline.providers.tool_calls import asked_text, members, turn_of, wanted
from pipeline.providers.usage import as_told
from pipeline.text import repaired
from pipeline.types import Answer, AnswerShape, HttpAnswer, Request, Stop

BASE_URL = "https://api.anthropic.com"
# All models and all compatible servers take 2023-06-01. Under 2026-10-21 any sampling parameter is a 400, also for the
# models that still have a temperature, and nothing that is new in it is needed here.
VERSION = "2023-06-01"
STOPS = {
    "end_turn": Stop.DONE,
    "stop_sequence": Stop.DONE,
    "tool_use": Stop.DONE,
    "max_tokens": Stop.TRUNCATED,
    "model_context_window_exceeded": Stop.TRUNCATED,
    "refusal": Stop.REFUSED,
}
# The provider's own tools were interrupted, which are never asked for, and a conversation to go on with is not kept.
BROKEN = {"pause_turn", "compaction", "error"}  # an answer with any other word, or none, is judged by its content
MARK = {"type": "ephemeral"}  # kept for five minutes after it was last read
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
NAME_CHARS = 64
TOLD_SCHEMA = "Answer with one JSON object of this JSON schema, and nothing else:\n{}"
TOLD_LAST = "Answer by calling the tool {}, once, when you have looked up all that you need."
TOLD_TOOL = "Answer by calling the tool {}, once, and with nothing else."


class AnthropicWire:
    """`model.base_url` is the bare host."""

    name = "anthropic"

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self.url = (model.base_url or BASE_URL).rstrip("/").removesuffix("/v1") + "/v1/messages"
        self.count_url = self.url + "/count_tokens"
        self._model, self._shape = model, shape
        self._tool = tool_name(shape.name)
        plain: dict[str, Any] = {"model": model.name}
        sent = {**plain, **sampling(model, MESSAGES), **tier_asked(model, priority="auto"), **model.extra}
        if model.stream:
            sent = {**sent, "stream": True}
        structured = _structured(shape, self._tool, model)
        marked = _marked(structured) if model.caching == "on" else structured
        # by free text; counting takes neither sampling, reasoning, streaming nor a cap
        heads = {True: sent, False: {**sent, **marked}}
        self._heads = {free: orjson.dumps(reasoned(head, model))[:-1] for free, head in heads.items()}
        ended = _structured(shape, self._tool, model, closed=True)
        self._closed_head = orjson.dumps(
            reasoned({**sent, **(_marked(ended) if model.caching == "on" else ended)}, model)
        )[:-1]
        self._count_heads = {True: orjson.dumps(plain)[:-1], False: orjson.dumps({**plain, **structured})[:-1]}
        self._end = ending(model, '"metadata":{"user_id":"%s"}')
        self._systems: dict[tuple[str, bool], bytes] = {}

    def __repr__(self) -> str:
        return f"AnthropicWire({self.url})"

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        key = {"Authorization": f"Bearer {secret.value}"} if secret.bearer else {"x-api-key": secret.value}
        betas = {"anthropic-beta": ",".join(self._model.betas)} if self._model.betas else {}
        return {**key, "anthropic-version": VERSION, **betas, "Content-Type": "application/json"}

    def body(self, request: Request) -> Body:
        cap = f',"max_tokens":{request.max_output_tokens}'.encode()
        head = self._closed_head if request.closed and not request.free_text else self._heads[request.free_text]
        return filled(head + self._asked(request) + cap + self._end(request), request)

    def count_body(self, request: Request) -> Body:
        return filled(self._count_heads[request.free_text] + self._asked(request) + b"}", request)

    def reply(self, answer: HttpAnswer) -> Answer:
        body = parsed(answer.body)
        if answer.status != 200 or is_error(body):
            raise failure_of(answer, body)
        if not isinstance(body, dict):
            raise _no_answer(answer, {}, "the answer is not JSON")
        if DAMAGED in body:
            raise damage_of(answer, body, usage_of(body.get("usage")), request_id(answer.headers, body), tier_of(body))
        finish = string(body.get("stop_reason"))
        stop = None if finish in BROKEN else STOPS.get(finish, Stop.DONE)
        text = content_text(body.get("content"), self._tool)
        if stop is Stop.DONE and self._shape.lookups:
            own, calls = asked_of(body.get("content"))
            if asked := wanted(calls, self._shape.lookups, self._tool):
                text, stop = asked_text(own, asked), Stop.TOOLS
        if stop is Stop.REFUSED:
            text = refusal_words(body) or text
        if stop is None or (stop is Stop.DONE and not text.strip()):
            raise _no_answer(answer, body, f"no answer in the message (stop_reason {finish!r})", text)
        return Answer(
            text,
            stop,
            finish,
            usage_of(body.get("usage")),
            model_version=string(body.get("model")) or None,
            provider_request_id=request_id(answer.headers, body),
            limits=limits_seen(answer.headers),
            retry_after_s=retry_after_s(answer.headers),
            tier=tier_of(body),
        )

    def counted(self, answer: HttpAnswer) -> int:
        body = parsed(answer.body)
        if answer.status != 200 or is_error(body):
            raise failure_of(answer, body)
        tokens = count(mapping(body).get("input_tokens"))
        if not tokens:
            raise _no_answer(answer, {}, "no count in the answer")
        return tokens

    def stream(self) -> AnthropicAssembler:
        return AnthropicAssembler()

    def _asked(self, request: Request) -> bytes:
        turns: list[dict[str, Any]] = [
            turn_of(turn, turn.role, "content", _result) or {"role": turn.role, "content": turn_content(turn, BLOCKS)}
            for turn in request.turns
        ]
        if request.shared_turns and self._model.caching == "on":
            last = turns[request.shared_turns - 1]  # the documents behind it differ by row, and are never marked
            last["content"] = [{"type": "text", "text": last["content"], "cache_control": MARK}]
        system = self._system(request.system, free_text=request.free_text)
        return system + b',"messages":' + orjson.dumps(turns)

    def _system(self, system: str, *, free_text: bool) -> bytes:
        """The system blocks, encoded once per job."""
        found = self._systems.get((system, free_text))
        if found is None:
            blocks = self._blocks(system, free_text=free_text)
            found = b',"system":' + orjson.dumps(blocks) if blocks else b""
            self._systems[system, free_text] = found
        return found

    def _blocks(self, system: str, *, free_text: bool) -> list[dict[str, Any]]:
        texts, mode = [system], self._shape.mode
        if mode == "json_object" and not free_text:
            texts.append(TOLD_SCHEMA.format(orjson.dumps(self._shape.schema).decode()))
        if mode == "tool" and not free_text and chooses(self._model):
            texts.append((TOLD_LAST if self._shape.lookups else TOLD_TOOL).format(self._tool))
        blocks: list[dict[str, Any]] = [{"type": "text", "text": repaired(text)} for text in texts if text.strip()]
        if self._model.caching == "on" and blocks:
            blocks[-1]["cache_control"] = MARK  # covers the tools too: they come before
        return blocks


def tool_name(name: str) -> str:
    """`name` as a tool may be called."""
    return NOT_IN_NAMES.sub("_", name)[:NAME_CHARS] or "answer"


def _structured(shape: AnswerShape, tool: str, model: Model, *, closed: bool = False) -> dict[str, Any]:
    form = _form(shape, tool, model)
    if not shape.lookups:
        return form
    forced, chosen = form.get("tools", []), form.get("tool_choice")
    tools = [*forced, *(members(one, "input_schema") for one in shape.lookups)]
    if chosen is None:
        return {**form, "tools": tools, "tool_choice": {"type": "none" if closed else "auto"}}
    if closed:  # who can only be told to call the record is offered nothing else
        return form if chooses(model) else {**form, "tools": tools}
    return {**form, "tools": tools, "tool_choice": {"type": "auto" if chooses(model) else "any"}}


def _result(found: ResultPart) -> dict[str, Any]:
    failed = {"is_error": True} if found.failed else {}
    return {"type": "tool_result", "tool_use_id": found.call, "content": repaired(found.text), **failed}


def _form(shape: AnswerShape, tool: str, model: Model) -> dict[str, Any]:
    if shape.mode == "json_schema":
        return {"output_config": {"format": {"type": "json_schema", "schema": shape.schema}}}
    if shape.mode != "tool":
        return {}  # there is no JSON mode: it is told in words
    described = {"description": shape.schema["description"]} if string(shape.schema.get("description")) else {}
    strict = {"strict": True} if shape.strict else {}
    forced = {"type": "auto"} if chooses(model) else {"type": "tool", "name": tool}
    return {
        "tools": [{"name": tool, **described, **strict, "input_schema": shape.schema}],
        "tool_choice": {**forced, "disable_parallel_tool_use": True},
    }


def _marked(structured: Mapping[str, Any]) -> dict[str, Any]:
    """With the tool kept, for a job that has no system prompt to mark."""
    *tools, last = structured.get("tools") or [None]
    return dict(structured) if last is None else {**structured, "tools": [*tools, {**last, "cache_control": MARK}]}


def _no_answer(answer: HttpAnswer, body: Mapping[str, Any], message: str, said: str = "") -> CallFailed:
    """Where the model said nothing, not even its end, only what is told is billed."""
    finish, usage = string(body.get("stop_reason")), usage_of(body.get("usage"))
    billed = usage if said or finish else as_told(usage)
    start = shortened(answer.body[:200].decode("utf-8", "replace"))
    return CallFailed(
        Kind.CONNECTION if answer.body == CUT_OFF else Kind.NO_ANSWER,
        f"{message}: {start}",
        status=answer.status,
        provider_request_id=request_id(answer.headers, body),
        usage=None if answer.body == CUT_OFF else billed,
        limits=limits_seen(answer.headers),
        finish_reason=finish or None,
        model_version=string(body.get("model")) or None,
        said=said,
        tier=tier_of(body),
    )
