"""The lines of a batch, run as they come due: in a thread, a slice at a time, by the wires that answer live calls."""

import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import JobError
from pipeline.sandbox.answers import answered
from pipeline.sandbox.batches.dialect import NO_LINE, Dialect, Ran
from pipeline.sandbox.batches.faults import falls
from pipeline.sandbox.batches.lines import LineFile
from pipeline.sandbox.batches.store import Batch, Fate
from pipeline.sandbox.counters import content_digest
from pipeline.sandbox.exchange import Answer, PageReader, Refused, Rules
from pipeline.sandbox.faults import Drawn, Fault
from pipeline.sandbox.prefixes import Prefixes

SLICE_S = 0.05
OF_LINES = {Fault.NONE, Fault.INVALID_OUTPUT, Fault.TRUNCATED, Fault.REFUSED, Fault.SERVER_ERROR}
FOREIGN = "somebody-elses-line"
USAGES = ("usage", "usageMetadata")


class Bill(Struct, frozen=True):
    """An answer that has to be paid for, and to what."""

    answer: Answer
    document: str
    content: bytes


class Done(Struct, frozen=True):
    """One line, as it is to be written down."""

    number: int
    error: bool
    bill: Bill | None
    answers: list[bytes]  # lines of the file of answers
    errors: list[bytes]


class Task(Struct, frozen=True):
    """A batch with its files. `errors` is `answers` where there is one file for both."""

    batch: Batch
    dialect: Dialect
    source: LineFile
    answers: LineFile
    errors: LineFile


class Work:
    """`draw`: the lot of a request with this digest."""

    def __init__(self, rules: Rules, read: PageReader, draw: Callable[[bytes], Drawn]) -> None:
        self._rules, self._read, self._draw = rules, read, draw
        self._prefixes = Prefixes()

    def slice(self, task: Task, due: int, now_s: float) -> list[Done]:
        """The next lines, to line `due` or for a moment. Runs in a thread."""
        ends_s = time.monotonic() + SLICE_S
        first, done = task.batch.settled, []
        for number, line in enumerate(task.source.read(range(first, due)), first):
            done.append(self._done(task, number, line, now_s))
            if time.monotonic() > ends_s:
                break
        return done

    def _done(self, task: Task, number: int, line: bytes, now_s: float) -> Done:
        batch, dialect = task.batch, task.dialect
        fate, bill = batch.fate(number), None
        ran = Ran(fate, _tag(batch, number))
        if fate is Fate.ANSWERED:
            ran, bill = self._ran(ran, task, line, now_s)
        elif fate is Fate.REFUSED:
            ran = replace(ran, status=500, body=orjson.loads(dialect.refusal(500, "The line could not be run.").body))
        is_error, told = dialect.told(dialect.name_of(_named(task, number, line)), _spoiled(batch, number, ran))
        lines = list(_delivered(task, number, told))
        return Done(number, ran.status >= 400, bill, [] if is_error else lines, lines if is_error else [])

    def _ran(self, ran: Ran, task: Task, line: bytes, now_s: float) -> tuple[Ran, Bill | None]:
        try:
            asked = task.dialect.asked(task.batch, line)
            wire, received = asked.wire, asked.received
            drawn = self._draw(blake2b(received.body, digest_size=16).digest())
            drawn = drawn if drawn.fault in OF_LINES else replace(drawn, fault=Fault.NONE)
            question = replace(wire.parse(received, self._read), stream=False)
            if drawn.fault is Fault.SERVER_ERROR:
                raise wire.broken(drawn.status)
        except Refused as refused:
            return replace(ran, status=refused.status, body=orjson.loads(refused.body)), None
        except JobError as error:  # no reader of PDFs is installed
            return replace(ran, status=400, body={"error": {"message": str(error)}}), None
        times = {"now_s": now_s, "unix_s": now_s}
        answer = answered(self._rules, self._prefixes, question, drawn, **times)
        body = orjson.loads(wire.whole(question, answer))
        bill = Bill(answer, question.document, content_digest(question.model, received.body))
        return replace(ran, status=200, body=body), bill


def _tag(batch: Batch, number: int) -> str:
    return blake2b(f"{batch.id} {number}".encode(), digest_size=12).hexdigest()


def _named(task: Task, number: int, line: bytes) -> bytes:
    """The line that gives it its name: a neighbour's, where both were swapped."""
    batch, other = task.batch, number ^ 1
    if other < batch.plan.count and falls(batch.seed, "swapped", number & ~1, batch.lines.swapped):
        return next(task.source.read([other]))
    return line


def _spoiled(batch: Batch, number: int, ran: Ran) -> Ran:
    if falls(batch.seed, "null", number, batch.lines.null):
        return replace(ran, null=True)
    if isinstance(ran.body, dict) and falls(batch.seed, "no_usage", number, batch.lines.no_usage):
        return replace(ran, body={name: value for name, value in ran.body.items() if name not in USAGES})
    return ran


def _delivered(task: Task, number: int, told: Any) -> Iterator[bytes]:  # noqa: ANN401 (any JSON value)
    """What stands in the file of it."""
    batch = task.batch

    def suffers(what: str) -> bool:
        return falls(batch.seed, what, number, getattr(batch.lines, what))

    if told is NO_LINE:
        return
    line = orjson.dumps(told)
    if suffers("foreign"):
        yield orjson.dumps(task.dialect.told(FOREIGN, Ran(Fate.EXPIRED, "0" * 24))[1])
    if suffers("garbled"):
        yield line[: len(line) // 2]
    elif not suffers("missing"):
        yield from [line, line] if suffers("duplicated") else [line]
