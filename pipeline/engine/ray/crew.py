"""The workers of a run on a cluster: started, told what they need, replaced when they die, and dismissed at the end."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

from pipeline.codes import ParkReason
from pipeline.console import say
from pipeline.engine.feed import RowTask
from pipeline.engine.frames import Frames
from pipeline.engine.ray import room
from pipeline.engine.ray.books import ServedLedger
from pipeline.engine.ray.errand import Kit, errand_of
from pipeline.engine.ray.held import HeldSlots
from pipeline.engine.ray.link import Link
from pipeline.engine.ray.messages import (
    Bye,
    Dismissed,
    Entrusted,
    FromCarrier,
    Here,
    Pulse,
    Ready,
    RowBroke,
    RowEnded,
    RowLeft,
    RowRead,
    Trusted,
    Unfit,
)
from pipeline.engine.ray.places import (
    ClusterOpen,
    ClusterShut,
    EndSeat,
    FromBridge,
    OpenCluster,
    SeatDraining,
    SeatLost,
    SeatTaken,
    StartSeat,
)
from pipeline.engine.ray.seat import Seat, Told
from pipeline.engine.ray.sources import NEEDS, sources_of
from pipeline.engine.ray.versions import difference, versions
from pipeline.engine.workers.facts import ended_fact
from pipeline.engine.workers.messages import Admit, Finish, Leave, ModelHealth, RunStopped, StopRun
from pipeline.engine.workers.served import ServedGate
from pipeline.errors import JobError, LedgerError
from pipeline.extraction.plan import Plan
from pipeline.ledger.remote import Intended, Looked, Recorded, Withdrawn
from pipeline.telemetry.workers import LOST

OPEN_S = 60.0  # for the cluster to answer; Ray itself would wait for two minutes, and then end the process
BYE_S = 10.0
DEATHS_MOST = 3  # beyond one for each worker, before any could begin
HOW = (
    "See that it is up (ray status), and that this machine may reach it, has its version of Ray, and its token where "
    "it asks for one (RAY_AUTH_TOKEN)"
)
GONE = "the Ray cluster is out of reach: its head, or the process that speaks to it, is gone"


class Crew:
    """All workers of a run."""

    def __init__(self, kit: Kit, told: Told) -> None:
        self._kit = kit
        self._told = told
        self._admission = kit.admission
        self._sources: Mapping[str, str] = {}  # of the job's own files, as of the run's beginning
        self._link = Link(self._bridge_said, self._bridge_gone)
        self._frames = Frames[FromCarrier](FromCarrier)
        self._opened: asyncio.Future[ClusterOpen | str] = asyncio.get_running_loop().create_future()
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._booking: set[asyncio.Task[None]] = set()
        self._held = HeldSlots(kit.longest_call_s)
        self._unborn = 0  # workers that died before they could begin, since one could
        self._soon_until_s = 0.0  # those who have not come by then are not reckoned with
        self._earlier: Sequence[Plan] = ()
        self._over = False  # nobody is replaced any more
        self.seats: dict[int, Seat] = {}
        self.past: list[dict[str, Any]] = []  # workers that are no more, as run.json tells them

    async def open(self, earlier: Sequence[Plan]) -> None:
        """Reach the cluster, and ask it for the workers. `earlier`: plans of earlier jobs, for rows that are files.

        Raises:
            JobError: it cannot be used.
        """
        self._earlier = earlier
        self._sources = sources_of(self._kit.prepared.job)
        engine = self._kit.prepared.job.engine
        await self._link.start(self._kit.without_secrets())
        at = "of this machine" if engine.address == "auto" else f"at {engine.address}"
        say("notice", f"reaching the Ray cluster {at}, for {OPEN_S:g} s at the most")
        self._link.send(OpenCluster(engine.address, engine.cpus_per_worker))
        found: ClusterOpen | str
        try:
            async with asyncio.timeout(OPEN_S):
                found = await asyncio.shield(self._opened)
        except TimeoutError:
            found = f"no answer within {OPEN_S:g} s"
        if isinstance(found, str):
            raise JobError(f"the Ray cluster {at} cannot be used, and nothing was sent: {found}. {HOW}")
        free = f"{found.free_cpus:g} of {found.cpus:g} CPUs free"
        some = f"{engine.workers} worker{'' if engine.workers == 1 else 's'}"
        say("notice", f"{some} on the Ray cluster at {found.address}: Ray {found.version}, {free}")
        self._soon_until_s = asyncio.get_running_loop().time() + room.ROOM_S
        for _ in range(engine.workers):
            self._start()
        self._spawn(room.watch_room(self._kit, self.seats, engine.workers), self._tasks)

    @property
    def sharing(self) -> int:
        """Workers that the rows are for: those that take some, and for a while those that may yet come."""
        soon = asyncio.get_running_loop().time() < self._soon_until_s
        return sum(not seat.leaving and (soon or bool(seat.prefixes)) for seat in self.seats.values())

    @property
    def busy(self) -> bool:
        """Whether a row is out, or what a lost worker had is not yet given back."""
        return any(seat.rows for seat in self.seats.values()) or any(not task.done() for task in self._booking)

    @property
    def left(self) -> list[RowTask]:
        """What was given to workers and has not ended."""
        return [task for seat in self.seats.values() for task in seat.rows.values()]

    def tell(self, message: RunStopped | ModelHealth) -> None:
        for seat in self.seats.values():
            seat.channel.send(message)

    def facts(self) -> list[dict[str, Any]]:
        """Every worker that there was, as run.json tells it."""
        return [*self.past, *(seat.fact() for seat in self.seats.values() if seat.node)]

    async def leave(self, *, cut: bool) -> None:
        """Let each keep what it has, and end; `cut`: what is open is cut off."""
        self._over = True
        working = [seat for seat in self.seats.values() if seat.prefixes]
        for seat in working:
            seat.channel.send(Dismissed(cut))
        byes = [asyncio.create_task(seat.gone.wait()) for seat in working]
        if byes:
            await asyncio.wait(byes, timeout=BYE_S)
        for task in (*byes, *self._tasks):
            task.cancel()
        for seat in working:
            await seat.books.settled()
        await self._link.close()
        await asyncio.gather(*self._booking, return_exceptions=True)
        for seat in self.seats.values():
            seat.gate.gone()
        self._held.end()

    # ── what the bridge says ────────────────────────────────────────────────────────────────────────────────────

    def _bridge_said(self, message: FromBridge) -> None:
        if isinstance(message, ClusterOpen | ClusterShut):
            if not self._opened.done():
                self._opened.set_result(message.message if isinstance(message, ClusterShut) else message)
            return
        seat = self.seats.get(message.seat)
        if seat is None:
            return
        match message:
            case SeatTaken():
                seat.node = message.node
            case SeatLost():
                self._lost(seat, message.why)
            case SeatDraining() if not seat.leaving:
                say("warning", f"{seat.name}: its node goes away in {message.seconds:.0f} s; it is replaced")
                seat.leaving = True
                self.end_if_drained(seat)
                self._start()

    def _bridge_gone(self) -> None:
        if not self._opened.done():
            self._opened.set_result(f"the process that was to reach it has ended: {self._link.last_words()}")
        elif not self._over:
            self._over = True
            self._admission.stop(ParkReason.OUTAGE, GONE)
            for seat in list(self.seats.values()):
                self._lost(seat, GONE)
            self._told.changed()

    def _start(self) -> None:
        number = next(self._numbers)

        def heard(message: FromCarrier) -> None:
            self._carrier_said(seat, message)

        channel = self._link.channel(number, self._frames, heard)
        kit = self._kit
        books = ServedLedger(kit.ledger, kit.tally, channel.send, self._told.cannot_write)
        self.seats[number] = seat = Seat(number, channel, ServedGate(kit.gates, channel.send, books), books)
        self._link.send(StartSeat(number))

    # ── what workers say ────────────────────────────────────────────────────────────────────────────────────────

    def _carrier_said(self, seat: Seat, message: FromCarrier) -> None:  # noqa: C901, PLR0912 (a table of cases)
        match message:
            case Intended() | Recorded() | Withdrawn() | Looked():
                seat.books.said(message)
            case Admit():
                seat.gate.admit(message)
            case Finish():  # the slot is free once what the call brought is on disk
                seat.books.after(partial(seat.gate.finish, message.number, message.report))
            case Leave():
                seat.gate.leave(message.number)
            case RowRead() | RowEnded() | RowLeft() | RowBroke():
                self._told.row_told(seat, message)
                self.end_if_drained(seat)
            case Pulse():
                seat.cpu.heard(message.cpu_s, asyncio.get_running_loop().time())
            case StopRun():
                seat.gate.stop(message)
            case Here():
                self._compare(seat, message)
            case Trusted():
                self._spawn(self._assign(seat), self._tasks)
            case Ready():
                self._unborn = 0
                seat.prefixes = message.prefixes
                if (reason := self._admission.stopped) is not None:
                    seat.channel.send(RunStopped(reason, self._admission.stop_message))
                self._told.changed()
            case Unfit():
                needs = f". {NEEDS}" if "No module named" in message.message else ""
                self._told.unfit(f"{seat.name} cannot do this job: {message.message}{needs}")
            case Bye():
                seat.gone.set()
                if not self._over:
                    self._forget(seat, "drained")

    def _compare(self, seat: Seat, here: Here) -> None:
        documents = self._kit.prepared.source.documents
        if other := difference(versions(documents=documents), here.versions):
            self._told.unfit(f"{seat.name} has {other}: give the cluster's nodes what this machine has")
        else:
            seat.channel.send(Entrusted(self._kit.secrets()))

    async def _assign(self, seat: Seat) -> None:
        seat.channel.send(await errand_of(self._kit, self._sources, self._earlier))

    # ── ends of workers ─────────────────────────────────────────────────────────────────────────────────────────

    def end_if_drained(self, seat: Seat) -> None:
        """Once it has none of its rows any more."""
        if seat.leaving and not seat.rows:
            seat.channel.send(Dismissed(cut=False))

    def _forget(self, seat: Seat, how: str, why: str = "") -> None:
        self.seats.pop(seat.number, None)
        self._link.forget(seat.number)
        self._link.send(EndSeat(seat.number))
        if seat.node:
            self.past.append(ended_fact(seat.fact(), how, why, datetime.now(UTC)))

    def _lost(self, seat: Seat, why: str) -> None:
        self._forget(seat, LOST, why)
        seat.gate.leave_all()  # before its names are looked for: none is added any more
        seat.gone.set()
        self._spawn(self._book(seat, why), self._booking)

    async def _book(self, seat: Seat, why: str) -> None:
        """Its calls in flight are booked as lost, and hold their slots for as long as they may go on."""
        await seat.books.settled()
        lost = [send for prefix in seat.prefixes for send in await self._kit.ledger.lose(prefix)]
        self._held.hold(seat.gate.lost((send.model or "", send.at_risk_units) for send in lost))
        rows = list(seat.rows.values())
        seat.rows.clear()
        if not self._over:
            say("warning", f"{seat.name} died ({why}), {len(lost)} calls in flight; its rows are taken up again")
            self._replace(seat, why)
        self._told.rows_back(rows)

    def _replace(self, seat: Seat, why: str) -> None:
        self._unborn += not seat.prefixes
        if self._unborn >= DEATHS_MOST + self._kit.prepared.job.engine.workers:
            self._told.unfit(f"{self._unborn} workers on the Ray cluster died before they could begin: {why}. {NEEDS}")
        if self._admission.stopped is None and not seat.leaving:
            self._start()

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: "set[asyncio.Task[None]]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(lambda done: self._spawned(done, tasks))

    def _spawned(self, task: "asyncio.Task[None]", tasks: "set[asyncio.Task[None]]") -> None:
        tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), LedgerError):
            self._told.cannot_write(error)
        self._told.changed()
