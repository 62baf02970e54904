"""A streamed message, put together to the body that it would have had without streaming. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.providers.damage import DAMAGED
from pipeline.providers.json import count, encoded, mapping, parsed, string, told_count
from pipeline.providers.sse import EventStream

CUT_OFF = b""  # what a stream without its end is put together to
DELTAS = {  # type of a delta → its field, the block's field that it adds to, and the block's type if it had no start
    "text_delta": ("text", "text", "text"),
    "thinking_delta": ("thinking", "thinking", "thinking"),
    "signature_delta": ("signature", "signature", "thinking"),
    "input_json_delta": ("partial_json", "input", "tool_use"),
}


class Block:
    """One content block, begun by its start and added to by its deltas."""

    def __init__(self, start: Mapping[str, Any]) -> None:
        self._start = dict(start)
        self._pieces: dict[str, list[str]] = {}

    def add(self, field: str, piece: str) -> None:
        self._pieces.setdefault(field, []).append(piece)

    def whole(self) -> dict[str, Any]:
        """The block as it is without streaming. The input of a call that was cut off is no JSON: it stays a string."""
        block = dict(self._start)
        for field, pieces in self._pieces.items():
            text = "".join(pieces)
            if field != "input":
                block[field] = string(block.get(field)) + text
            elif text:
                raw = text.encode()
                block[field] = text if parsed(raw) is None else orjson.Fragment(raw)
        return block


class AnthropicAssembler:
    """Server-sent events → the message, or the error that came instead of its end."""

    def __init__(self) -> None:
        self._events = EventStream()
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, Block] = {}
        self._error: Mapping[str, Any] | None = None
        self._first = False
        self._stopped = False
        self._told_end = False  # the output of a message that begins is no count of it yet

    def feed(self, piece: bytes) -> bool:
        for event in self._events.feed(piece):
            self._event(event.chunks[0])
        return self._first

    @property
    def ended(self) -> bool:
        return self._error is not None or self._stopped or bool(self._message.get("stop_reason"))

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:  # noqa: ARG002 (for wires whose end is a status)
        for event in self._events.rest()[0]:
            self._event(event.chunks[0])
        if self._error is not None:
            return encoded(self._error)
        usage = self._usage if self._told_end else {**self._usage, "output_tokens": None}
        if self._events.damage:
            return encoded({**self._message, DAMAGED: self._events.damage, "usage": usage})
        if not self.ended:
            return CUT_OFF
        content = [self._blocks[index].whole() for index in sorted(self._blocks)]
        return encoded({**self._message, "content": content, "usage": usage})

    def _event(self, data: Mapping[str, Any]) -> None:
        match data.get("type"):
            case "message_start":
                self._begin(data.get("message"))
            case "content_block_start" if isinstance(data.get("content_block"), dict):
                self._blocks[count(data.get("index"))] = Block(data["content_block"])
                self._first = self._first or bool(data["content_block"].get("data"))  # thinking, redacted
            case "content_block_delta":
                self._delta(count(data.get("index")), data.get("delta"))
            case "message_delta":
                self._end(data)
            case "message_stop":
                self._stopped = self._events.sealed = True
            case _ if data.get("type") == "error" or data.get("error"):
                self._error = data

    def _begin(self, message: object) -> None:
        if isinstance(message, dict):
            self._message = dict(message)
            self._count(message.get("usage"))

    def _end(self, data: Mapping[str, Any]) -> None:
        delta = data.get("delta")
        self._message |= mapping(delta)
        self._count(data.get("usage"))
        self._told_end = self._told_end or told_count(mapping(data.get("usage")).get("output_tokens")) is not None
        self._events.sealed = self._told_end and bool(self._message.get("stop_reason"))

    def _count(self, usage: object) -> None:
        """Later counts are totals, and replace earlier ones; what they leave out stays."""
        if isinstance(usage, dict):
            self._usage |= {name: value for name, value in usage.items() if value is not None}

    def _delta(self, index: int, delta: object) -> None:
        told = mapping(delta)
        if (known := DELTAS.get(string(told.get("type")))) is None:
            return
        name, field, kind = known
        piece = string(told.get(name))
        self._blocks.setdefault(index, Block({"type": kind})).add(field, piece)
        self._first = self._first or (bool(piece) and field != "signature") or field == "input"
