"""Budget alerts on their way out: a line for people, an event for run.json, and the program that the job names.

The program runs without a shell and gets the alert on its standard input, so that no tenant's name can act.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.admission.governor import Alert
from pipeline.console import say
from pipeline.types import tenant_hash

TIMEOUT_S = 30.0  # of the program


class Alarm:
    """`events` are the alerts of this session, as run.json tells them."""

    def __init__(self, job: str, command: Sequence[str]) -> None:
        self._job = job
        self._command = command
        self._running: set[asyncio.Task[None]] = set()
        self.events: list[dict[str, Any]] = []

    def raise_alert(self, alert: Alert) -> None:
        """Returns at once; the program runs on beside the run."""
        event = {
            "event": "alert",
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "job": self._job,
            "spent_usd": f"{alert.spent_usd:.10f}",
            "max_usd": str(alert.most_usd),
        }
        say("warning", str(alert), spent_usd=event["spent_usd"], max_usd=event["max_usd"])
        self.events.append({**event, "tenant_hash": tenant_hash(alert.tenant)})
        if self._command:
            told = json.dumps({**event, "tenant": alert.tenant, "message": str(alert)}).encode()
            task = asyncio.create_task(self._run(told))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def aclose(self) -> None:
        """Wait for programs that still run; each ends by itself within its 30 s."""
        await asyncio.gather(*self._running)

    async def _run(self, told: bytes) -> None:
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=nowhere, stderr=pipe)
        except (OSError, ValueError) as error:
            say("warning", f"budget.alert_command {self._command[0]!r} cannot be run: {error}")
            return
        try:
            _, said = await asyncio.wait_for(process.communicate(told), TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            say("warning", f"budget.alert_command took longer than {TIMEOUT_S:g} s and was ended")
            return
        if process.returncode:
            last = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            say("warning", f"budget.alert_command ended with {process.returncode}: {last[0][:200]!r}")
