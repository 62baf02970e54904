"""What a run does now and then while it goes on: shows how far it is, warns of its budget, is tuned from outside.

A few times a second it looks; what it sees goes to the display, to the observers and, for `status`, into a small file.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from pipeline.admission.governor import Governor
from pipeline.admission.queue import Admission
from pipeline.console import say
from pipeline.engine.control import Inbox, TuneRequest
from pipeline.job.folder import LIVE, UNFINISHED
from pipeline.money import Band, from_units
from pipeline.telemetry.alerts import Alarm
from pipeline.telemetry.batches import BatchesOut
from pipeline.telemetry.batches import batches_out as batches_out_of
from pipeline.telemetry.display import Display
from pipeline.telemetry.drift import drifted
from pipeline.telemetry.observers import Observers
from pipeline.telemetry.snapshot import ModelNow, Pace, RunReading, opening, reading_of
from pipeline.telemetry.tally import Tally

LOOK_EVERY_S = 0.25
LIVE_EVERY_S = 1.0
ALL = "*"  # batches


class Watched(Struct, frozen=True):
    """What is looked at."""

    name: str
    folder: Path
    admission: Admission
    governor: Governor
    tally: Tally
    band_usd: Band[Decimal] | None = None  # the estimate
    call_off: Callable[[str], Awaitable[None]] | None = None
    batches: Callable[[], Sequence[Mapping[str, Any]]] | None = None  # as run.json has them; None: the job has none
    models: Callable[[], tuple[ModelNow, ...]] = tuple  # of a job with several
    workers: Callable[[], Sequence[Mapping[str, Any]]] = tuple  # of a job that has some, as run.json has them


class Watch:
    """The one clock of a run that is not admission's. `watching` goes on until it is cancelled.

    `widen`: makes room for as many rows at once as a higher concurrency needs. `tuned`: changes made, for run.json.
    """

    def __init__(
        self, run: Watched, telemetry: Observers, alarm: Alarm, display: Display, widen: Callable[[int], None]
    ) -> None:
        self._name = run.name
        self._live = run.folder / LIVE
        self._admission = run.admission
        self._governor = run.governor
        self._tally = run.tally
        self._band_usd = run.band_usd
        self._telemetry = telemetry
        self._alarm = alarm
        self._display = display
        self._widen = widen
        self._batches = run.batches
        self._models = run.models
        self._workers = run.workers
        self._call_off = run.call_off
        self._out: BatchesOut | None = None
        self._inbox = Inbox(run.folder)
        self._pace = Pace()
        self._day = datetime.now(UTC).date()
        self._shown_s = self._lived_s = time.monotonic()
        self.tuned: list[dict[str, Any]] = []

    async def watching(self) -> None:
        begun_done = self._tally.done
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                self._new_day()
                while (alert := self._governor.alert()) is not None:
                    self._alarm.raise_alert(alert)
                for wish in self._inbox.take():
                    await self._carry_out(wish)
                self._drift(begun_done)
                if self._batches is not None and time.monotonic() - self._lived_s >= LIVE_EVERY_S:
                    self._out = batches_out_of(await asyncio.to_thread(self._batches))  # it adds up all open lines
                self._show(begun_done)
        finally:
            if self._display.to_the_end:
                self._show(begun_done, last=True)
            with contextlib.suppress(OSError):
                self._display.close()
            self._live.unlink(missing_ok=True)

    async def _carry_out(self, wish: TuneRequest) -> None:
        if wish.cancel is None:
            self._tune(wish)
        elif self._call_off is not None:
            say("notice", f"batches are called off, by {wish.by}")
            await self._call_off("" if wish.cancel == ALL else wish.cancel)

    def _new_day(self) -> None:
        if (today := datetime.now(UTC).date()) != self._day:
            self._day = today
            self._governor.money.start_day({})  # tenants begin anew

    def _drift(self, begun_done: int) -> None:
        """Say once that the run leaves its estimate."""
        if self._band_usd is None:
            return
        done, total, spent_usd = self._tally.done, self._tally.total, from_units(self._tally.usd_units)
        told = drifted(self._band_usd, spent_usd, done - begun_done, total - begun_done)
        if told is not None:
            say("warning", told)
            self._band_usd = None

    def _tune(self, wish: TuneRequest) -> None:
        snapshot = self._admission.snapshot()
        before = {"concurrency": snapshot.concurrency, "max_usd": _text(snapshot.cap_usd)}
        if wish.concurrency is not None:
            self._widen(wish.concurrency)
            self._admission.set_concurrency(wish.concurrency)
        if wish.max_usd is not None:
            self._admission.set_max_usd(wish.max_usd)
        say("notice", f"tuned: {wish}, by {wish.by}")
        after = {"concurrency": wish.concurrency, "max_usd": _text(wish.max_usd)}
        self.tuned.append({"event": "tuned", "at": wish.at, "by": wish.by, "before": before, "after": after})

    def _show(self, begun_done: int, *, last: bool = False) -> None:
        now_s = time.monotonic()
        rows_per_s = self._pace.look(now_s, self._tally.done)
        batches_out = 0 if self._out is None else self._out.batches
        in_flight = sum(one.in_flight for one in self._models()) or self._admission.in_flight
        self._telemetry.looked(self._tally.total, in_flight, batches_out)
        show = last or now_s - self._shown_s >= self._display.every_s
        live = now_s - self._lived_s >= LIVE_EVERY_S
        if not (show or live):
            return
        waiting = self._admission.why_waiting
        limits = self._admission.snapshot()
        reading = reading_of(self._name, self._tally, begun_done, limits, waiting, rows_per_s)
        now = datetime.now(UTC)
        reading = structs.replace(reading, opens_at=opening(limits.gate_until_s, now_s, now), out=self._out, now=now)
        reading = structs.replace(reading, models=self._models(), workers=tuple(self._workers()))
        if show:
            self._shown_s = now_s
            with contextlib.suppress(OSError):  # the terminal may be gone
                self._display.show(reading)
        if live:
            self._lived_s = now_s
            self._write_live(reading)
            if reading.workers:
                self._telemetry.worked(reading.workers)

    def _write_live(self, reading: RunReading) -> None:
        temporary = self._live.with_suffix(UNFINISHED)
        try:
            temporary.write_text(json.dumps(reading.as_json()))
            temporary.replace(self._live)
        except OSError:
            pass  # a full disk is the ledger's to tell of


def _text(usd: Decimal | None) -> str | None:
    return None if usd is None else str(usd)
