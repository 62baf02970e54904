"""What workers say of files is looked up all at once, and each row is begun, dropped or left; nobody waits for ever."""

import asyncio
from types import SimpleNamespace

from pipeline.codes import Status
from pipeline.documents.sources.file_refs import FileRef
from pipeline.engine.feed import Decided, RowTask
from pipeline.engine.ray.deciding import RowDecider
from pipeline.engine.ray.messages import RowDecided, RowRead
from pipeline.engine.ray.rows import RowQueue
from pipeline.engine.ray.seat import Seat
from pipeline.errors import LedgerError
from pipeline.ledger.records import RowEntry
from pipeline.parts import text_parts
from pipeline.telemetry.tally import Tally
from pipeline.types import Outcome, Row


class Looked:
    """As `Decisions`: every row that has content is to be done; `error` is what a look raises."""

    plans = ()
    error = None

    def close(self):
        pass

    def of(self, keyed, _earlier):
        if self.error is not None:
            raise self.error
        return [
            Decided(RowEntry(row.index, row.id, doc, row.problem, None), doc and RowTask(row, doc, (), 7), None)
            for row, doc in keyed
        ]


class Run:
    """Who gives rows out, and all that `RowDecider` is lent."""

    def __init__(self):
        self.entered, self.errors, self.queue, self.tally = [], [], RowQueue(), Tally()
        ledger = SimpleNamespace(enter_rows=self.entered.extend, enter_unread=self.entered.extend)
        self.decider = RowDecider(SimpleNamespace(ledger=ledger, tally=self.tally), self.queue, self)
        self.decider._decisions = self.looked = Looked()
        self.seats = [self.seat(number) for number in (1, 2)]

    def seat(self, number):
        said = []
        return Seat(number, SimpleNamespace(send=said.append, said=said), None, None)

    def given(self, seat, row):
        """A row that a worker has been given, unread."""
        seat.given(RowTask(Row(row, f"r{row}", text_parts(""), None, {}), b"", (), file=FileRef("a.pdf", size=5)))

    def read(self, seat, row, doc):
        self.decider.told(seat, RowRead(row, doc, None if doc else "broken", None, 100))

    async def decided(self):
        if self.decider._deciding is not None:
            await asyncio.wait([self.decider._deciding])
            await asyncio.sleep(0)  # and what is done when it ends

    def row_dropped(self, seat, row):
        seat.back(row)

    def cannot_write(self, error):
        self.errors.append(error)

    broke = cannot_write

    def changed(self):
        pass


def played(script):
    async def main():
        run = Run()
        await script(run, *run.seats)
        await run.decided()
        await run.decider.close()
        return run

    return asyncio.run(main())


def test_of_two_that_are_equal_one_is_begun():
    """The other one's worker forgets it, and its row waits for the outcome."""

    async def script(run, first, second):
        run.given(first, 1)
        run.given(second, 2)
        run.read(first, 1, b"a")
        run.read(second, 2, b"a")

    run = played(script)
    first, second = run.seats
    assert (first.channel.said, second.channel.said) == ([RowDecided(1, 7)], [RowDecided(2)])
    assert (list(first.rows), list(second.rows), first.size, second.size) == ([1], [], 100, 0)
    assert [entry.doc for entry in run.entered] == [b"a", b"a"]
    ended = Outcome(b"a", 1, Status.OK)
    assert [one.row.index for one in run.queue.ended(first.rows[1], ended)] == [2]


def test_what_has_ended_since_somebody_looked_is_counted_and_not_begun():
    async def script(run, first, _second):
        run.given(first, 1)
        run.queue.recent.add(Outcome(b"a", 9, Status.OK))
        run.read(first, 1, b"a")

    run = played(script)
    assert (run.seats[0].channel.said, run.tally.ok) == ([RowDecided(1)], 1)


def test_a_file_that_cannot_be_read_is_entered_and_counted():
    async def script(run, first, _second):
        run.given(first, 1)
        run.read(first, 1, None)

    run = played(script)
    assert [(entry.doc, entry.problem) for entry in run.entered] == [(None, "broken")]
    assert (run.tally.failed, run.seats[0].channel.said) == ({"bad_row": 1}, [RowDecided(1)])


def test_where_the_ledger_cannot_be_asked_every_row_is_given_back():
    """Also those that came meanwhile: a worker that waits for a word would wait for ever."""

    async def script(run, first, second):
        run.looked.error = LedgerError("damaged")
        run.given(first, 1)
        run.given(second, 2)
        run.read(first, 1, b"a")
        await asyncio.sleep(0)
        run.read(second, 2, b"b")

    run = played(script)
    assert [seat.channel.said for seat in run.seats] == [[RowDecided(1)], [RowDecided(2)]]
    assert [str(error) for error in run.errors] == ["damaged"]
    assert run.entered == []


def test_rows_that_nobody_came_to_are_pending_under_a_key_of_their_own():
    async def script(run, _first, _second):
        rows = [Row(place, f"r{place}", text_parts(""), "acme", {}) for place in (1, 2)]
        run.decider.enter_unread(RowTask(row, b"", (), file=FileRef("a.pdf")) for row in rows)

    entries = played(script).entered
    assert [(entry.row, entry.id, entry.problem, entry.tenant) for entry in entries] == [
        (1, "r1", None, "acme"),
        (2, "r2", None, "acme"),
    ]
    assert len({entry.doc for entry in entries}) == 2
