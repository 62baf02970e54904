"""What a run does now and then while it goes on: tells how far it is, warns of its budget, lets tenants begin anew."""

import asyncio
import sys
from datetime import UTC, datetime

from pipeline.admission import Admission
from pipeline.limits import Governor
from pipeline.progress import ProgressLine, Tally
from pipeline.telemetry import Telemetry


class Watch:
    """The one clock of a run that is not admission's. `watching` goes on until it is cancelled."""

    def __init__(self, admission: Admission, governor: Governor, tally: Tally, telemetry: Telemetry) -> None:
        self._admission = admission
        self._governor = governor
        self._tally = tally
        self._telemetry = telemetry
        self._line = ProgressLine(tally)
        self._day = datetime.now(UTC).date()

    async def watching(self) -> None:
        self._line.begin()
        try:
            while True:
                await asyncio.sleep(self._line.every_s)
                self._look()
        finally:
            self._line.clear()

    def _look(self) -> None:
        if (today := datetime.now(UTC).date()) != self._day:
            self._day = today
            self._governor.money.start_day({})  # tenants begin anew
        if (alert := self._governor.alert()) is not None:
            self._line.clear()
            sys.stderr.write(f"warning: {alert}\n")
        self._telemetry.looked(self._tally.total, self._admission.in_flight)
        self._line.show(self._admission.in_flight, self._admission.why_waiting)
