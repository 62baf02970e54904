"""Chunks of a streamed generateContent → the body that the same answer would have had at once. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.providers.damage import DAMAGED
from pipeline.providers.json import encoded, items, mapping
from pipeline.providers.sse import Event, EventStream

CUT_OFF = b""  # what a stream without its end is put together to
ANSWERS = {"candidates", "promptFeedback", "usageMetadata", "error"}  # one of these makes a chunk of a list


class Whole:
    """One answer, chunk by chunk: parts add up, of everything else the last word counts (usage too)."""

    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._parts: list[dict[str, Any]] = []
        self.error: object = None
        self.first = False  # a first token was seen
        self.counted = False  # the last count is of all that was said

    def add(self, chunk: Mapping[str, Any]) -> None:
        if chunk.get("error"):
            self.error = chunk["error"]
        self._body |= {name: value for name, value in chunk.items() if name not in {"candidates", "error"}}
        self.counted = "usageMetadata" in chunk or (self.counted and "candidates" not in chunk)
        for candidate in items(chunk.get("candidates")):
            if candidate.get("index", 0) == 0:
                self._add_candidate(candidate)

    def body(self) -> dict[str, Any]:
        """The answer; of a stream that broke with an error, that error and what was used until then."""
        if self.error is not None:
            usage = {name: value for name, value in self._body.items() if name == "usageMetadata"}
            return {"error": self.error, **usage}
        if not self.counted and isinstance(told := self._body.get("usageMetadata"), dict):
            self._body["usageMetadata"] = {**told, "candidatesTokenCount": None}
        if not self._candidate:
            return self._body
        content = {"parts": self._parts, "role": "model"} if self._parts else {"role": "model"}
        return {"candidates": [{**self._candidate, "content": content}], **self._body}

    @property
    def ended(self) -> bool:
        blocked = bool(mapping(self._body.get("promptFeedback")).get("blockReason"))
        return self.error is not None or bool(self._candidate.get("finishReason")) or blocked

    def _add_candidate(self, candidate: Mapping[str, Any]) -> None:
        self._candidate |= {"index": 0, **{name: value for name, value in candidate.items() if name != "content"}}
        for part in items(mapping(candidate.get("content")).get("parts")):
            self._add_part(part)

    def _add_part(self, part: Mapping[str, Any]) -> None:
        text = part.get("text")
        self.first = self.first or bool(text) or "functionCall" in part
        last = self._parts[-1] if self._parts else {}
        same = bool(last.get("thought")) == bool(part.get("thought"))
        if isinstance(text, str) and isinstance(last.get("text"), str) and same:
            self._parts[-1] = {**last, **part, "text": last["text"] + text}
        else:
            self._parts.append(dict(part))


def joined(chunks: object) -> dict[str, Any] | None:
    """The answer in the chunks of a list: what streams are without `alt=sse`. None when none is a chunk."""
    found = [chunk for chunk in items(chunks) if ANSWERS & chunk.keys()]
    if not found:
        return None
    whole = Whole()
    for chunk in found:
        whole.add(chunk)
    return whole.body()


class GeminiAssembler:
    """Server-sent events, each a chunk; a list of chunks or a lone object does too, where a server sends that."""

    def __init__(self) -> None:
        self._events = EventStream(bare=True)  # an error may come bare in the middle
        self._whole = Whole()

    def feed(self, piece: bytes) -> bool:
        for event in self._events.feed(piece):
            self._add(event)
        return self._whole.first

    @property
    def ended(self) -> bool:
        return self._whole.ended

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:  # noqa: ARG002 (for wires whose end is a status)
        for event in self._events.rest()[0]:
            self._add(event)
        if self._events.damage and self._whole.error is None:
            return encoded({**self._whole.body(), DAMAGED: self._events.damage})
        return encoded(self._whole.body()) if self.ended else CUT_OFF

    def _add(self, event: Event) -> None:
        for chunk in event.chunks:
            self._whole.add(chunk)
        self._events.sealed = self._whole.counted and self._whole.ended
