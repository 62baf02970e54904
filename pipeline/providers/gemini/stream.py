"""Chunks of a streamed generateContent → the body that the same answer would have had at once. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.providers.json import encoded, items, mapping, parsed

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
        self._counted = False  # the last count is of all that was said

    def add(self, chunk: Mapping[str, Any]) -> None:
        if chunk.get("error"):
            self.error = chunk["error"]
        self._body |= {name: value for name, value in chunk.items() if name not in {"candidates", "error"}}
        self._counted = "usageMetadata" in chunk or (self._counted and "candidates" not in chunk)
        for candidate in items(chunk.get("candidates")):
            if candidate.get("index", 0) == 0:
                self._add_candidate(candidate)

    def body(self) -> dict[str, Any]:
        """The answer; of a stream that broke with an error, that error and what was used until then."""
        if self.error is not None:
            usage = {name: value for name, value in self._body.items() if name == "usageMetadata"}
            return {"error": self.error, **usage}
        if not self._counted and isinstance(told := self._body.get("usageMetadata"), dict):
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
        self._buffer = b""
        self._whole = Whole()

    def feed(self, piece: bytes) -> bool:
        self._buffer = (self._buffer + piece).replace(b"\r\n", b"\n")
        while b"\n\n" in self._buffer:
            event, self._buffer = self._buffer.split(b"\n\n", 1)
            self._event(event)
        return self._whole.first

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:  # noqa: ARG002 (for wires whose end is a status)
        self._event(self._buffer)
        return encoded(self._whole.body()) if self._whole.ended else CUT_OFF

    def _event(self, event: bytes) -> None:
        lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
        data = parsed(b"\n".join(lines) if lines else event)  # an error may come bare in the middle
        for chunk in items(data if isinstance(data, list) else [data]):
            self._whole.add(chunk)
