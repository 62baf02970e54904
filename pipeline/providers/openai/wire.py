"""OpenAI chat completions, and every server that speaks them: the request, and what becomes of the answer. Pure.

What the job fixes is encoded once and stands first, byte-identical over rows; per call only the turns and the cap are.
"""

import re
from datetime import datetime
from typing import Any

import orjson
from msgspec.structs import replace

from pipeline.catalog.reasoning import reasoned
from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.parts import FilePart, ResultPart
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.damage import DAMAGED, damage_of
from pipeline.providers.files import IMAGES, PDF, Block, Blocks, Body, data_url, filled, named, refused, turn_content
from pipeline.providers.hints import limits_seen, retry_after_s
from pipeline.providers.json import parsed, string
from pipeline.providers.openai.answers import Content, asked_of, content_of, usage_of
from pipeline.providers.openai.errors import failure_of, is_error, no_answer, request_id
from pipeline.providers.openai.stream import CUT_OFF, OpenAIAssembler
from pipeline.providers.parameters import CHAT, ending, sampling, tier_asked
from pipeline.providers.tool_calls import asked_text, members, results_in, said_in, told, wanted
from pipeline.text import repaired
from pipeline.types import Answer, AnswerShape, HttpAnswer, Request, Stop, Tool, Turn

BASE_URL = "https://api.openai.com/v1"
OLD_CAP, NEW_CAP = "max_tokens", "max_completion_tokens"
MAKES_OWN_CAP = re.compile(r"^(?:ft:)?(?:gpt-(?!oss)|chatgpt|o\d)")  # OpenAI's own; gpt-oss runs on servers of others
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
NAME_CHARS = 64
DETAIL = "high"  # of a picture: the levels above it cost more than a page of a document is worth
ONE_CALL = "parallel_tool_calls"  # false: one call of the tool and no more
MANY_OR_NONE = re.compile(r"^o\d")  # reasoning models that refuse the parameter


class OpenAIWire:
    """`model.base_url` ends in /v1."""

    name = "openai"
    path = "/chat/completions"
    turns = "messages"  # where a request has them
    names = CHAT

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self.url = self._url(model)
        self._cap = self._cap_name(model)
        self._turns = f',"{self.turns}":['.encode()
        self._shape = shape
        self._tool = NOT_IN_NAMES.sub("_", shape.name)[:NAME_CHARS] or "record"
        free: dict[str, Any] = {"model": model.name}
        free |= {**sampling(model, self.names), **tier_asked(model), **model.extra}
        free = reasoned(free, model)
        if model.stream:
            free |= {"stream": True, "stream_options": {"include_usage": True}}
        self._end = ending(model, self._end_user(model))
        self._plain = free = self._worded(free)
        self._free_head = orjson.dumps(free)[:-1]
        self._structured = self._form(shape, self._tool)
        if shape.mode == "tool" and not self._many_calls(model):
            self._structured[ONE_CALL] = False
        self._set_heads(self._structured)
        self._systems: dict[tuple[str, bool], bytes] = {}
        self._blocks = Blocks(self._file, self._text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url})"

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        return {"Authorization": f"Bearer {secret.value}", "Content-Type": "application/json"}

    def body(self, request: Request) -> Body:
        messages = orjson.dumps([self._message(turn) for turn in request.turns])[1:]
        cap = f',"{self._cap}":{request.max_output_tokens}'.encode() + self._end(request)
        head = self._free_head if request.free_text else self._closed_head if request.closed else self._head
        system = self._system(request.system, free_text=request.free_text)
        return filled(head + self._turns + system + messages + cap, request)

    def reply(self, answer: HttpAnswer) -> Answer:
        if answer.body == CUT_OFF and answer.status == 200:
            number, limits = request_id(answer, {}), limits_seen(answer.headers)
            raise CallFailed(Kind.CONNECTION, "the answer broke off", 200, provider_request_id=number, limits=limits)
        body = parsed(answer.body)
        if answer.status != 200 or is_error(body):
            raise self._without_one_call(failure_of(answer, body))
        if not isinstance(body, dict):
            raise no_answer(answer, {}, "the answer is not JSON", Content("", ""))
        tier = string(body.get("service_tier"))
        if DAMAGED in body:
            raise damage_of(answer, body, usage_of(body.get("usage")), request_id(answer, body), tier)
        content = content_of(body, self._tool)
        stop = content.stop
        if stop is Stop.DONE and self._shape.lookups:
            own, calls = asked_of(body)
            if asked := wanted(calls, self._shape.lookups, self._tool):
                content, stop = replace(content, text=asked_text(own, asked)), Stop.TOOLS
        if stop is None or (stop is Stop.DONE and not content.text):
            message = f"no content in the answer (finish_reason {content.finish!r})"
            raise no_answer(answer, body, message, content)
        return Answer(
            content.refusal or content.text,
            stop,
            content.finish,
            usage_of(body.get("usage")),
            model_version=string(body.get("model")) or None,
            provider_request_id=request_id(answer, body),
            limits=limits_seen(answer.headers),
            retry_after_s=retry_after_s(answer.headers),
            tier=tier,
        )

    def stream(self) -> OpenAIAssembler:
        return OpenAIAssembler()

    def _without_one_call(self, failure: CallFailed) -> CallFailed:
        """Where a server does not know the parameter, the next attempts go without it; others ignore it."""
        if failure.kind is Kind.INVALID_REQUEST and ONE_CALL in self._structured and ONE_CALL in failure.message:
            kept = {name: value for name, value in self._structured.items() if name != ONE_CALL}
            self._set_heads(kept)
            failure.kind = Kind.NO_ANSWER
        return failure

    def _set_heads(self, form: dict[str, Any]) -> None:
        """What the job fixes: with look-ups to ask for, and after the last of them."""
        opened, closed = (self._offered(form, closed=closed) for closed in (False, True))
        self._head = orjson.dumps({**self._plain, **opened})[:-1]
        self._closed_head = orjson.dumps({**self._plain, **closed})[:-1]

    def _offered(self, form: dict[str, Any], *, closed: bool) -> dict[str, Any]:
        """The record's function stands first. Those that were called before are declared to the end."""
        if not self._shape.lookups:
            return form
        as_tool = self._shape.mode == "tool"
        tools = [*form.get("tools", ()), *map(self._function, self._shape.lookups)]
        if closed:
            return {**form, "tools": tools, **({} if as_tool else {"tool_choice": "none"})}
        kept = {name: value for name, value in form.items() if name != ONE_CALL}
        return {**kept, "tools": tools, "tool_choice": "required" if as_tool else "auto"}

    def _message(self, turn: Turn) -> Any:  # noqa: ANN401 (a message, or the JSON of several)
        if own := said_in(turn):
            return orjson.Fragment(own[1:-1])
        if found := results_in(turn):
            return orjson.Fragment(orjson.dumps([self._result(one) for one in found])[1:-1])
        return {"role": turn.role, "content": turn_content(turn, self._blocks)}

    def _function(self, tool: Tool) -> Block:
        return {"type": "function", "function": members(tool, "parameters")}

    def _result(self, found: ResultPart) -> Block:
        return {"role": "tool", "tool_call_id": found.call, "content": repaired(told(found))}

    def _file(self, part: FilePart) -> Block:
        """The detail is always said: what it is where nobody says it differs by model, up to four times as dear."""
        if part.media_type in IMAGES:
            return {"type": "image_url", "image_url": {"url": data_url(part), "detail": DETAIL}}
        if part.media_type != PDF:
            raise refused(part)
        return {"type": "file", "file": {"filename": named(part, ".pdf"), "file_data": data_url(part)}}

    def _text(self, text: str) -> Block:
        return {"type": "text", "text": text}

    def _url(self, model: Model) -> str:
        return (model.base_url or BASE_URL).rstrip("/") + self.path

    def _worded(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What the job fixes but the form of answers, given as chat completions name it."""
        return settings

    def _form(self, shape: AnswerShape, name: str) -> dict[str, Any]:
        """How answers are to look."""
        if shape.mode == "tool":
            function = {"name": name, "strict": shape.strict, "parameters": shape.schema}
            choice = {"type": "function", "function": {"name": name}}
            return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
        if shape.mode == "json_object":
            return {"response_format": {"type": "json_object"}}
        schema = {"name": name, "strict": shape.strict, "schema": shape.schema}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def _many_calls(self, model: Model) -> bool:
        """Whether it cannot be said that one call of the tool is wanted."""
        return MANY_OR_NONE.match(model.name.rpartition("/")[2]) is not None

    def _cap_name(self, model: Model) -> str:
        """OpenAI's own models want the new name, and some refuse the old; servers of others may know only the old."""
        return NEW_CAP if MAKES_OWN_CAP.match(model.name.rpartition("/")[2]) else OLD_CAP

    def _end_user(self, model: Model) -> str:  # noqa: ARG002 (Azure's depends on it)
        """OpenAI's `safety_identifier` has taken the place of `user`."""
        return '"safety_identifier":"%s"'

    def _system(self, system: str, *, free_text: bool) -> bytes:
        """The system message, encoded once per job."""
        found = self._systems.get((system, free_text))
        if found is None:
            text = system
            if self._shape.mode == "json_object" and not free_text:
                schema = orjson.dumps(self._shape.schema).decode()
                text = (
                    f"{system}\n\nAnswer with one JSON object of this JSON schema, and nothing else:\n{schema}".strip()
                )
            found = orjson.dumps({"role": "system", "content": repaired(text)}) + b"," if text else b""
            self._systems[system, free_text] = found
        return found
