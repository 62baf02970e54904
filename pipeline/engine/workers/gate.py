"""The gate of a worker: every admission is asked of the run's own process, which has the only governor."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count

from msgspec import Struct

from pipeline.admission.gate import Admitted
from pipeline.admission.governor import Used
from pipeline.admission.queue import NeverFits, Stopped, TenantOverBudget
from pipeline.types import LimitSeen, ParkReason, Request


class Asked(Struct, frozen=True):
    """What the run has to know of a request to admit it."""

    input_tokens: int
    input_tokens_ceiling: int
    max_output_tokens: int
    tenant: str | None


class RemoteGate:
    """`send` takes a message's name and its parts; `told` is given what comes back."""

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Decimal]] = {}
        self._paused: set[asyncio.Future[None]] = set()
        self._stopped: ParkReason | None = None
        self._message = ""

    @property
    def stopped(self) -> ParkReason | None:
        return self._stopped

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def admit(self, request: Request, *, retry: bool) -> Admitted:
        """As `Admission.admit`."""
        self._raise_if_stopped()
        number = next(self._numbers)
        granted: asyncio.Future[Decimal] = asyncio.get_running_loop().create_future()
        self._waiting[number] = granted
        asked = Asked(request.input_tokens, request.input_tokens_ceiling, request.max_output_tokens, request.tenant)
        self._send("admit", number, asked, retry)
        try:
            return Admitted(await granted, number)
        except asyncio.CancelledError:
            self._send("leave", number)
            raise
        finally:
            self._waiting.pop(number, None)

    def settle(self, admitted: Admitted, used: Used | None) -> None:
        self._send("settle", admitted.of, used)

    def observe(self, request: Request, reported_tokens: int) -> None:
        self._send("observe", request.input_tokens, reported_tokens)

    def limits(self, admitted: Admitted, seen: Sequence[LimitSeen]) -> None:
        if seen:
            self._send("limits", admitted.of, tuple(seen))

    def ok(self, retry_after_s: float | None, admitted: Admitted) -> None:
        self._send("ok", admitted.of, retry_after_s)

    def throttled(self, admitted: Admitted, retry_after_s: float | None, jitter: float) -> None:
        self._send("throttled", admitted.of, retry_after_s, jitter)

    def overloaded(self, retry_after_s: float | None, jitter: float) -> None:
        self._send("overloaded", retry_after_s, jitter)

    async def pause(self, seconds: float) -> None:
        """As `Admission.pause`."""
        self._raise_if_stopped()
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, woken)
        self._paused.add(woken)
        try:
            await woken
        finally:
            self._paused.discard(woken)
            timer.cancel()
        self._raise_if_stopped()

    def stop(self, reason: ParkReason, message: str) -> None:
        """Here at once, for the whole run as soon as it hears of it."""
        self._send("stop", reason, message)
        self.stopped_by_run(reason, message)

    # ── what the run says ───────────────────────────────────────────────────────────────────────────────────────

    def granted(self, number: int, usd: Decimal) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(usd)

    def refused(self, number: int, error: Exception) -> None:
        """With what `Admission.admit` raises; one of these ends the whole wait."""
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def stopped_by_run(self, reason: ParkReason, message: str) -> None:
        if self._stopped is not None:
            return
        self._stopped, self._message = reason, message
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Stopped(reason, message))
        for woken in self._paused:
            _wake(woken)

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise Stopped(self._stopped, self._message)


def portable(error: BaseException) -> tuple[str, ...]:
    """An error of admission, in parts that can be sent."""
    match error:
        case TenantOverBudget():
            return ("tenant", error.tenant, str(error))
        case Stopped():
            return ("stopped", str(error.reason), str(error))
        case _:
            return ("never", str(error))


def raised(parts: tuple[str, ...]) -> Exception:
    """The error that `portable` took apart."""
    match parts:
        case ("tenant", tenant, text):
            return TenantOverBudget(tenant, text)
        case ("stopped", reason, text):
            return Stopped(ParkReason(reason), text)
        case _:
            return NeverFits(parts[-1])


def _wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)
