"""Models that InvokeModel asks by one prompt, or one message and a history: Llama, Mistral, Titan, Command R, R1. Pure.

None of them enforces a schema; it is told in words. The bytes of a document never act: what would be read as a mark of
a model's own template is broken up by a blank.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.job.settings import Model
from pipeline.providers import text_only
from pipeline.providers.bedrock.answers import UNTOLD, ModelAnswer
from pipeline.providers.bedrock.converse import words_for
from pipeline.providers.bedrock.families import METRICS, FixedBody
from pipeline.providers.json import items, string, told_count
from pipeline.providers.usage import usage_from
from pipeline.text import repaired
from pipeline.types import AnswerShape, Request, Usage

LLAMA_3 = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
LLAMA_4 = ("<|header_start|>", "<|header_end|>", "<|eot|>")
R1_MARKS = {"user": "<｜User｜>", "assistant": "<｜Assistant｜>"}
MARK = re.compile(r"<(?=[|｜]|/?s>)|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])")


class Prompted:
    """What they have in common: a schema in words, whatever the mode; an answer that is text; a stream of pieces."""

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self._fixed = FixedBody(words_for(shape, "json_object"), {})
        self._name = model.name
        self._temperature = {} if model.temperature is None else {"temperature": model.temperature}

    def body(self, request: Request) -> bytes:
        raise NotImplementedError

    def piece(self, answer: Mapping[str, Any]) -> str:
        """The text of an answer, or of a chunk of one."""
        raise NotImplementedError

    def finish(self, answer: Mapping[str, Any]) -> str:
        raise NotImplementedError

    def joined(self, last: Mapping[str, Any], text: str, finish: str) -> dict[str, Any]:
        """The answer that the chunks were, of which `last` holds the last value of each key."""
        raise NotImplementedError

    def usage(self, whole: Mapping[str, Any]) -> Usage:  # noqa: ARG002 (most say it in headers only)
        return UNTOLD

    def told(self, whole: Mapping[str, Any]) -> ModelAnswer:
        return ModelAnswer(self.piece(whole), self.finish(whole), self.usage(whole))

    def chunks(self) -> "TextChunks":
        return TextChunks(self)


class TextChunks:
    def __init__(self, family: Prompted) -> None:
        self._family = family
        self._text = ""
        self._finish = ""
        self._last: dict[str, Any] = {}
        self.started = False

    def add(self, chunk: Mapping[str, Any]) -> None:
        self._text += self._family.piece(chunk)
        self._finish = self._family.finish(chunk) or self._finish
        self._last |= {name: value for name, value in chunk.items() if value is not None}
        self.started = bool(self._text)

    def whole(self) -> dict[str, Any] | None:
        if not self._finish or METRICS not in self._last:
            return None
        return self._family.joined(self._last, self._text, self._finish)


class Llama(Prompted):
    def body(self, request: Request) -> bytes:
        start, end, done = LLAMA_4 if "llama4" in self._name.lower() else LLAMA_3
        said = [("system", self._fixed.system(request)), *((turn.role, text_only(turn)) for turn in request.turns)]
        parts = [f"{start}{role}{end}\n\n{unmarked(text)}{done}" for role, text in said if text.strip()]
        prompt = f"<|begin_of_text|>{''.join(parts)}{start}assistant{end}\n\n"
        return orjson.dumps({"prompt": prompt, "max_gen_len": request.max_output_tokens, **self._temperature})

    def piece(self, answer: Mapping[str, Any]) -> str:
        return string(answer.get("generation"))

    def finish(self, answer: Mapping[str, Any]) -> str:
        return string(answer.get("stop_reason"))

    def joined(self, last: Mapping[str, Any], text: str, finish: str) -> dict[str, Any]:
        return {**last, "generation": text, "stop_reason": finish}

    def usage(self, whole: Mapping[str, Any]) -> Usage:
        return usage_from(told_count(whole.get("prompt_token_count")), told_count(whole.get("generation_token_count")))


class MistralPrompt(Prompted):
    def body(self, request: Request) -> bytes:
        system = self._fixed.system(request)
        prompt = "<s>"
        for turn in request.turns:
            text = unmarked(text_only(turn))
            if turn.role == "assistant":
                prompt += f" {text}</s>"
            else:
                prompt += f"[INST] {unmarked(system)}\n\n{text} [/INST]" if system.strip() else f"[INST] {text} [/INST]"
                system = ""
        return orjson.dumps({"prompt": prompt, "max_tokens": request.max_output_tokens, **self._temperature})

    def piece(self, answer: Mapping[str, Any]) -> str:
        return string(_first(answer, "outputs").get("text"))

    def finish(self, answer: Mapping[str, Any]) -> str:
        return string(_first(answer, "outputs").get("stop_reason"))

    def joined(self, last: Mapping[str, Any], text: str, finish: str) -> dict[str, Any]:
        return {**last, "outputs": [{"text": text, "stop_reason": finish}]}


class Titan(Prompted):
    def body(self, request: Request) -> bytes:
        system = self._fixed.system(request)
        said = [("User" if turn.role == "user" else "Bot", repaired(text_only(turn))) for turn in request.turns]
        lines = [*([system, ""] if system.strip() else []), *(f"{who}: {text}" for who, text in said), "Bot:"]
        config = {"maxTokenCount": request.max_output_tokens, **self._temperature}
        return orjson.dumps({"inputText": "\n".join(lines), "textGenerationConfig": config})

    def piece(self, answer: Mapping[str, Any]) -> str:
        return string((_first(answer, "results") or answer).get("outputText"))

    def finish(self, answer: Mapping[str, Any]) -> str:
        return string((_first(answer, "results") or answer).get("completionReason"))

    def joined(self, last: Mapping[str, Any], text: str, finish: str) -> dict[str, Any]:
        tokens = last.get("totalOutputTextTokenCount")
        return {**last, "results": [{"tokenCount": tokens, "outputText": text, "completionReason": finish}]}

    def usage(self, whole: Mapping[str, Any]) -> Usage:
        tokens = told_count(_first(whole, "results").get("tokenCount"))
        return usage_from(told_count(whole.get("inputTextTokenCount")), tokens)


class CommandR(Prompted):
    def body(self, request: Request) -> bytes:
        who = {"user": "USER", "assistant": "CHATBOT"}
        *before, asked = request.turns
        system = self._fixed.system(request)
        body: dict[str, Any] = {"preamble": system} if system.strip() else {}
        body["chat_history"] = [{"role": who[turn.role], "message": repaired(text_only(turn))} for turn in before]
        body["message"] = repaired(text_only(asked))
        return orjson.dumps({**body, "max_tokens": request.max_output_tokens, **self._temperature})

    def piece(self, answer: Mapping[str, Any]) -> str:
        return string(answer.get("text")) if answer.get("event_type") in (None, "text-generation") else ""

    def finish(self, answer: Mapping[str, Any]) -> str:
        return string(answer.get("finish_reason"))

    def joined(self, last: Mapping[str, Any], text: str, finish: str) -> dict[str, Any]:
        rest = {name: value for name, value in last.items() if name != "event_type"}
        return {**rest, "text": text, "finish_reason": finish}


class R1(Prompted):
    """DeepSeek's R1 thinks first: its prompt opens the tag that its answer closes."""

    def body(self, request: Request) -> bytes:
        said = "".join(R1_MARKS[turn.role] + unmarked(text_only(turn)) for turn in request.turns)
        system = unmarked(self._fixed.system(request))
        prompt = f"<｜begin▁of▁sentence｜>{system}{said}{R1_MARKS['assistant']}<think>\n"
        return orjson.dumps({"prompt": prompt, "max_tokens": request.max_output_tokens, **self._temperature})

    def piece(self, answer: Mapping[str, Any]) -> str:
        return string(_first(answer, "choices").get("text"))

    def finish(self, answer: Mapping[str, Any]) -> str:
        return string(_first(answer, "choices").get("stop_reason"))

    def joined(self, last: Mapping[str, Any], text: str, finish: str) -> dict[str, Any]:
        return {**last, "choices": [{"text": text, "stop_reason": finish}]}

    def told(self, whole: Mapping[str, Any]) -> ModelAnswer:
        thought, closed, text = self.piece(whole).partition("</think>")
        return ModelAnswer(text.lstrip() if closed else thought, self.finish(whole))


def unmarked(text: str) -> str:
    """Text that holds no mark of a template."""
    return MARK.sub(lambda found: found.group() + " ", repaired(text))


def _first(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(iter(items(answer.get(name))), {})
