"""The ledger's records as values, and their columns as SQLite takes them."""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from msgspec import Struct, json, msgpack

from pipeline.codes import AnswerFrom, AttemptCode, ErrorCode, Status
from pipeline.ledger.evidence import packed, unpacked
from pipeline.text import repaired
from pipeline.types import Answer, Document, Outcome, Purpose, Stop, Usage

_PACKED = msgpack.Encoder().encode
ZLIB_LEVEL = 6

OUTCOME_COLUMNS = (
    "doc", "run", "session", "row", "status", "records", "error_code", "error", "repaired", "conflicts", "chunks",
    "finish_reason", "model_version", "latency_ms", "answer_from",
)  # fmt: skip
BESIDE = {  # what stands beside an outcome's record, and the version of the file since when it does
    "xml_conflicts": 5, "evidence": 7, "source_text": 7, "model": 7, "models_tried": 7,
    "chunks_skipped": 8, "chunk_numbers": 8,
}  # fmt: skip
ANSWER_COLUMNS = ("key", "run", "session", "text", "stop", "finish_reason", "model_version")
CALL_COLUMNS = (
    "run", "session", "request_id", "provider_request_id", "row", "id", "chunk", "purpose", "attempt", "sent_us",
    "model_version", "http_status", "error_code", "error", "finish_reason", "input_tokens", "cached_input_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_units", "at_risk_units", "wait_ms", "ttft_ms",
    "latency_ms", "tenant",
)  # fmt: skip
SEND_COLUMNS = (
    "request_id", "session", "row", "id", "chunk", "purpose", "attempt", "sent_us", "at_risk_units", "tenant", "model",
)  # fmt: skip
SHARE_COLUMNS = (
    "request_id", "place", "run", "row", "id", "chunk", "input_tokens", "cached_input_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "cost_units",
)  # fmt: skip
LINK_COLUMNS = ("answer", "pages", "model")  # of a call, beside its record


class Send(Struct, frozen=True):
    """A request that is about to leave. Durable before it does, so that a crash leaves its name behind."""

    request_id: str
    row: int
    id: str
    chunk: int
    purpose: Purpose
    attempt: int  # from 1, over all HTTP attempts of this request
    sent_us: int
    at_risk_units: int
    tenant: str | None
    model: str | None = None  # NAME of the model that is asked; None: the job's [model]
    pages: str | None = None  # of a file, that go along
    batch_id: str | None = None  # of the batch that it is a line of

    @property
    def lane(self) -> str:
        return "live" if self.batch_id is None else "batch"


class Call(Struct, frozen=True):
    """One HTTP attempt, when its fate is known (or known to be unknown: then `at_risk_units` > 0)."""

    send: Send
    latency_ms: int | None
    wait_ms: int
    usage: Usage
    cost_units: int | None
    at_risk_units: int = 0
    http_status: int | None = None
    provider_request_id: str | None = None
    model_version: str | None = None
    error_code: AttemptCode | None = None
    error: str | None = None
    finish_reason: str | None = None
    ttft_ms: int | None = None


class Share(Struct, frozen=True):
    """What one row of a pack has of its call: all shares of a call add up to it, to the token and to the unit."""

    row: int
    id: str
    chunk: int
    usage: Usage = Usage()
    cost_units: int | None = None  # None: as of the call
    answer: bytes | None = None  # the key of what came back for it


def lost_call(send: Send) -> Call:
    """One that was in flight when its process died: what it cost nobody says."""
    message = "the process died while this call was in flight; the provider may have billed it"
    return Call(send, None, 0, Usage(), None, send.at_risk_units, error_code=AttemptCode.LOST, error=message)


class StoredAnswer(Struct, frozen=True):
    """A reply as the ledger keeps it, and the session that paid for it."""

    reply: Answer
    run: int
    session: int


class RowEntry(Struct, frozen=True):
    """One row of the current run's input, by its position."""

    row: int
    id: str
    doc: bytes | None
    problem: str | None
    tenant: str | None
    earlier: bytes | None = None  # `doc` under an earlier job, of a row that has no outcome
    document: Document | None = None


class RunFacts(Struct, frozen=True):
    """What a run keeps of its job for the nights to come, beside the hashes."""

    provider: str = ""
    model: str = ""
    columns: tuple[str, ...] = ()  # that the prompt names, beside the text
    id_column: str = ""  # "" where rows have no names


def with_crc(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The record and its checksum."""
    return (*values, crc(values))


def crc(values: tuple[Any, ...]) -> int:
    """CRC-32 of the values as a MessagePack array: SQLite gives back equal values, and these have one form only."""
    return zlib.crc32(_PACKED(values))


def outcome_values(outcome: Outcome, run: int, session: int) -> tuple[Any, ...]:
    return with_crc(
        (
            outcome.doc,
            run,
            session,
            outcome.row,
            str(outcome.status),
            _json(outcome.records) if outcome.records else None,
            None if outcome.error_code is None else str(outcome.error_code),
            storable(outcome.error),
            int(outcome.repaired),
            _json(outcome.conflicts) if outcome.conflicts else "[]",
            outcome.chunks,
            storable(outcome.finish_reason),
            storable(outcome.model_version),
            outcome.latency_ms,
            None if outcome.answer_from is None else str(outcome.answer_from),
        )
    )


def outcome_from(values: Sequence[Any]) -> Outcome:
    """The outcome in a record of OUTCOME_COLUMNS, with or without what stands beside it (BESIDE)."""
    beside = values[len(OUTCOME_COLUMNS) :] or (None,) * len(BESIDE)
    xml_conflicts, evidence, text, model, tried, skipped, numbers = beside
    (
        doc,
        _run,
        _session,
        row,
        status,
        records,
        code,
        error,
        repaired,
        conflicts,
        chunks,
        finish,
        version,
        latency,
        by,
    ) = values[: len(OUTCOME_COLUMNS)]
    return Outcome(
        doc=doc,
        row=row,
        status=Status(status),
        records=tuple(orjson.loads(records)) if records else (),
        error_code=ErrorCode(code) if code else None,
        error=error,
        repaired=bool(repaired),
        conflicts=() if conflicts == "[]" else tuple(orjson.loads(conflicts)),
        xml_conflicts=() if xml_conflicts is None else tuple(orjson.loads(xml_conflicts)),
        evidence=None if evidence is None else unpacked(evidence),
        model=model,
        models_tried=() if tried is None else tuple(orjson.loads(tried)),
        text=None if text is None else zlib.decompress(text).decode("utf-8", "surrogatepass"),
        chunks=chunks,
        chunks_skipped=skipped or 0,
        chunk_numbers=() if numbers is None else tuple(orjson.loads(numbers)),
        finish_reason=finish,
        model_version=version,
        latency_ms=latency,
        answer_from=AnswerFrom(by) if by else None,
    )


def answer_values(key: bytes, reply: Answer, run: int, session: int) -> tuple[Any, ...]:
    text, finish, version = (
        storable(reply.text) or "",
        storable(reply.finish_reason) or "",
        storable(reply.model_version),
    )
    return with_crc((key, run, session, text, str(reply.stop), finish, version))


def answer_from(values: Iterable[Any]) -> StoredAnswer:
    """The answer in a record of ANSWER_COLUMNS; its usage is in `calls`, where it was paid."""
    _key, run, session, text, stop, finish, version = values
    return StoredAnswer(Answer(text, Stop(stop), finish, Usage(), version), run, session)


def call_values(call: Call, run: int, session: int) -> tuple[Any, ...]:
    send, usage = call.send, call.usage
    return with_crc(
        (
            run,
            session,
            send.request_id,
            storable(call.provider_request_id),
            send.row,
            send.id,
            send.chunk,
            str(send.purpose),
            send.attempt,
            send.sent_us,
            storable(call.model_version),
            call.http_status,
            None if call.error_code is None else str(call.error_code),
            storable(call.error),
            storable(call.finish_reason),
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.cache_write_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
            call.cost_units,
            call.at_risk_units,
            call.wait_ms,
            call.ttft_ms,
            call.latency_ms,
            send.tenant,
        )
    )


def send_values(send: Send, session: int) -> tuple[Any, ...]:
    return (
        send.request_id,
        session,
        send.row,
        send.id,
        send.chunk,
        str(send.purpose),
        send.attempt,
        send.sent_us,
        send.at_risk_units,
        send.tenant,
        send.model,
    )


def link_values(send: Send, key: bytes | None) -> tuple[Any, ...]:
    """LINK_COLUMNS of a call; `key`: of what came back."""
    return key, send.pages, send.model


def share_values(share: Share, request_id: str, place: int, run: int) -> tuple[Any, ...]:
    """SHARE_COLUMNS, with the checksum and the answer's key; `place` among the rows of the call, from 0."""
    usage = share.usage
    values = (
        request_id, place, run, share.row, share.id, share.chunk, usage.input_tokens, usage.cached_input_tokens,
        usage.cache_write_tokens, usage.output_tokens, usage.reasoning_tokens, share.cost_units,
    )  # fmt: skip
    return (*with_crc(values), share.answer)


def row_values(entry: RowEntry) -> tuple[Any, ...]:
    told = None if entry.document is None else json.encode(entry.document).decode()
    return (entry.row, entry.id, entry.doc, entry.problem, entry.tenant, entry.earlier, told)


def document_from(told: str | None) -> Document | None:
    """What a row tells of its file."""
    return None if told is None else json.decode(told, type=Document)


def beside_values(outcome: Outcome) -> tuple[Any, ...]:
    """What stands beside an outcome's record, in the order of BESIDE."""
    found, text = outcome.evidence, outcome.text
    return (
        _json(outcome.xml_conflicts) if outcome.xml_conflicts else None,
        None if found is None else packed(found),
        None if text is None else zlib.compress(text.encode("utf-8", "surrogatepass"), ZLIB_LEVEL),
        outcome.model,
        _json(outcome.models_tried) if outcome.models_tried else None,
        outcome.chunks_skipped or None,
        _json(outcome.chunk_numbers) if outcome.chunk_numbers else None,
    )


def _json(values: tuple[str, ...] | tuple[int, ...]) -> str:
    return orjson.dumps(values).decode()


def storable(text: str | None) -> str | None:
    """Text that SQLite can keep: a lone surrogate, which a model can write as an escape, becomes U+FFFD."""
    return None if text is None else repaired(text)
