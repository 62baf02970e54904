"""The values that flow through a run: row → chunks → requests → answers → outcome.

Frozen and dull: no behaviour but arithmetic, no I/O. What contents are made of is in `parts`, the words for how things
ended in `codes`.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from pipeline.codes import AnswerFrom, ErrorCode, Status
from pipeline.parts import Parts, TurnPart, text_of


class Document(Struct, frozen=True):
    """What is known of the file that a row is: no bytes of it."""

    media_type: str
    digest: str  # sha256, in hex
    pages: int | None = None
    mode: str | None = None  # text, native or image


class Reading(Struct, frozen=True):
    """What was read of a row's file, beside what of it goes to the model: where its record is looked for."""

    text: str  # its pages, a form feed between two
    by_eye: tuple[int, ...] = ()  # pages, from 1, whose text OCR made, here or before it came
    whole: bool = True  # whether every page has a sound text
    paged: bool = True  # whether it has pages at all


class Evidence(Struct, frozen=True, array_like=True):
    """Where one value of a record stands. `start` and `end` are code points of the row's text, the end exclusive."""

    path: str  # lines[2].amount
    status: str  # of extraction.evidence
    quote: str | None = None  # as printed
    start: int | None = None
    end: int | None = None
    page: int | None = None  # from 1; of a text without pages None
    chunk: int | None = None
    places: int = 0  # where it might stand as well, this one included
    source: str | None = None  # text, ocr or xml


class Row(Struct, frozen=True):
    """One input row. `problem` is set when it cannot be used: it then ends as `bad_row`, and its text is empty."""

    index: int  # position in the input, from 0
    id: str
    parts: Parts  # the document
    tenant: str | None
    values: Mapping[str, Any]  # the columns that the prompt names, beside the text
    problem: str | None = None
    document: Document | None = None  # of a row that is a file
    witness: Mapping[str, Any] | None = None  # what the XML in an e-invoice says, to compare the record with
    reading: Reading | None = None  # of a row that is a file, where evidence is wanted

    @property
    def text(self) -> str:
        return text_of(self.parts)


class Chunk(Struct, frozen=True):
    """What one request is about: a stretch of a row's text, `text == row.text[start:end]`, and files of its own.

    `tokens` as counted, or roughly (see `documents.chunks`).
    """

    number: int  # from 0
    start: int
    end: int
    parts: Parts
    tokens: int

    @property
    def text(self) -> str:
        return text_of(self.parts)


class Purpose(StrEnum):
    """Why a request is sent."""

    EXTRACT = "extract"
    REPAIR = "repair"


class Turn(Struct, frozen=True):
    """One message after the system prompt; `role` is `user` or `assistant`, whatever a wire calls them."""

    role: str
    parts: tuple[TurnPart, ...]

    @property
    def text(self) -> str:
        return text_of(self.parts)


class Tool(Struct, frozen=True):
    """A look-up that a model may ask for."""

    name: str
    description: str
    schema: Mapping[str, Any]  # JSON Schema of its arguments, an object


class AnswerShape(Struct, frozen=True):
    """What an answer must look like, in the dialect of one provider and mode. Made once per job."""

    name: str  # the schema's class name
    mode: str  # json_schema, tool or json_object
    schema: Mapping[str, Any]  # JSON Schema as this provider takes it
    strict: bool  # whether the provider is asked to enforce it
    lookups: tuple[Tool, ...] = ()  # what may be asked for before it


class Member(Struct, frozen=True):
    """A row in a request about several documents. Its number there is its place among them, from 1."""

    key: bytes  # of its own answer
    row: int
    row_id: str
    chunk: int
    tokens: int  # of its document, as estimated


class Request(Struct, frozen=True):
    """One question for a model, before any provider's dialect. `key` is the hash of all that can change the answer."""

    key: bytes  # 16 bytes
    row: int
    row_id: str
    chunk: int
    purpose: Purpose
    system: str
    turns: tuple[Turn, ...]
    max_output_tokens: int
    input_tokens: int  # estimate of what the provider will count, fixed overhead included
    input_tokens_ceiling: int  # never less than what the provider can bill
    tenant: str | None = None
    free_text: bool = False  # asked for in plain words, with no schema: a first reading, or a summary
    standard_tier: bool = False  # it goes out at the standard service tier, whatever the job asks for
    shared_turns: int = 0  # how many of the first turns all requests for a record have: the job's examples
    file_tokens: int = 0  # of input_tokens, what its files are expected to be; 0 only where it has none
    closed: bool = False  # no look-up may be asked for any more
    pack: tuple[Member, ...] = ()  # the rows that it is about, where these are several


class Usage(Struct, frozen=True):
    """Tokens of one attempt. `input_tokens` includes cached reads and writes; `output_tokens` includes reasoning."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


class PartialUsage(Usage, frozen=True):
    """Of an answer that is billed and does not tell its input, its output, or both: what is not told is 0 here.

    A wire says so; before it is booked it is made whole (`extraction.usage`).
    """

    input_told: bool = False
    output_told: bool = False


class Stop(StrEnum):
    """How an answer ended, over all providers' words for it."""

    DONE = "done"
    TRUNCATED = "truncated"  # the output cap or the context window cut it off
    REFUSED = "refused"  # the model declined
    BLOCKED = "blocked"  # a safety or content filter stopped it
    TOOLS = "tools"  # look-ups are asked for: `text` holds them (`providers.tool_calls`)


class Dimension(StrEnum):
    """The dimensions a provider limits."""

    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOKENS = "tokens"  # input and output together


class LimitSeen(Struct, frozen=True):
    """What a provider's headers said about one dimension, at the time the request was admitted there."""

    dimension: Dimension
    limit: float | None  # per minute
    remaining: float | None
    reset_s: float | None  # seconds until full


class Answer(Struct, frozen=True):
    """One answer that counts as one, in no provider's dialect. `text` is JSON, or the arguments of the forced tool."""

    text: str
    stop: Stop
    finish_reason: str  # as the provider said it
    usage: Usage
    model_version: str | None = None
    provider_request_id: str | None = None
    limits: tuple[LimitSeen, ...] = ()
    retry_after_s: float | None = None  # a 200 may carry a hint too
    tier: str = ""  # the service tier that it is billed at, in the provider's own word; "" where it does not say


class HttpAnswer(Struct, frozen=True):
    """A raw HTTP answer, as the transport hands it to a wire. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    ttft_ms: int | None = None  # time to first token, when streaming


class Outcome(Struct, frozen=True):
    """Where a row's content ended, found by the content's hash. `records` holds JSON objects, one per result row."""

    doc: bytes  # content hash of the row under this job, 16 bytes
    row: int  # the row that paid for it
    status: Status
    records: tuple[str, ...] = ()  # one, or one per chunk with merge = "none"
    error_code: ErrorCode | None = None
    error: str | None = None
    repaired: bool = False
    conflicts: tuple[str, ...] = ()
    xml_conflicts: tuple[str, ...] = ()  # fields that the XML in an e-invoice contradicts
    evidence: tuple[tuple[Evidence, ...], ...] | None = None  # of each record; None: it was not looked for
    text: str | None = None  # the row's, where it is kept
    model: str | None = None  # NAME of the model whose answer counted; None: the job's [model]
    models_tried: tuple[str, ...] = ()  # all that were asked, as results call them; empty where the job has one
    chunks: int = 1
    chunks_skipped: int = 0  # of its document, that were not asked about
    chunk_numbers: tuple[int, ...] = ()  # of each record, where it is not its place
    finish_reason: str | None = None
    model_version: str | None = None
    latency_ms: int | None = None
    answer_from: AnswerFrom | None = None
    reused_runs: tuple[int, ...] = ()  # earlier runs that paid for answers of it; not on record


def tenant_hash(tenant: str | None) -> str | None:
    return None if tenant is None else hashlib.sha256(tenant.encode("utf-8", "replace")).hexdigest()[:16]
