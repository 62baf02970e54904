"""A ledger that is kept in another process, over a line in memory."""

import asyncio

import pytest

from pipeline.engine.ask import Delivered, RowLife
from pipeline.engine.call import Caller
from pipeline.ledger.key_filter import Keys
from pipeline.ledger.records import Call, Send, StoredAnswer
from pipeline.ledger.remote import (
    Durable,
    Intended,
    Looked,
    OnRecord,
    Recorded,
    RemoteLedger,
    packed_keys,
    unpacked_keys,
)
from pipeline.types import Answer, Purpose, Stop, Usage

KEY, OTHER = b"k" * 16, b"o" * 16
SEND = Send("a1", 3, "r3", 0, Purpose.EXTRACT, 1, 17, 18, None)
CALL = Call(SEND, 5, 6, Usage(1, 2), 7)
REPLY = Answer("{}", Stop.DONE, "stop", Usage(1, 2), "v1")


def on_loop(test):
    async def main():
        sent = []
        await test(RemoteLedger(sent.append, 4, packed_keys(Keys()), {}), sent)

    asyncio.run(main())


def test_nothing_counts_as_kept_before_the_other_end_says_so():
    """A call waits for its name to be durable, by number; others wait on."""

    async def test(ledger, sent):
        first, second = ledger.intend(SEND), ledger.record(CALL, KEY, REPLY)
        await asyncio.sleep(0)
        assert (first.done(), second.done()) == (False, False)
        assert [type(one) for one in sent] == [Intended, Recorded]
        ledger.heard(Durable([sent[0].number]))
        assert (first.done(), second.done()) == (True, False)
        assert ledger.unacknowledged == [second]
        ledger.heard(Durable([sent[1].number]))
        assert (second.done(), ledger.unacknowledged) == (True, [])

    on_loop(test)


def test_only_what_may_be_on_record_is_asked_about():
    """What this worker has recorded itself may be; of the rest the filter knows, as far as there is one."""

    async def test(ledger, sent):
        assert ledger.answer(KEY) is None
        assert sent == []
        ledger.record(CALL, KEY, REPLY)
        look = ledger.answer(KEY)
        assert sent[-1] == Looked(sent[-1].number, KEY)
        stored = StoredAnswer(REPLY, 4, 9)
        ledger.heard(OnRecord(sent[-1].number, stored))
        assert await look is stored
        assert ledger.answer(OTHER) is None
        without = RemoteLedger(sent.append, 4, None, {1: b"a", 2: b"b", 3: b"a"})
        assert isinstance(without.answer(OTHER), asyncio.Future)

    on_loop(test)


def test_a_filter_arrives_as_it_was():
    """And small, where little is on record."""
    keys = Keys()
    keys.add(KEY)
    packed = packed_keys(keys)
    assert len(packed) < 100_000
    assert KEY in unpacked_keys(packed)
    assert OTHER not in unpacked_keys(packed)


class OnceLane:
    """Answers once; a second request for the same is one too many."""

    def __init__(self):
        self.asked = 0

    async def answer(self, _request, _life):
        self.asked += 1
        await asyncio.sleep(0)
        return Delivered(REPLY, asyncio.get_running_loop().create_future())


@pytest.mark.parametrize("rows", [2, 5])
def test_twins_that_look_at_the_same_time_ask_once(rows):
    """While one waits for the ledger's word, another may have begun to ask."""

    class Key:
        key = KEY

    async def main():
        sent, lane = [], OnceLane()
        ledger = RemoteLedger(sent.append, 4, None, {1: b"a", 2: b"b", 3: b"a"})
        caller = Caller(ledger, lane)
        asking = [asyncio.create_task(caller.ask(Key, RowLife(), lambda _: True)) for _ in range(rows)]
        for _ in range(3):
            await asyncio.sleep(0)
            while sent:
                ledger.heard(OnRecord(sent.pop().number, None))
        assert await asyncio.gather(*asking) == [REPLY] * rows
        assert lane.asked == 1

    asyncio.run(main())


def test_the_jobs_of_earlier_runs_are_known_without_asking():
    """Each once, in the order of the runs that are asked about; of a run that nobody knows there is none."""
    sent = []

    async def script():
        return RemoteLedger(sent.append, 4, None, {1: b"a", 2: b"b", 3: b"a"}).salts_of([3, 1, 2, 9])

    assert asyncio.run(script()) == [b"a", b"b"]
    assert sent == []
