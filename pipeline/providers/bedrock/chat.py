"""Chat completions as the makers of open models take them through InvokeModel: OpenAI, Qwen, DeepSeek, Mistral … Pure.

The model is in the URL, so the body names none. Some put their reasoning before the answer, in tags.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.catalog.reasoning import reasoned
from pipeline.job.settings import Model
from pipeline.providers import text_only
from pipeline.providers.bedrock.answers import ModelAnswer
from pipeline.providers.bedrock.converse import tool_name, words_for
from pipeline.providers.bedrock.families import METRICS, FixedBody
from pipeline.providers.bedrock.models import choice_for, forced_choice, maker, takes_strict_tools
from pipeline.providers.json import called_with, count, dumped, items, mapping, string, told_count
from pipeline.providers.usage import usage_from
from pipeline.text import repaired
from pipeline.types import AnswerShape, Request, Usage

REASONING = (("<reasoning>", "</reasoning>"), ("<think>", "</think>"))
REASONS = ("reasoning_content", "reasoning")
KEPT = ("id", "model", "usage", "service_tier")


class Chat:
    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self._cap = "max_completion_tokens" if maker(model.name) == "openai" else "max_tokens"
        free = {} if model.temperature is None else {"temperature": model.temperature}
        told = words_for(shape, shape.mode, choice_for(model))
        self._fixed = FixedBody(told, _structured(shape, model.name), reasoned(free, model))

    def body(self, request: Request) -> bytes:
        turns = orjson.dumps([{"role": turn.role, "content": repaired(text_only(turn))} for turn in request.turns])
        cap = f',"{self._cap}":{request.max_output_tokens}}}'.encode()
        return self._fixed.start(request, _start) + turns[1:] + cap

    def told(self, whole: Mapping[str, Any]) -> ModelAnswer:
        choice = next(iter(items(whole.get("choices"))), {})
        message = mapping(choice.get("message"))
        finish = string(choice.get("finish_reason")) or string(choice.get("stop_reason"))
        refusal = string(message.get("refusal"))
        called = _arguments(message)
        text = refusal or (without_reasoning(_content(message)) if called is None else called)
        usage, version = _usage(mapping(whole.get("usage"))), string(whole.get("model")) or None
        return ModelAnswer(text, finish, usage, version, refused=bool(refusal))

    def chunks(self) -> "ChatChunks":
        return ChatChunks()


class ChatChunks:
    """Deltas as OpenAI's streams have them; Mistral's have a `message` in each instead."""

    def __init__(self) -> None:
        self._whole: dict[str, Any] = {}
        self._message: dict[str, Any] = {"role": "assistant", "content": ""}
        self._tools: dict[int, dict[str, Any]] = {}
        self._finish = ""
        self.started = False

    def add(self, chunk: Mapping[str, Any]) -> None:
        kept = (name for name in chunk if name in KEPT or name.startswith("amazon-bedrock-"))
        self._whole |= {name: chunk[name] for name in kept if chunk[name]}
        for choice in items(chunk.get("choices")):
            if count(choice.get("index")) == 0:
                self._delta(mapping(choice.get("delta")) or mapping(choice.get("message")))
                self._finish = string(choice.get("finish_reason")) or string(choice.get("stop_reason")) or self._finish

    def whole(self) -> dict[str, Any] | None:
        if METRICS not in self._whole and not (self._finish and "usage" in self._whole):
            return None
        if self._tools:
            self._message["tool_calls"] = [self._tools[index] for index in sorted(self._tools)]
        return {**self._whole, "choices": [{"index": 0, "message": self._message, "finish_reason": self._finish}]}

    def _delta(self, delta: Mapping[str, Any]) -> None:
        for name in ("content", "refusal"):
            piece = _content(delta) if name == "content" else string(delta.get(name))
            if piece:
                self._message[name] = string(self._message.get(name)) + piece
                self.started = True
        self.started = self.started or any(string(delta.get(name)) for name in REASONS)
        for call in items(delta.get("tool_calls")):
            self.started = True
            kept = self._tools.setdefault(count(call.get("index")), {"function": {"name": "", "arguments": ""}})
            for name in ("name", "arguments"):
                kept["function"][name] += string(mapping(call.get("function")).get(name))


def without_reasoning(text: str) -> str:
    """An answer without the reasoning before it; "" where that was all there was room for."""
    for start, end in REASONING:
        if text.lstrip().startswith(start):
            return text.partition(end)[2].lstrip()
    return text


def _structured(shape: AnswerShape, model: str) -> dict[str, Any]:
    name = tool_name(shape.name)
    if shape.mode == "json_schema":
        schema = {"name": name, "strict": shape.strict, "schema": shape.schema}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if shape.mode == "json_object":
        return {}
    function: dict[str, Any] = {"name": name, "parameters": shape.schema}
    if shape.strict and takes_strict_tools(model):
        function["strict"] = True
    choice: object = {"type": "function", "function": {"name": name}}
    if forced_choice(model) == "any":
        choice = "any" if maker(model) == "mistral" else "required"
    return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}


def _start(fields: dict[str, Any], system: str) -> bytes:
    """Up to the first turn."""
    first = orjson.dumps({"role": "system", "content": system}) + b"," if system.strip() else b""
    return (orjson.dumps(fields)[:-1] + b"," if fields else b"{") + b'"messages":[' + first


def _arguments(message: Mapping[str, Any]) -> str | None:
    functions = (mapping(call.get("function")) for call in items(message.get("tool_calls")))
    told = (one.get("arguments") for one in functions)
    return called_with([("", text if isinstance(text, str) else dumped(text)) for text in told if text is not None], "")


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "".join(string(part.get("text")) for part in items(content))


def _usage(told: Mapping[str, Any]) -> Usage:
    prompt, output = mapping(told.get("prompt_tokens_details")), mapping(told.get("completion_tokens_details"))
    return usage_from(
        told_count(told.get("prompt_tokens")),
        told_count(told.get("completion_tokens")),
        cached=count(prompt.get("cached_tokens")),
        reasoning=count(output.get("reasoning_tokens")),
    )
