"""Claude's own body on Bedrock: the Messages API of bedrock-2023-05-31, which all of its versions take. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.catalog.reasoning import reasoned
from pipeline.job.settings import Model
from pipeline.providers.bedrock.answers import ModelAnswer
from pipeline.providers.bedrock.converse import tool_name, words_for
from pipeline.providers.bedrock.families import FixedBody
from pipeline.providers.bedrock.lookups import input_text
from pipeline.providers.bedrock.models import choice_for, takes_one_call_only, takes_strict_tools
from pipeline.providers.files import MESSAGES_BLOCKS as BLOCKS
from pipeline.providers.files import Body, filled, turn_content
from pipeline.providers.json import called_with, count, items, mapping, parsed, string, told_count
from pipeline.providers.parameters import MESSAGES, sampling
from pipeline.providers.usage import usage_from
from pipeline.types import AnswerShape, Request

VERSION = "bedrock-2023-05-31"
FIELDS = ("text", "thinking", "signature")  # of a block, that come in pieces


class Claude:
    def __init__(self, model: Model, shape: AnswerShape) -> None:
        free: dict[str, Any] = {"anthropic_version": VERSION}
        if model.betas:
            free["anthropic_beta"] = model.betas
        free |= {**sampling(model, MESSAGES), **model.extra}
        self._marks = model.caching == "on"
        self._start = _marked_start if self._marks else _start
        told, structured = words_for(shape, shape.mode, choice_for(model)), _structured(shape, model)
        self._fixed = FixedBody(told, reasoned(structured, model), reasoned(free, model))

    def body(self, request: Request) -> Body:
        turns: list[dict[str, Any]] = [
            {"role": turn.role, "content": turn_content(turn, BLOCKS)} for turn in request.turns
        ]
        if request.shared_turns and self._marks:
            last = turns[request.shared_turns - 1]
            last["content"] = [_marked(last["content"])]
        cap = f',"max_tokens":{request.max_output_tokens}}}'.encode()
        return filled(self._fixed.start(request, self._start) + orjson.dumps(turns) + cap, request)

    def told(self, whole: Mapping[str, Any]) -> ModelAnswer:
        told = mapping(whole.get("usage"))
        details = mapping(told.get("output_tokens_details"))
        read, written = count(told.get("cache_read_input_tokens")), count(told.get("cache_creation_input_tokens"))
        fresh = told_count(told.get("input_tokens"))
        usage = usage_from(
            None if fresh is None else fresh + read + written,
            told_count(told.get("output_tokens")),
            cached=read,
            written=written,
            reasoning=count(details.get("thinking_tokens")),
        )
        version = string(whole.get("model")) or None
        return ModelAnswer(_text(whole), string(whole.get("stop_reason")), usage, version)

    def chunks(self) -> "ClaudeChunks":
        return ClaudeChunks()


class ClaudeChunks:
    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, str] = {}
        self._usage: dict[str, Any] = {}
        self._ended = False
        self._told_end = False  # the output of a message that begins is no count of it yet
        self.started = False

    def add(self, chunk: Mapping[str, Any]) -> None:
        kind, index = chunk.get("type"), count(chunk.get("index"))
        if kind == "message_start":
            self._message = dict(mapping(chunk.get("message")))
            self._use(self._message.get("usage"))
        elif kind == "content_block_start":
            self._blocks[index] = dict(mapping(chunk.get("content_block")))
        elif kind == "content_block_delta":
            self._delta(index, mapping(chunk.get("delta")))
        elif kind == "message_delta":
            self._message |= mapping(chunk.get("delta"))
            self._use(chunk.get("usage"))
            self._told_end = self._told_end or told_count(mapping(chunk.get("usage")).get("output_tokens")) is not None
        elif kind == "message_stop":
            self._ended = True
        elif kind == "error":
            words = string(mapping(chunk.get("error")).get("message"))
            self._message, self._ended = {"__type": "modelStreamErrorException", "message": words}, True
        self._message |= {name: value for name, value in chunk.items() if name.startswith("amazon-bedrock-")}

    def whole(self) -> dict[str, Any] | None:
        if not self._ended:
            return None
        for index, text in self._inputs.items():
            value = parsed(text.encode())
            self._blocks[index]["input"] = text if value is None else value
        content = [self._blocks[index] for index in sorted(self._blocks)]
        usage = self._usage if self._told_end else {**self._usage, "output_tokens": None}
        return {**self._message, "content": content, "usage": usage}

    def _use(self, usage: object) -> None:
        """Counts are of the whole answer so far; one that is not told again stands."""
        for name, value in mapping(usage).items():
            if isinstance(value, dict):
                self._usage[name] = value
            elif (told := told_count(value)) is not None:
                self._usage[name] = max(told, count(self._usage.get(name)))

    def _delta(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._blocks.setdefault(index, {})
        for name in FIELDS:
            piece = string(delta.get(name))
            if piece:
                block[name] = string(block.get(name)) + piece
                self.started = self.started or name != "signature"
        partial = string(delta.get("partial_json"))
        if partial:
            self._inputs[index] = self._inputs.get(index, "") + partial
            self.started = True


def _structured(shape: AnswerShape, model: Model) -> dict[str, Any]:
    if shape.mode == "json_schema":
        return {"output_config": {"format": {"type": "json_schema", "schema": shape.schema}}}
    if shape.mode == "json_object":
        return {}
    tool: dict[str, Any] = {"name": tool_name(shape.name), "input_schema": shape.schema}
    forced = choice_for(model) == "tool"
    choice: dict[str, Any] = {"type": "tool", "name": tool["name"]} if forced else {"type": "auto"}
    if shape.strict and takes_strict_tools(model.name):
        tool["strict"] = True
    if takes_one_call_only(model.name):
        choice["disable_parallel_tool_use"] = True
    return {"tools": [tool], "tool_choice": choice}


def _start(fields: dict[str, Any], system: str) -> bytes:
    if system.strip():
        fields["system"] = system
    return orjson.dumps(fields)[:-1] + b',"messages":'


def _marked_start(fields: dict[str, Any], system: str) -> bytes:
    if system.strip():
        fields["system"] = [_marked(system)]
    return orjson.dumps(fields)[:-1] + b',"messages":'


def _marked(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


def _text(whole: Mapping[str, Any]) -> str:
    """The input of the tool that was called, else all text."""
    blocks = items(whole.get("content"))
    called = [block["input"] for block in blocks if block.get("type") == "tool_use" and block.get("input") is not None]
    told = called_with([("", input_text(one)) for one in called], "")
    texts = (string(block.get("text")) for block in blocks if block.get("type") == "text")
    return "".join(texts) if told is None else told
