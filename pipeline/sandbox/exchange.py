"""What passes between the server and a wire: a question, an answer to it, and why there is none.

Values in no provider's dialect, and the one token rule; nothing here does I/O or knows a wire.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, Protocol

import orjson
from msgspec import Struct

from pipeline.reader.read import Read as FileRead
from pipeline.sandbox.quota import Denial, Level
from pipeline.text import COMPLAINT, DOUBT

MODEL_VERSION = "sandbox-rules-1"
BYTES_PER_TOKEN = 4

Extract = Callable[[str, Mapping[str, Any]], dict[str, Any]]
Repair = Callable[[str, Mapping[str, Any], str], dict[str, Any]]
Read = Callable[[str, int | None], str]
PageReader = Callable[[bytes], FileRead]  # of a PDF; raises Unreadable, or JobError where it reads none at all


class NotReadHere(Exception):
    """There is a file to be read, which takes too long for an event loop."""


def no_reader(_: bytes) -> FileRead:
    """The reader of requests without a file."""
    raise NotReadHere


class Rules(Struct, frozen=True):
    """What stands in for a model."""

    extract: Extract  # (text, schema) → record
    repair: Repair  # (text, schema, what was wrong) → record
    read: Read  # (text, cap in tokens) → the answer in plain words, where no schema is given
    endless: bool = False  # looks up as long as it may, and not once


class Received(Struct, frozen=True):
    """An HTTP request, whole. Header names are lower-case."""

    method: str
    path: str  # as sent: percent-encoded, without the query
    query: str
    headers: Mapping[str, str]
    body: bytes


class Message(Struct, frozen=True):
    """One message of a request: its own words, and what its files say."""

    role: str
    text: str
    seen: str = ""
    file_tokens: int = 0

    @property
    def tokens(self) -> int:
        return tokens_of(self.text) + self.file_tokens

    @property
    def whole(self) -> str:
        """What there is to be read."""
        return f"{self.seen}\n\n{self.text}" if self.seen else self.text


class Prefix(Struct, frozen=True):
    """The part of a prompt before its last cache mark."""

    digest: bytes
    tokens: int


class Question(Struct, frozen=True):
    """A request that the provider would take."""

    model: str
    document: str  # the last user message that is no complaint about an answer, whole
    prompt_tokens: int
    cap_tokens: int | None
    schema: Mapping[str, Any] | None = None  # None: free text was asked for
    errors: str | None = None  # what a later message says was wrong with an earlier answer
    tool: str | None = None  # the function to call, instead of answering
    tool_forced: bool = False
    stream: bool = False
    stream_usage: bool = False
    count_only: bool = False  # not to be answered: how many tokens has it?
    prefix: Prefix | None = None  # to be kept, where a mark asks for it
    tier: str = "default"  # the service tier that is asked for
    lookups: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # (name, schema) of what may be asked for
    looked_up: bool = False  # something was


def document_and_errors(turns: Sequence[tuple[str, str]]) -> tuple[str, str | None]:
    """Of turns (role, text): the document, and what was wrong with the answer to it that came before.

    What stands before the document are examples: questions whose answers are right. A complaint says what it is, or is
    about an answer that is no JSON object.
    """
    answers = [number for number, (role, _) in enumerate(turns) if role != "user"]
    said = [turns[start:end] for start, end in pairwise([0, *answers, len(turns)])]
    *before, last = [next((text for role, text in one if role == "user"), "") for one in said]
    if before and last and (last.startswith((COMPLAINT, DOUBT)) or not _is_object(turns[answers[-1]][1])):
        return before[-1], turns[-1][1]
    return last or next(filter(None, reversed(before)), turns[-1][1]), None


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


class Ending(StrEnum):
    DONE = "done"
    TRUNCATED = "truncated"
    REFUSED = "refused"


class Call(Struct, frozen=True):
    """One look-up that is asked for; `number` of the answer's."""

    number: str
    name: str
    arguments: str


class Answer(Struct, frozen=True):
    id: str
    text: str  # JSON, or why it was refused
    ending: Ending
    prompt_tokens: int
    completion_tokens: int
    created_s: int  # Unix time
    cache_read_tokens: int = 0  # of the prompt's
    cache_write_tokens: int = 0
    calls: tuple[Call, ...] = ()  # instead of `text`, which is what they count as


class Stamp(Struct, frozen=True):
    """What a wire says about a request in headers."""

    request_id: str
    levels: tuple[Level, ...] = ()  # as of admission
    processing_ms: int = 0
    retry_after_s: float | None = None


@dataclass(slots=True)
class Refused(Exception):
    """The provider would refuse this request; `body` is its error in its own shape."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire(Protocol):
    """One provider's dialect. Pure: bytes in, bytes out."""

    @property
    def name(self) -> str: ...
    @property
    def paths(self) -> tuple[str, ...]:
        """Route patterns of aiohttp, of POST."""
        ...

    @property
    def stream_type(self) -> str: ...

    def authorise(self, received: Received) -> None:
        """Raises Refused when there is no good key, or no good signature."""
        ...

    def parse(self, received: Received, read: PageReader = ...) -> Question:
        """`read`: how PDFs are read. Raises Refused for all that the provider would refuse, and what `read` raises."""
        ...

    def counted(self, question: Question) -> bytes:
        """The answer to a question that only counts."""
        ...

    def whole(self, question: Question, answer: Answer) -> bytes: ...

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        """The same answer as a stream, event by event."""
        ...

    def throttled(self, question: Question, denial: Denial | None, retry_after_s: float | None) -> Refused:
        """A 429: by an empty bucket, or (no denial) as a fault."""
        ...

    def broken(self, status: int) -> Refused:
        """A 5xx."""
        ...

    def headers(self, stamp: Stamp) -> dict[str, str]: ...


def tokens_of(text: str) -> int:
    """The sandbox's own count: one token for every four bytes of UTF-8, begun ones included."""
    size_bytes = len(text) if text.isascii() else len(text.encode())
    return -(-size_bytes // BYTES_PER_TOKEN)


def cut(text: str, tokens: int) -> str:
    """The longest start of `text` that counts at most `tokens`."""
    return text.encode()[: tokens * BYTES_PER_TOKEN].decode(errors="ignore")
