"""The gate of a worker: every admission is asked of the run's own process, which has the only governor."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from itertools import count

from msgspec import Struct

from pipeline.admission.gate import NeverFits, TenantOverBudget
from pipeline.admission.report import Report
from pipeline.admission.stop import Stopped, StopSwitch
from pipeline.engine.workers.messages import Admit, Finish, Leave, SizedRequest, StopRun
from pipeline.types import ParkReason, Request


class RemoteTicket(Struct, frozen=True):
    """An admission that the run's process has given; `number` is its name there."""

    usd: Decimal
    number: int


class RemoteGate:
    """A `Gate` of one model: `model` is its NAME, "" the job's [model]."""

    def __init__(self, send: Callable[[Struct], None], model: str = "") -> None:
        self._send = send
        self._model = model
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Decimal]] = {}
        self._switch = StopSwitch()

    @property
    def stopped(self) -> ParkReason | None:
        return self._switch.reason

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def admit(self, request: Request, *, retry: bool) -> RemoteTicket:
        """As `Admission.admit`."""
        self._switch.check()
        number = next(self._numbers)
        granted: asyncio.Future[Decimal] = asyncio.get_running_loop().create_future()
        self._waiting[number] = granted
        asked = SizedRequest(
            request.input_tokens, request.input_tokens_ceiling, request.max_output_tokens, request.tenant,
            request.standard_tier, request.file_tokens,
        )  # fmt: skip
        self._send(Admit(number, asked, retry, self._model))
        try:
            return RemoteTicket(await granted, number)
        except asyncio.CancelledError:
            self._send(Leave(number))
            raise
        finally:
            self._waiting.pop(number, None)

    def finish(self, ticket: RemoteTicket, report: Report) -> None:
        """As `Admission.finish`."""
        self._send(Finish(ticket.number, report))

    async def pause(self, seconds: float) -> None:
        """As `Admission.pause`."""
        await self._switch.pause(seconds)

    def stop(self, reason: ParkReason, message: str) -> None:
        """Here at once, for the whole run as soon as it hears of it."""
        self._send(StopRun(reason, message))
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
        if not self._switch.throw(reason, message):
            return
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._switch.error())


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
