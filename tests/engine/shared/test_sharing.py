"""Runs of one account on one machine: who keeps the limits, who asks, and what becomes of them when one is gone."""

import asyncio
import contextlib
import os
import socket
from decimal import Decimal

import pytest

from pipeline import console
from pipeline.admission.charges import Need, Used
from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.queue import Admission
from pipeline.admission.report import NEVER_SENT, CallEnd, Report
from pipeline.engine.shared import sharing as sharing_module
from pipeline.engine.shared.place import place_of
from pipeline.engine.shared.sharing import Sharing
from pipeline.types import Dimension, LimitSeen

OK = Report(Used(1, 1, Decimal(0)), CallEnd.ANSWERED)
NEED = Need(1, 1, Decimal(0))


class Given:
    """The needs of tests: what is asked for is the need."""

    def of(self, request):
        return request

    def observe(self, *_):
        """Nothing is learned."""


class Run:
    """One run, as far as limits go."""

    def __init__(self, folder, version="1", **rules):
        self.governor = Governor(LimitRules(**{"concurrency": 4, **rules}))
        self.admission = Admission(self.governor, Given(), asyncio.get_running_loop().time)
        place = place_of("account", {"XDG_RUNTIME_DIR": str(folder)})
        self.sharing = Sharing(place, self.admission, self.governor, version)

    async def __aenter__(self):
        await self.sharing.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self.sharing.__aexit__(*error)

    @property
    def role(self):
        return self.sharing.role

    async def call(self, report=OK):
        self.admission.finish(await self.admission.admit(NEED), report)

    def die(self):
        """As the kernel sees it: the lock is free, and the lines are cut, with nothing said."""
        sharing, self.sharing = self.sharing, contextlib.AsyncExitStack()
        os.close(sharing._lock)
        sharing._server.close()
        for seat in list(sharing._keeping._seats):
            seat.line._transport.abort()


@pytest.fixture
def folder(tmp_path_factory):
    """With a short path."""
    return tmp_path_factory.mktemp("r")


def run(main):
    """To its end, or to the end of patience."""
    asyncio.run(asyncio.wait_for(main(), 30))


async def until(true):
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 (what it waits for tells nobody)
            await asyncio.sleep(0.001)


def test_a_run_alone_asks_nobody(folder):
    async def main():
        async with Run(folder) as run:
            await run.call()
            assert (run.role, run.governor.asks, run.sharing.events) == ("alone", False, [])
        assert list((folder / "pipeline").iterdir()) == []

    run(main)


def test_the_second_asks_the_first_and_both_count(folder):
    """In flight of one account; each has its own slots; what one learns of limits the other goes by."""

    async def main():
        async with Run(folder) as first, Run(folder) as second:
            assert (first.role, second.role) == ("keeps", "asks")
            limits = first.governor.limits
            tickets = [await run.admission.admit(NEED) for run in (first, second, second)]
            assert (limits.in_flight, limits.concurrency, second.admission.in_flight) == (3, 8, 2)
            first.admission.finish(tickets[0], OK)
            seen = (LimitSeen(Dimension.REQUESTS, 600.0, 300.0, None),)
            second.admission.finish(tickets[1], Report(OK.used, OK.end, seen))
            second.admission.finish(tickets[2], OK)
            await until(lambda: limits.in_flight == 0)
            assert limits.views(asyncio.get_running_loop().time())[0].limit_per_minute == 600.0
            await until(lambda: second.admission.snapshot().dimensions)
            assert second.admission.snapshot().dimensions[0].limit_per_minute == 600.0
        assert [one["role"] for one in second.sharing.events] == ["asks"]
        assert [one["role"] for one in first.sharing.events] == ["keeps"]

    run(main)


def test_more_calls_than_go_at_once_all_go(folder):
    """Through the socket, in any order."""

    async def main():
        async with Run(folder) as first, Run(folder) as second, Run(folder) as third:
            await asyncio.gather(*(run.call() for run in (first, second, third) for _ in range(100)))
            await until(lambda: first.governor.limits.in_flight == 0)
            assert first.governor.limits._dimensions._totals.admitted[0] == 300

    run(main)


def test_when_the_one_that_keeps_them_ends_another_does(folder):
    """With what was learned, and the calls that are out by its leave."""

    async def main():
        async with Run(folder) as second_ends_last:
            del second_ends_last
        first = await Run(folder, requests_per_minute=600).__aenter__()
        async with Run(folder) as second, Run(folder) as third:
            ticket = await second.admission.admit(NEED)
            await first.__aexit__(None, None, None)
            await until(lambda: sorted([second.role, third.role]) == ["asks", "keeps"])
            keeper = second if second.role == "keeps" else third
            assert keeper.governor.limits.in_flight == 1
            assert keeper.governor.limits.gone == 0
            second.admission.finish(ticket, OK)
            await until(lambda: keeper.governor.limits.in_flight == 0)
            await asyncio.gather(*(run.call() for run in (second, third) for _ in range(20)))

    run(main)


def test_when_it_dies_nobody_hangs(folder):
    """Those who wait get their turn, each call is finished once, and the dead one's calls may hold slots yet."""

    async def main():
        first = await Run(folder, requests_per_minute=6000).__aenter__()
        async with Run(folder) as second, Run(folder) as third:
            await first.admission.admit(NEED)
            await until(lambda: second.sharing._asking.state and second.sharing._asking.state.in_flight == 1)
            calls = [asyncio.create_task(run.call()) for run in (second, third) for _ in range(50)]
            await asyncio.sleep(0)
            first.die()
            await asyncio.gather(*calls)
            await until(lambda: {second.role, third.role} == {"asks", "keeps"})
            keeper = second if second.role == "keeps" else third
            assert keeper.governor.limits.gone == 1
            await until(lambda: keeper.governor.limits.in_flight == 0)
            assert second.governor.in_flight == third.governor.in_flight == 0

    run(main)


def test_when_one_that_asks_dies_its_calls_are_settled_at_their_worst(folder):
    """And its concurrency goes with it."""

    async def main():
        async with Run(folder, requests_per_minute=600) as first:
            second = await Run(folder).__aenter__()
            await second.admission.admit(NEED)
            limits = first.governor.limits
            await until(lambda: limits.in_flight == 1)
            asking = second.sharing._asking
            line, asking._line = asking._line, None  # it does not come again
            line._transport.abort()
            await until(lambda: first.role == "alone")
            assert (limits.in_flight, limits.concurrency, first.governor.asks) == (0, 4, False)
            assert limits.views(asyncio.get_running_loop().time())[0].level == 599
            await second.__aexit__(None, None, None)

    run(main)


def test_a_call_that_is_given_up_gives_back_its_place(folder):
    """Before it was granted, and as the word is on its way."""

    async def main():
        async with Run(folder) as first, Run(folder) as second:
            for turns in range(12):
                task = asyncio.create_task(second.admission.admit(NEED))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    second.admission.finish(await task, NEVER_SENT)
            await second.call()
            await until(lambda: first.governor.limits.in_flight == 0)
            assert second.governor.in_flight == 0

    run(main)


def said(capsys):
    return capsys.readouterr().err


def test_another_version_is_not_shared_with_and_that_is_said(folder, capsys):
    async def main():
        with console.speaking("text"):
            async with Run(folder) as first, Run(folder, version="2") as second:
                await second.call()
                assert (first.role, second.role) == ("alone", "alone")

    run(main)
    assert "the run that keeps them is of version 1, and this one of 2" in said(capsys)


def test_one_that_says_nothing_is_waited_for_no_longer_than_five_seconds(folder, capsys, monkeypatch):
    """A run that was stopped has the lock, and its socket takes connections."""
    monkeypatch.setattr(sharing_module, "JOIN_S", 0.05)

    async def main():
        place = place_of("account", {"XDG_RUNTIME_DIR": str(folder)})
        kept, silent = sharing_module.taken(place.lock), sharing_module.listening(place.socket)
        silent.listen()
        with console.speaking("text"):
            async with Run(folder) as run:
                await run.call()
                assert run.role == "alone"
        silent.close()
        os.close(kept)

    run(main)
    assert "the run that keeps them does not answer" in said(capsys)


def test_one_that_falls_silent_is_left(folder, capsys, monkeypatch):
    monkeypatch.setattr(sharing_module, "SILENT_S", 0.2)
    monkeypatch.setattr(sharing_module, "LISTEN_EVERY_S", 0.05)

    async def main():
        with console.speaking("text"):
            async with Run(folder) as first, Run(folder) as second:
                first.sharing._keeping._ticking.cancel()
                first.sharing._keeping.hub.pump = lambda: None
                waiting = asyncio.create_task(second.call())
                await asyncio.wait_for(waiting, 5)
                assert second.role == "alone"

    run(main)
    assert "has said nothing for" in said(capsys)


def test_garbage_on_the_socket_is_cut_off(folder):
    """Whoever of this user's processes it comes from."""

    async def main():
        async with Run(folder) as run:
            place = place_of("account", {"XDG_RUNTIME_DIR": str(folder)})
            for data in (b"\xff\xff\xff\xff", b"\0\0\0\3abc", b"GET / HTTP/1.1\r\n\r\n" * 1000, b"\0\0\0\1\x91"):
                reader, writer = await asyncio.open_unix_connection(place.socket)
                writer.write(data)
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()
            await run.call()
            assert run.role == "alone"

    run(main)


def test_what_a_killed_run_has_left_is_in_nobodys_way(folder):
    """Its socket, to which nobody listens, and its lock, which nobody has."""
    place = place_of("account", {"XDG_RUNTIME_DIR": str(folder)})
    sharing_module.listening(place.socket).close()
    place.lock.touch()

    async def main():
        async with Run(folder) as first, Run(folder) as second:
            assert (first.role, second.role) == ("keeps", "asks")

    run(main)
    assert not place.socket.exists()
    assert socket.AF_UNIX
