"""Server-sent events, out of bytes that are cut anywhere. Pure."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from pipeline.providers.json import parsed

DONE = b"[DONE]"
FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")  # how the lines of an event begin
BOM = b"\xef\xbb\xbf"
SHOWN_BYTES = 80


class Event(Struct, frozen=True):
    name: str  # "" where it has none
    chunks: Sequence[dict[str, Any]]  # one, or those of a list where lists are taken


class EventStream:
    """One stream's events, as they become whole.

    `begun`: there was an event. `done`: it has said that it is complete. `sealed`: whoever reads it has all that there
    is to an answer. With `bare`, an object or a list of objects without its `data:` is an event too.
    """

    def __init__(self, *, bare: bool = False) -> None:
        self._bare = bare
        self._buffer = b""
        self._damage = ""
        self.begun = self.done = self.sealed = False

    @property
    def damage(self) -> str:
        """What is wrong with the first piece that cannot be read: skipped, it would be missing without a word."""
        return self._damage if self.begun else ""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are whole now."""
        self._buffer = (self._buffer + piece).replace(b"\r\n", b"\n")
        if b"\n\n" not in self._buffer:
            return []
        *texts, self._buffer = self._buffer.split(b"\n\n")
        return [event for text in texts if (event := self._event(text)) is not None]

    def rest(self) -> tuple[list[Event], bytes]:
        """What stands after the last whole event: one that lacks its blank line, or what was cut off, as it came."""
        text, self._buffer = self._buffer, b""
        before = self._damage
        event = self._event(text)
        if event is None:
            self._damage = before  # the start of what never came is no damage
        return [] if event is None else [event], text

    def _event(self, text: bytes) -> Event | None:
        lines = text.removeprefix(BOM).split(b"\n")
        data = b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        if self.done or not (data or self._bare):
            self._look(lines)
            return None
        if data == DONE:
            self.done = self.begun = True
            return None
        chunks = self._chunks(data or text.strip())
        self.begun = self.begun or bool(data) or chunks is not None
        if chunks is None:
            self._look(lines) if not data else self._harm("an event is no JSON object", data)
            return None
        names = (line[6:].strip().decode("utf-8", "replace") for line in lines if line.startswith(b"event:"))
        return Event(next(names, ""), chunks)

    def _chunks(self, data: bytes) -> Sequence[dict[str, Any]] | None:
        value = parsed(data)
        if isinstance(value, dict):
            return (value,)
        listed = self._bare and isinstance(value, list) and all(isinstance(one, dict) for one in value)
        return value if listed and isinstance(value, list) else None

    def _look(self, lines: list[bytes]) -> None:
        """A line of no known field is noise; but one that holds an object is an event whose start was damaged."""
        for line in () if self.done else lines:
            if b"{" in line and not line.startswith(FIELDS):
                self._harm("a line is no part of an event", line)

    def _harm(self, what: str, where: bytes) -> None:
        if not self._damage and not self.sealed:
            self._damage = f"{what}: {where[:SHOWN_BYTES].decode('utf-8', 'replace')}"
