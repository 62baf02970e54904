"""The values that flow through a run: row → chunks → requests → answers → outcome.

Frozen and dull: no behaviour but arithmetic, no I/O, nothing imported from the rest of the package.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct


class TextPart(Struct, frozen=True, tag="text"):
    """Text, as it is said."""

    text: str


class FilePart(Struct, frozen=True, tag="file"):
    """A file, or some of its pages, that goes to the model as it is; its bytes are read when the request leaves."""

    media_type: str  # of what the model gets
    digest: str  # sha256 of the whole source's bytes, in hex: what the answer depends on
    name: str  # neutral: a provider may show it to the model
    tokens_ceiling: int  # never less than what a provider bills for it as input
    tokens: int = 0  # what it is expected to be billed as
    first: int = 0  # its pages, from 1, both included; 0: all of it, as it is
    last: int = 0
    px: int = 0  # longest edge of the picture that its one page is drawn as; 0: it is not drawn
    path: str = ""  # the source, on this machine: no part of what is asked
    piece: int = 0  # of the source: the part of a mail, from 0
    size: int = 0  # bytes that it adds to a request before base64, about


class LoadedPart(FilePart, frozen=True, tag="loaded"):
    """The same with its bytes, for as long as it takes to send them. It is in no ledger, log or error."""

    base64: bytes = b""

    def __repr__(self) -> str:
        return f"LoadedPart({self.media_type}, {self.digest[:12]}, {len(self.base64)} bytes)"


class ToolCall(Struct, frozen=True, array_like=True):
    """A look-up that a model asks for; `arguments` is JSON as it wrote it."""

    id: str
    name: str
    arguments: str


class SaidPart(Struct, frozen=True, tag="said"):
    """What a model said when it asked for look-ups: JSON in its provider's own form, given back as it came."""

    own: str


class ResultPart(Struct, frozen=True, tag="result"):
    """What a look-up found, as JSON, or why there is nothing."""

    call: str  # the id of its ToolCall
    name: str
    text: str
    failed: bool = False


Part = TextPart | FilePart  # what a request's content is made of, in order
TurnPart = Part | SaidPart | ResultPart  # the same of a turn, where look-ups stand too
Parts = tuple[Part, ...]


def text_parts(text: str) -> Parts:
    """Content that is text alone."""
    return (TextPart(text),)


def text_of(parts: tuple[TurnPart, ...]) -> str:
    """All text of a content, without its files."""
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def files_of(parts: tuple[TurnPart, ...]) -> tuple[FilePart, ...]:
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return ()
    return tuple(part for part in parts if isinstance(part, FilePart))


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


class Status(StrEnum):
    """Where a row ends. Exactly one of them."""

    OK = "ok"
    FAILED = "failed"
    PENDING = "pending"  # the run was parked before it


class ErrorCode(StrEnum):
    """Why a row failed: the contract's section 4."""

    BAD_ROW = "bad_row"
    CONTEXT_EXCEEDED = "context_exceeded"
    TRUNCATED = "truncated"
    INVALID_OUTPUT = "invalid_output"
    UNGROUNDED = "ungrounded"  # too little of its record stands in the document
    REFUSED = "refused"
    BLOCKED = "blocked"
    INVALID_REQUEST = "invalid_request"
    PROVIDER_ERROR = "provider_error"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    TOOL_ERROR = "tool_error"  # a look-up of the job's own raised or took too long


class AttemptCode(StrEnum):
    """Why an attempt brought no answer to work with. What ends a row by the same cause has the same word there."""

    RATE_LIMITED = "rate_limited"
    PROVIDER_ERROR = "provider_error"
    TIMEOUT = "timeout"
    CONTEXT_EXCEEDED = "context_exceeded"
    INVALID_REQUEST = "invalid_request"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    BLOCKED = "blocked"
    AUTH = "auth"
    QUOTA = "quota"
    MODEL_UNAVAILABLE = "model_unavailable"
    LOST = "lost"  # the process died while the call was in flight
    BATCH_EXPIRED = "batch_expired"  # a line that its batch left unanswered, and unbilled
    BATCH_CANCELLED = "batch_cancelled"  # likewise, as the batch was called off
    PACK_MISMATCH = "pack_mismatch"  # an answer to several documents that is not one record for each
    HEDGED = "hedged"  # called off: another call for the same request answered first


class AnswerFrom(StrEnum):
    """Where a row's answers came from; of several the first of these counts."""

    CALL = "call"
    DUPLICATE = "duplicate"  # an equal row of the same run
    LEDGER = "ledger"  # an earlier run
    PREVIOUS = "previous"  # none yet: the record is the row's last good one


class ParkReason(StrEnum):
    """Why a run stops early with its rows left pending."""

    AUTH = "auth"
    QUOTA = "quota"
    MODEL_UNAVAILABLE = "model_unavailable"
    OUTAGE = "outage"
    REFUSED_BY_PROVIDER = "refused_by_provider"
    BUDGET = "budget"
    DISK_FULL = "disk_full"
    MACHINE = "machine"  # it gave no memory, no thread, or no file to write
    WAITING = "waiting"  # batches are at the provider, and nobody waits for them here
    INTERRUPTED = "interrupted"


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


TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
EVIDENCE_COLUMNS = ("evidence", "grounded_share", "ungrounded", "needs_review")  # where evidence is wanted
MODELS_COLUMNS = ("models_tried",)  # where a job has several
FILE_COLUMNS = ("document", "xml_conflicts")  # of results.parquet, in jobs over documents
RESULT_COLUMNS = (  # of results.parquet; `chunk` where merge = "none". The input's own come before `status`
    "row", "id", "chunk", "status", "record", "error_code", "error", "repaired", "conflicts", "chunks", "calls",
    "provider", "model", "model_version", *TOKENS, "cost_usd", "finish_reason", "latency_ms", "prompt_version",
    "answer_from", "cost_total_usd",
)  # fmt: skip
