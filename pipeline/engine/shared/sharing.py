"""A run's part in sharing the limits of its account: it keeps them for others, or asks the run that does.

    alone, with the lock ── another run comes ──▶ keeps ── the others go ──▶ alone
    asks ── who kept them has ended, or died ──▶ all race for the lock: one keeps, the others ask it

A run that nobody joins has a lock and a socket that listens, and its calls are admitted as if there were neither.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from pipeline import __version__
from pipeline.admission.governor import Governor
from pipeline.admission.queue import Admission
from pipeline.console import say
from pipeline.engine.endpoint import Endpoint
from pipeline.engine.shared.asking import Asking
from pipeline.engine.shared.keeping import Keeping
from pipeline.engine.shared.messages import PROTOCOL, Unlike
from pipeline.engine.shared.place import Place, given_up, listening, place_of, taken
from pipeline.platforms import POSIX
from pipeline.providers.credentials.account import account_digest

JOIN_S = 5.0  # how long a run waits at its start for one that does not answer
AGAIN_S, AGAIN_MOST_S = 0.005, 0.1
SILENT_S = 10.0  # who keeps the limits says how they stand four times a second
LISTEN_EVERY_S = 1.0
GONE_S = 10.0  # how long calls of a run that has died are thought to hold slots at the provider
VERSION = f"{__version__}/{PROTOCOL}"
NOT_SHARED = "this account's limits are not shared with other runs (limits.shared): {why}"
SHARES = "this account's limits are shared with {others} on this machine (limits.shared)"


class Sharing:
    """Of one run and one account, for as long as it works on rows. `events`: for run.json."""

    def __init__(self, place: Place, admission: Admission, governor: Governor, version: str = VERSION) -> None:
        self.events: list[dict[str, Any]] = []
        self._place = place
        self._admission = admission
        self._governor = governor
        self._version = version
        self._loop = asyncio.get_running_loop()
        self._lock: int | None = None
        self._server: asyncio.Server | None = None
        self._keeping: Keeping | None = None
        self._asking = Asking(admission, governor, version, self._lost)
        self._asks = False
        self._joining: asyncio.Task[None] | None = None
        self._silence: asyncio.TimerHandle | None = None

    @property
    def role(self) -> str:
        """`alone`, `keeps` or `asks`."""
        if self._asks:
            return "asks"
        return "keeps" if self._keeping is not None and self._keeping.runs > 1 else "alone"

    async def __aenter__(self) -> Self:
        await self._join(JOIN_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The others go on: one of them keeps the limits next."""
        if self._joining is not None:
            self._joining.cancel()
            await asyncio.gather(self._joining, return_exceptions=True)
        if self._silence is not None:
            self._silence.cancel()
        if self._asks:
            self._end_asking()
        if self._keeping is not None:
            self._keeping.close()
        if self._server is not None:
            self._server.close()
        if self._lock is not None:
            given_up(self._place, self._lock)

    # ── who keeps them ──────────────────────────────────────────────────────────────────────────────────────────

    async def _join(self, seconds: float) -> None:
        """Keep the limits, or find who does; else go alone."""
        again_s = AGAIN_S
        try:
            async with asyncio.timeout(seconds):
                while not (await self._keeps() or await self._joined()):
                    await asyncio.sleep(again_s)
                    again_s = min(AGAIN_MOST_S, 2.0 * again_s)
        except TimeoutError:
            self._alone("the run that keeps them does not answer")
        except OSError as error:
            self._alone(str(error))

    async def _keeps(self) -> bool:
        """Whether the lock is free, and all is as it should be for others to come."""
        self._lock = taken(self._place.lock)
        if self._lock is None:
            return False
        self._end_asking()
        self._keeping = Keeping(self._admission, self._governor, self._version, self._told)
        try:
            self._server = await self._loop.create_unix_server(self._keeping.line, sock=listening(self._place.socket))
        except OSError:
            given_up(self._place, self._lock)
            self._lock = self._keeping = None
            raise
        return True

    async def _joined(self) -> bool:
        """Whether somebody who keeps them has answered."""
        try:
            found = await self._asking.joined(str(self._place.socket))
        except OSError:
            return False  # it is about to listen, or is gone
        if isinstance(found, Unlike):
            self._alone(f"the run that keeps them is of version {found.version}, and this one of {self._version}")
            return True
        if found is None:
            return False
        if not self._asks:
            self._asks = True
            self._admission.share(self._asking)
        self._told(found.runs)
        self._listen()
        return True

    def _alone(self, why: str) -> None:
        """Limits are kept here, and shared with nobody."""
        self._end_asking()
        say("notice", NOT_SHARED.format(why=why))

    def _end_asking(self) -> None:
        """Limits are kept here from now on."""
        if not self._asks:
            return
        self._asks = False
        self._asking.close()
        self._asking.taken_over(self._loop.time())
        limits = self._governor.limits
        limits.gone = self._asking.left_in_flight
        if limits.gone:
            self._loop.call_later(GONE_S, partial(setattr, limits, "gone", 0))
        self._admission.share(None)

    # ── who asks is left alone ──────────────────────────────────────────────────────────────────────────────────

    def _lost(self) -> None:
        self._joining = self._loop.create_task(self._join(SILENT_S))
        self._joining.add_done_callback(self._has_joined)

    def _has_joined(self, joining: "asyncio.Task[None]") -> None:
        """Nobody is left waiting, even by a bug."""
        if not joining.cancelled() and (error := joining.exception()) is not None:
            self._alone(repr(error))

    def _listen(self) -> None:
        """A run that was stopped still has its lock, and says nothing."""
        if self._silence is not None:
            self._silence.cancel()
        self._silence = None
        if not self._asks:
            return
        if self._asking.connected and self._loop.time() - self._asking.heard_s > SILENT_S:
            self._alone(f"the run that keeps them has said nothing for {SILENT_S:.0f} s")
            return
        self._silence = self._loop.call_later(LISTEN_EVERY_S, self._listen)

    # ── what people are told ────────────────────────────────────────────────────────────────────────────────────

    def _told(self, runs: int) -> None:
        """Once, of the most that there were."""
        if self.events and self.events[-1]["runs"] >= runs and self.events[-1]["role"] == self.role:
            return
        if not self.events:
            others = "another run" if runs == 2 else f"{runs - 1} other runs"
            say("notice", SHARES.format(others=others))
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.events.append({"event": "limits_shared", "at": at, "role": self.role, "runs": runs})


@contextlib.asynccontextmanager
async def sharing(
    shares: bool,  # noqa: FBT001 (a setting)
    endpoint: Endpoint,
    admission: Admission,
    governor: Governor,
) -> AsyncIterator[list[dict[str, Any]]]:
    """Share the limits of this endpoint's account while in here; yields what run.json tells of it."""
    if not shares or not POSIX or endpoint.sandbox_url:
        yield []
        return
    account = account_digest(endpoint.model, endpoint.wire.url, endpoint.environ)
    try:
        place = place_of(account, endpoint.environ)
    except OSError as error:
        say("notice", NOT_SHARED.format(why=error))
        yield []
        return
    async with Sharing(place, admission, governor) as shared:
        yield shared.events
