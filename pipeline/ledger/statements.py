"""What is written to a ledger, as SQL with its values: each function gives the statements of one transaction. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.ledger import nights, records
from pipeline.ledger.batches import settled
from pipeline.ledger.records import BESIDE, Call, Send, Share
from pipeline.types import Answer, Outcome

Statement = tuple[str, tuple[Any, ...]]
Answers = Sequence[tuple[bytes, Answer]]  # by the keys of their requests


def insert(table: str, columns: Sequence[str], extra: str = "", verb: str = "INSERT") -> str:
    names = ", ".join(columns)
    return f"{verb} INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))}) {extra}"


SEND = insert("sends", records.SEND_COLUMNS)
UNSHARE = "DELETE FROM shares WHERE request_id = ?"
SETTLE = "DELETE FROM sends WHERE request_id = ?"
CALL_COLUMNS = (*records.CALL_COLUMNS, "crc", *records.LINK_COLUMNS)
CALL = insert("calls", CALL_COLUMNS)
SHARE = insert("shares", (*records.SHARE_COLUMNS, "crc", "answer"), verb="INSERT OR REPLACE")
LINE_CALL = (
    f"INSERT INTO calls ({', '.join(CALL_COLUMNS)}, batch) "  # noqa: S608 (own names)
    f"VALUES ({'?, ' * len(CALL_COLUMNS)}(SELECT batch FROM batch_items WHERE name = ?))"
)
ANSWER = insert("answers", (*records.ANSWER_COLUMNS, "crc"), verb="INSERT OR REPLACE")
ROW_COLUMNS = ("row", "id", "doc", "problem", "tenant", "earlier", "document")
ROW = insert("rows", ROW_COLUMNS, verb="INSERT OR REPLACE")
UNREAD = insert(
    "rows",
    ROW_COLUMNS,
    "ON CONFLICT (row) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ROW_COLUMNS[1:])
    + " WHERE rows.id != excluded.id",
)
RUN = insert(
    "runs", ("request_hash", "doc_hash", "input_fingerprint", "started_us", "provider", "model", "columns", "id_column")
)
OUTCOME = insert(
    "outcomes",
    (*records.OUTCOME_COLUMNS, "crc", *BESIDE),
    # A success is final: the same content under the same job has nothing better to become.
    "ON CONFLICT(doc) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*records.OUTCOME_COLUMNS[1:], "crc", *BESIDE))
    + " WHERE outcomes.status != 'ok'",
)


def named(send: Send, run: int, session: int, shares: Sequence[Share]) -> list[Statement]:
    """A request that is about to leave. `shares`: of one about several rows, with nothing spent yet."""
    return [(SEND, records.send_values(send, session)), *_shares(send.request_id, run, shares)]


def withdrawn(request_id: str) -> list[Statement]:
    """One that never left."""
    return [(SETTLE, (request_id,)), (UNSHARE, (request_id,))]


def ended(
    call: Call, run: int, session: int, answers: Answers, *, shares: Sequence[Share] = (), link: bytes | None = None
) -> list[Statement]:
    """An attempt, and what it brought. `link`: the key of the one answer that is its own."""
    values = (*records.call_values(call, run, session), *records.link_values(call.send, link))
    return [
        (CALL, values),
        *_shares(call.send.request_id, run, shares),
        (SETTLE, (call.send.request_id,)),
        *_answers(answers, run, session),
    ]


def line_ended(call: Call, fate: str, run: int, session: int, answers: Answers, link: bytes | None) -> list[Statement]:
    """A line of a batch: its call, its answer if it has one, and its fate."""
    name, code = call.send.request_id, None if call.error_code is None else str(call.error_code)
    values = (*records.call_values(call, run, session), *records.link_values(call.send, link), name)
    return [(LINE_CALL, values), *_answers(answers, run, session), settled(name, fate, code, call.error)]


def concluded(outcome: Outcome, run: int, session: int, paid_as: Sequence[bytes]) -> list[Statement]:
    """Where a row's content ended. `paid_as`: the content under other jobs, whose answers the outcome was made of."""
    values = (*records.outcome_values(outcome, run, session), *records.beside_values(outcome))
    if not paid_as:
        return [(OUTCOME, values)]
    inherit = nights.INHERIT.format(marks=", ".join("?" * len(paid_as)))
    return [(OUTCOME, values), (inherit, (outcome.doc, *paid_as))]


def _shares(request_id: str, run: int, shares: Sequence[Share]) -> Iterable[Statement]:
    return ((SHARE, records.share_values(one, request_id, place, run)) for place, one in enumerate(shares))


def _answers(answers: Answers, run: int, session: int) -> Iterable[Statement]:
    return ((ANSWER, records.answer_values(key, reply, run, session)) for key, reply in answers)
