"""What a ledger's answers tell of those to come: how large each question was by our count, and what it used."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.commands.estimate.counted import History, Seen
from pipeline.commands.estimate.measure import ROWS_MEASURED_AT_ONCE, RequestOverhead, other_text, overhead_of, piece_of
from pipeline.extraction.hashes import content_key
from pipeline.extraction.prepare import Prepared
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.queries import LEAST_ANSWERED, MOST_ANSWERED, last_answered
from pipeline.types import Purpose, Row, Usage


class _Question(Struct):
    """All answers to one chunk of one row, in the order they came."""

    doc: bytes | None  # the row's content, where it is a row of the last run
    chunk: int
    files: bool = False
    usages: list[tuple[str, Usage]] = field(default_factory=list)  # with the purpose


def history(prepared: Prepared) -> History | None:
    """Answers already on record for this very form of question, when there are enough to speak of.

    Those whose documents are in this input are counted as we count, so that the provider's way of counting is known
    too. Where they are too few, the sizes that the provider reported stand for ours.
    """
    ledger = prepared.ledger_path
    if not ledger.exists():
        return None
    with reading(ledger) as db:
        questions, latencies = _questions(db, prepared.plan.request_hash, packs=prepared.packed is not None)
    if len(questions) < LEAST_ANSWERED:
        return None
    plain = not (prepared.plan.two_step or prepared.plan.summary_tokens or prepared.plan.rounds)
    own = _own_tokens(prepared, questions)
    seen = [
        _seen(question, own[question.doc, question.chunk], plain=plain)
        for question in questions
        if question.doc is not None and (question.doc, question.chunk) in own
    ]
    middle = sorted(latencies)[len(latencies) // 2] / 1000 if latencies else None
    if len(seen) >= LEAST_ANSWERED:
        return History(tuple(seen), own=True, latency_s=middle)
    others = [_seen(question, 0.0, plain=plain) for question in questions]
    return History(tuple(_as_reported(others) if plain else others), own=False, latency_s=middle)


def _questions(db: Connection, request_hash: bytes, *, packs: bool) -> tuple[list[_Question], list[int]]:
    found: dict[tuple[int, int, int], _Question] = {}
    latencies: list[int] = []
    for call in last_answered(db, request_hash, MOST_ANSWERED, packs=packs):
        question = found.setdefault((call.run, call.row, call.chunk), _Question(call.doc, call.chunk))
        question.files = question.files or call.files
        question.usages.append((call.purpose, call.usage))
        if call.latency_ms is not None:
            latencies.append(call.latency_ms)
    return list(found.values()), latencies


def _seen(question: _Question, own_tokens: float, *, plain: bool) -> Seen:
    """A question is asked once, and all that comes after is asking again; or (not `plain`) only repairs are."""
    first: list[Usage] = []
    again: list[Usage] = []
    for place, (purpose, usage) in enumerate(question.usages):
        (again if purpose == Purpose.REPAIR or (plain and place > 0) else first).append(usage)
    return Seen(own_tokens, sum(first, Usage()), sum(again, Usage()), len(again), question.files)


def _as_reported(seen: Sequence[Seen]) -> Iterable[Seen]:
    return (replace(one, own_tokens=one.first.input_tokens) for one in seen)


def _own_tokens(prepared: Prepared, questions: Sequence[_Question]) -> Mapping[tuple[bytes, int], float]:
    """(content, chunk) → input tokens by our count, of the questions whose rows are in this input."""
    wanted = {question.doc for question in questions if question.doc is not None}
    own: dict[tuple[bytes, int], float] = {}
    question = overhead_of(prepared)
    for rows in prepared.source.batches(ROWS_MEASURED_AT_ONCE) if wanted else ():
        for row in rows:
            doc = None if row.problem else content_key(prepared.plan, row)
            if doc in wanted:
                wanted.discard(doc)
                own.update(((doc, number), tokens) for number, tokens in _tokens(prepared, question, row))
        if not wanted:
            break
    return own


def _tokens(prepared: Prepared, question: RequestOverhead, row: Row) -> Iterable[tuple[int, float]]:
    """(number, tokens) of each chunk."""
    others = prepared.counter.count(other_text(prepared.plan, row))
    return ((chunk.number, question.tokens(others, piece_of(chunk))) for chunk in prepared.chunks_of(row, exact=True))
