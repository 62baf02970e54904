"""Amazon Bedrock's Converse API: one body for all models, answers, streams, counting. Pure.

What the job fixes is encoded once and stands first, byte-identical over rows; per call only the turns and the cap are.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from pipeline.catalog.reasoning import reasoned, uncapped
from pipeline.job.settings import Model
from pipeline.parts import FilePart
from pipeline.providers.bedrock.answers import ModelAnswer, reply_of, tier_of
from pipeline.providers.bedrock.endpoint import Endpoint
from pipeline.providers.bedrock.errors import failure, is_error, no_answer, request_id
from pipeline.providers.bedrock.lookups import asked_of, input_text, result_block, spec_of
from pipeline.providers.bedrock.models import bare_id, choice_for, is_claude, takes_strict_tools
from pipeline.providers.bedrock.stream import BedrockAssembler, converse_assembler
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.damage import DAMAGED, damage_of
from pipeline.providers.files import GAP, IMAGES, PDF, Block, Blocks, Body, filled, gap, refused, turn_blocks
from pipeline.providers.json import called_with, count, items, mapping, parsed, string, told_count
from pipeline.providers.parameters import CONVERSE, ending, sampling
from pipeline.providers.tool_calls import asked_text, turn_of, wanted
from pipeline.providers.usage import usage_from
from pipeline.text import repaired
from pipeline.types import Answer, AnswerShape, HttpAnswer, Request, Stop, Usage

STOPS = {
    "end_turn": Stop.DONE,
    "stop_sequence": Stop.DONE,
    "tool_use": Stop.DONE,
    "max_tokens": Stop.TRUNCATED,
    "model_context_window_exceeded": Stop.TRUNCATED,
    "refusal": Stop.REFUSED,
    "guardrail_intervened": Stop.BLOCKED,
    "content_filtered": Stop.BLOCKED,
}
BROKEN = {  # nothing to repair in them: another attempt is made
    *("malformed_model_output", "malformed_tool_use", "error", "pause_turn", "compaction"),
}
CACHE_POINT = {"cachePoint": {"type": "default"}}  # what stands before it, tools included, is kept for five minutes
COUNTING = b'{"input":'  # how the body of a counting call begins, and no other
BESIDE = "The document is attached."  # a text has to stand beside one
NOT_IN_DOCUMENT_NAMES = re.compile(r"[^A-Za-z0-9()\[\]-]")
DOCUMENT_NAME_CHARS = 190  # of 200: a number may follow
NOT_NAMED = re.compile(r"[^a-zA-Z0-9_-]")


class ConverseWire:
    name = "bedrock"

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self._endpoint = Endpoint(model)
        self.url = self._endpoint.url(model.name, "converse-stream" if model.stream else "converse")
        counts = is_claude(model.name)  # others are refused, and so are profiles
        self.count_url = self._endpoint.url(bare_id(model.name), "count-tokens") if counts else ""
        self._told = words_for(shape, shape.mode, choice_for(model))
        self._counted = words_for(shape, "json_object") if shape.mode == "json_schema" else self._told
        free: dict[str, Any] = {}
        betas = {"anthropic_beta": model.betas} if model.betas and counts else {}
        if own := reasoned(betas, model):
            free["additionalModelRequestFields"] = own
        if model.service_tier != "default":
            free["serviceTier"] = {"type": model.service_tier}
        free |= model.extra
        structured, ended = (_structured(shape, model, closed=closed) for closed in (False, True))
        self._marks = [CACHE_POINT] if model.caching == "on" else []
        self._head, self._free_head, self._closed_head = {**structured, **free}, free, {**ended, **free}
        self._shape = shape
        self._tools = {name: structured[name] for name in ("toolConfig",) if name in structured}
        self._sampling = sampling(model, CONVERSE)
        self._end = ending(model, '"requestMetadata":{"tenant":"%s"}')
        self._capped = not uncapped(model)
        self._heads: dict[tuple[str, bool, bool, bool], bytes] = {}

    def __repr__(self) -> str:
        return f"ConverseWire({self.url})"

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:
        url = self.count_url if body.startswith(COUNTING) else self.url
        return self._endpoint.headers(url, body, secret, now)

    def body(self, request: Request) -> Body:
        inference = inference_json(request, self._sampling) if self._capped else b""
        messages = messages_json(request, self._marks)
        return filled(self._fixed(request, counting=False) + messages + inference + self._end(request), request)

    def count_body(self, request: Request) -> Body:
        """The request without what counting does not take; an enforced schema is counted as if it was told in words."""
        converse = self._fixed(request, counting=True) + messages_json(request)
        return filled(COUNTING + b'{"converse":' + converse + b"}}}", request)

    def counted(self, answer: HttpAnswer) -> int:
        return counted(answer)

    def reply(self, answer: HttpAnswer) -> Answer:
        body = parsed(answer.body)
        if is_error(answer, body):
            raise failure(answer, body)
        whole = mapping(body)
        if not whole:
            raise no_answer(answer, "the answer is no JSON object")
        usage, tier = converse_usage(whole.get("usage")), tier_of(answer, whole)
        if DAMAGED in whole:
            raise damage_of(answer, whole, usage, request_id(answer.headers), tier)
        finish = string(whole.get("stopReason"))
        router = mapping(mapping(whole.get("trace")).get("promptRouter"))
        version = string(router.get("invokedModelId")) or None
        text, stop = converse_text(whole), stop_of(finish, STOPS)
        if stop is Stop.DONE and self._shape.lookups:
            own, calls = asked_of(whole)
            if asked := wanted(calls, self._shape.lookups, tool_name(self._shape.name)):
                text, stop = asked_text(own, asked), Stop.TOOLS
        return reply_of(answer, ModelAnswer(text, finish, usage, version, tier=tier), stop, usage)

    def stream(self) -> BedrockAssembler:
        return converse_assembler()

    def _fixed(self, request: Request, *, counting: bool) -> bytes:
        """All before the turns, encoded once per job."""
        key = request.system, request.free_text, counting, request.closed
        found = self._heads.get(key)
        if found is None:
            told = self._counted if counting else self._told
            system = request.system if request.free_text else told(request.system)
            fixed = self._free_head if request.free_text else self._closed_head if request.closed else self._head
            if counting:
                fixed = {} if request.free_text else self._tools
            if system.strip():
                marks = [] if counting else self._marks
                fixed = {**fixed, "system": [{"text": repaired(system)}, *marks]}
            found = self._heads[key] = (orjson.dumps(fixed)[:-1] + b"," if fixed else b"{") + b'"messages":'
        return found


def messages_json(request: Request, marks: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """`marks` stand behind the turns that all requests have. No two documents have one name: that is refused."""
    turns: list[dict[str, Any]] = [
        turn_of(turn, turn.role, "content", result_block) or {"role": turn.role, "content": turn_blocks(turn, BLOCKS)}
        for turn in request.turns
    ]
    if request.shared_turns:
        turns[request.shared_turns - 1]["content"] += marks
    encoded = orjson.dumps(turns)
    return orjson.dumps(_told_apart(turns)) if GAP in encoded else encoded


def _file(part: FilePart) -> Block:
    if part.media_type in IMAGES:
        return {"image": {"format": part.media_type.removeprefix("image/"), "source": {"bytes": gap(part)}}}
    if part.media_type != PDF:
        raise refused(part)
    return {"document": {"format": "pdf", "name": document_name(part.name), "source": {"bytes": gap(part)}}}


BLOCKS = Blocks(_file, lambda text: {"text": text}, BESIDE)


def _told_apart(turns: list[Block]) -> list[Block]:
    seen: Counter[str] = Counter()
    content = (turn["content"] for turn in turns if isinstance(turn["content"], list))
    for document in (block["document"] for blocks in content for block in blocks if "document" in block):
        name = document["name"]
        seen[name.lower()] += 1
        if seen[name.lower()] > 1:
            document["name"] = f"{name} ({seen[name.lower()]})"
    return turns


def document_name(name: str) -> str:
    """As Converse takes it: letters, digits, single blanks, hyphens, brackets; no dots, so without its ending."""
    plain = NOT_IN_DOCUMENT_NAMES.sub(" ", name.rpartition(".")[0] or name).split()
    return " ".join(plain)[:DOCUMENT_NAME_CHARS].strip() or "document"


def inference_json(request: Request, sampling: Mapping[str, Any]) -> bytes:
    inference = orjson.dumps({"maxTokens": request.max_output_tokens, **sampling})
    return b',"inferenceConfig":' + inference


def words_for(shape: AnswerShape, mode: str, choice: str = "") -> Callable[[str], str]:
    """What makes a system prompt say all that nothing else says, or enforces."""
    if mode == "json_object":
        schema = orjson.dumps(shape.schema).decode()
        words = f"Answer with one JSON object of this JSON schema, and nothing else:\n{schema}"
    elif mode == "tool" and choice == "auto":
        rest = ", when you have looked up all that you need" if shape.lookups else ", and nothing else"
        words = f"Answer with one call of the tool {tool_name(shape.name)}{rest}."
    else:
        return lambda system: system
    return lambda system: f"{system}\n\n{words}".strip()


def tool_config(shape: AnswerShape, model: Model) -> dict[str, Any]:
    """One tool whose input is the schema, and that the model has to call."""
    spec: dict[str, Any] = {"name": tool_name(shape.name), "inputSchema": {"json": shape.schema}}
    if shape.strict and takes_strict_tools(model.name):
        spec["strict"] = True
    choice = choice_for(model)
    forced = {choice: {"name": spec["name"]} if choice == "tool" else {}}
    return {"toolConfig": {"tools": [{"toolSpec": spec}], "toolChoice": forced}}


def tool_name(name: str) -> str:
    """A class may have letters in its name that a tool may not."""
    return NOT_NAMED.sub("_", name)[:64] or "record"


def counted(answer: HttpAnswer) -> int:
    """The answer to a counting call.

    Raises:
        CallFailed: it is none.
    """
    body = parsed(answer.body)
    if is_error(answer, body):
        raise failure(answer, body)
    tokens = mapping(body).get("inputTokens")
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        raise no_answer(answer, "the answer counts no tokens")
    return tokens


def stop_of(word: str, stops: Mapping[str, Stop]) -> Stop | None:
    """None for a broken answer. Where nothing is said of its end, or in no known word, its content tells."""
    return None if word in BROKEN else stops.get(word, Stop.DONE)


def converse_text(whole: Mapping[str, Any]) -> str:
    """The input of the tool that was called, else all text: of Converse, and of Nova's own answers."""
    message = mapping(mapping(whole.get("output")).get("message"))
    texts, calls = [], []
    for block in items(message.get("content")):
        called = mapping(block.get("toolUse"))
        if called.get("input") is not None:
            calls.append(("", input_text(called["input"])))
        texts.append(string(block.get("text")))
        texts += [string(part.get("text")) for part in items(mapping(block.get("citationsContent")).get("content"))]
    told = called_with(calls, "")
    return "".join(texts) if told is None else told


def converse_usage(usage: object) -> Usage:
    """Each cache figure comes under two names, or one; `inputTokens` includes neither."""
    told = mapping(usage)
    read, written = (
        count(told.get(f"{name}Tokens")) or count(told.get(f"{name}TokenCount"))
        for name in ("cacheReadInput", "cacheWriteInput")
    )
    fresh = told_count(told.get("inputTokens"))
    whole = None if fresh is None else fresh + read + written
    return usage_from(whole, told_count(told.get("outputTokens")), cached=read, written=written)


def _structured(shape: AnswerShape, model: Model, *, closed: bool = False) -> dict[str, Any]:
    """With look-ups the record's tool stands first; who cannot be made to call it by its name is last offered no other.

    There is no word for calling none: where answers are asked for in words, look-ups are offered to the end.
    """
    offered = [{"toolSpec": spec_of(one)} for one in shape.lookups]
    if shape.mode == "tool":
        config, choice = tool_config(shape, model)["toolConfig"], choice_for(model)
        tools = [*config["tools"], *offered]
        if not offered or (closed and choice != "tool"):
            return {"toolConfig": config}
        if closed:
            return {"toolConfig": {**config, "tools": tools}}
        return {"toolConfig": {"tools": tools, "toolChoice": {"auto" if choice == "auto" else "any": {}}}}
    if offered:
        return {"toolConfig": {"tools": offered, "toolChoice": {"auto": {}}}}
    if shape.mode == "json_object":
        return {}
    schema = {"name": tool_name(shape.name), "schema": orjson.dumps(shape.schema).decode()}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}}
