"""The events of a stream → the body that the same answer would have had at once. Pure.

An exception among them becomes a body with its `__type`; a stream that stops before its usage was told becomes an empty
body.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pipeline.providers.bedrock.errors import CUT_OFF
from pipeline.providers.bedrock.eventstream import Corrupt, Decoder, Frame
from pipeline.providers.damage import DAMAGED
from pipeline.providers.json import count, encoded, mapping, parsed, string

SHOWN_BYTES = 80


class Unreadable(Exception):
    """One event of a stream cannot be read; those after it can."""


class Message:
    """One answer, put together from Converse's events: also Nova's own, which have the same names."""

    def __init__(self) -> None:
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, str] = {}
        self._role = "assistant"
        self._end: dict[str, Any] = {}
        self._metadata: dict[str, Any] = {}
        self.started = False  # something was said

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind == "messageStart":
            self._role = string(data.get("role")) or self._role
        elif kind == "contentBlockStart":
            called = mapping(mapping(data.get("start")).get("toolUse"))
            if called:
                self._blocks[count(data.get("contentBlockIndex"))] = {"toolUse": {**called, "input": {}}}
        elif kind == "contentBlockDelta":
            self._delta(count(data.get("contentBlockIndex")), mapping(data.get("delta")))
        elif kind == "messageStop":
            self._end = {key: data[key] for key in ("stopReason", "additionalModelResponseFields") if key in data}
        elif kind == "metadata":
            self._metadata = {key: value for key, value in data.items() if key != "p"}

    def whole(self, *, needs_usage: bool = True) -> dict[str, Any] | None:
        """The body; None before the end, which is the usage."""
        if not self._end or (needs_usage and not self._metadata):
            return None
        for index, text in self._inputs.items():
            self._blocks[index].setdefault("toolUse", {})["input"] = _input(text)
        content = [self._blocks[index] for index in sorted(self._blocks)]
        return {"output": {"message": {"role": self._role, "content": content}}, **self._end, **self._metadata}

    def _delta(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._blocks.setdefault(index, {})
        text = string(delta.get("text"))
        if text:
            block["text"] = string(block.get("text")) + text
        partial = string(mapping(delta.get("toolUse")).get("input"))
        if partial:
            self._inputs[index] = self._inputs.get(index, "") + partial
        thought = mapping(delta.get("reasoningContent"))
        if thought:
            _think(block.setdefault("reasoningContent", {}), thought)
        self.started = self.started or bool(text or partial or thought.get("text") or thought.get("redactedContent"))


def _think(kept: dict[str, Any], thought: Mapping[str, Any]) -> None:
    """With its signature, which a provider wants to see again beside calls of tools."""
    if thought.get("redactedContent"):
        kept["redactedContent"] = thought["redactedContent"]
        return
    told = kept.setdefault("reasoningText", {"text": ""})
    told["text"] += string(thought.get("text"))
    if thought.get("signature"):
        told["signature"] = thought["signature"]


class StreamedAnswer(Protocol):
    """The pieces of one streamed answer."""

    @property
    def started(self) -> bool:
        """Whether something was said."""
        ...

    def add(self, chunk: Mapping[str, Any]) -> None: ...

    def whole(self) -> dict[str, Any] | None:
        """The body that the answer would have had; None before its end."""
        ...


class BedrockAssembler:
    """Takes bytes as they come; `take` gives a frame's content to what puts the answer together."""

    def __init__(self, answer: Message | StreamedAnswer, take: Callable[[Frame], None]) -> None:
        self._decoder = Decoder()
        self._answer = answer
        self._take = take
        self._error: dict[str, Any] | None = None
        self._damage = ""
        self._corrupt = False

    def feed(self, piece: bytes) -> bool:
        if not self._corrupt:
            try:
                for frame in self._decoder.feed(piece):
                    self._frame(frame)
            except Corrupt as corrupt:
                self._corrupt = True
                self._damage = self._damage or ("" if self.ended else str(corrupt))
        return self._answer.started

    @property
    def ended(self) -> bool:
        return self._error is not None or self._answer.whole() is not None

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:  # noqa: ARG002 (the end is in the events)
        if self._error is not None:
            return encoded(self._error)
        whole = self._answer.whole()
        if self._damage:
            return encoded({**(whole or {}), DAMAGED: self._damage})
        return CUT_OFF if whole is None else encoded(whole)

    def _frame(self, frame: Frame) -> None:
        if frame.header(":message-type") == "event":
            try:
                self._take(frame)
            except Unreadable as unreadable:
                self._damage = self._damage or str(unreadable)
        elif self._error is None:
            self._error = _exception(frame)


def converse_assembler() -> BedrockAssembler:
    """Frames that are Converse's events."""
    message = Message()
    return BedrockAssembler(message, lambda frame: message.event(frame.header(":event-type"), _object(frame.payload)))


def invoke_assembler(chunks: StreamedAnswer) -> BedrockAssembler:
    """Frames whose payload holds a chunk of the model's own in base64."""
    return BedrockAssembler(chunks, lambda frame: _add_chunk(chunks, frame))


def _add_chunk(chunks: StreamedAnswer, frame: Frame) -> None:
    packed = _object(frame.payload).get("bytes")
    if frame.header(":event-type") != "chunk" and packed is None:
        return  # of a kind to come
    try:
        chunk = base64.b64decode(string(packed), validate=True)
    except ValueError:
        raise Unreadable("a chunk is no base64") from None
    chunks.add(_object(chunk))


def _object(data: bytes) -> dict[str, Any]:
    """Raises Unreadable for all else."""
    value = parsed(data)
    if not isinstance(value, dict):
        raise Unreadable(f"an event is no JSON object: {data[:SHOWN_BYTES].decode('utf-8', 'replace')}")
    return value


def _exception(frame: Frame) -> dict[str, Any]:
    """An exception or error of a stream, as the body of an answer would tell it."""
    told = mapping(parsed(frame.payload))
    kind = frame.header(":exception-type") or frame.header(":error-code") or "modelStreamErrorException"
    words = string(told.get("message")) or string(told.get("Message")) or frame.header(":error-message")
    return {**told, "__type": kind, "message": words or frame.payload[:500].decode("utf-8", "replace")}


def _input(text: str) -> object:
    """A tool's input as its answer would hold it; what is no JSON (a cut-off one) stays text."""
    value = parsed(text.encode())
    return text if value is None and text.strip() != "null" else value
