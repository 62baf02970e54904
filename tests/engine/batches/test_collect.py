"""Result lines onto the books: each once, and never in the way of the event loop."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace

from pipeline.engine.batches.collect import AT_ONCE, Books, Collector
from pipeline.ledger.batches import OUT, BatchItem, BatchRecord
from pipeline.providers.batches import BatchLine, Fate, RemoteBatch, RemoteState
from pipeline.providers.credentials.secret import Secret

COUNT = 3 * AT_ONCE + 1
BATCH = BatchRecord("b0", 1, 1, "openai", "", "m", OUT, COUNT, 0, 0, 0, remote_id="batch_1")
SEEN = RemoteBatch("batch_1", RemoteState.ENDED, "x", inlined=tuple(b"%d" % n for n in range(COUNT)) * 2)


class Ledger:
    path = Path("/nowhere/ledger.sqlite")

    def __init__(self):
        self.settled = []

    async def items_of(self, nonce):  # noqa: ARG002 (there is one)
        return {f"{n}": BatchItem(f"{n}", b"%d" % n, n, f"r{n}", 0, "extract", 1, None, 5) for n in range(COUNT)}

    def settle_line(self, call, fate, run, key, reply):  # noqa: ARG002 (none came)
        self.settled.append((call.send.request_id, fate))
        durable = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(durable.set_result, None)
        return durable


def test_lines_are_read_aside_and_settled_once_in_small_pieces():
    """Each stands twice in what came."""
    readers = set()

    class Remote:
        wire = SimpleNamespace(results=lambda _: ())

        async def secret(self):
            return Secret("sk-of-tests-and-nothing-else")

    def read(line):
        readers.add(threading.get_ident())
        return BatchLine(line.decode(), Fate.EXPIRED)

    async def collected():
        at_once = 0

        async def beating():
            nonlocal at_once
            while True:
                before = len(ledger.settled)
                await asyncio.sleep(0)
                at_once = max(at_once, len(ledger.settled) - before)

        beat = asyncio.create_task(beating())
        lost = await collector.collect(BATCH, SEEN, 0.0)
        beat.cancel()
        return lost, at_once

    ledger = Ledger()
    money, tally = SimpleNamespace(let_go=lambda *_: None), SimpleNamespace(called=lambda _: None)
    remote = Remote()
    remote.wire.read = read
    books = Books(ledger, money, tally, None, {})
    collector = Collector(remote, None, books)
    assert asyncio.run(collected()) == (0, AT_ONCE)
    assert sorted(ledger.settled) == sorted((f"{n}", "expired") for n in range(COUNT))
    assert threading.get_ident() not in readers
    assert (collector.unanswered, len(books.refused)) == (COUNT, COUNT)
