"""How calls get in: admission as a call sees it, in this process. `workers.remote` is the same from another."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from pipeline.admission.governor import Need, Ticket, Used
from pipeline.admission.queue import Admission
from pipeline.admission.token_scale import Sized, TokenScale
from pipeline.money import Rate, worst_case_usd
from pipeline.types import LimitSeen, ParkReason, Request


class Admitted(Struct, frozen=True):
    """One admission, to be settled exactly once. `usd` is the most that the call may cost; `of` is its gate's own."""

    usd: Decimal
    of: Ticket | int


class Gate(Protocol):
    """What `Admission` documents, with its errors; `None` as what was used means that nobody knows."""

    @property
    def stopped(self) -> ParkReason | None: ...

    @property
    def waiting(self) -> int: ...

    async def admit(self, request: Request, *, retry: bool) -> Admitted: ...

    def settle(self, admitted: Admitted, used: Used | None) -> None: ...

    def observe(self, request: Request, reported_tokens: int) -> None:
        """What the provider counted for the input of a request."""
        ...

    def limits(self, admitted: Admitted, seen: Sequence[LimitSeen]) -> None: ...

    def ok(self, retry_after_s: float | None, admitted: Admitted) -> None: ...

    def throttled(self, admitted: Admitted, retry_after_s: float | None, jitter: float) -> None: ...

    def overloaded(self, retry_after_s: float | None, jitter: float) -> None: ...

    async def pause(self, seconds: float) -> None: ...

    def stop(self, reason: ParkReason, message: str) -> None: ...


class Needs:
    """What a request may use at the most, as far as answers have taught."""

    def __init__(self, rate: Rate | None, admission: Admission) -> None:
        self._rate = rate
        self._admission = admission
        self._scale = TokenScale()

    def of(self, request: Sized) -> Need:
        """To be asked when the request's turn has come."""
        usd = Decimal(0)
        if self._rate is not None:
            usd = worst_case_usd(self._scale.ceiling(request), request.max_output_tokens, self._rate)
            if self._scale.seen == 0 and self._admission.in_flight == 0 and not self._admission.affords(usd):
                usd = worst_case_usd(self._scale.blind_ceiling(request), request.max_output_tokens, self._rate)
        return Need(
            input_tokens=self._scale.expected(request),
            output_tokens=request.max_output_tokens,
            usd=usd,
            tenant=request.tenant,
        )

    def observe(self, input_tokens: int, reported_tokens: int) -> None:
        self._scale.observe(input_tokens, reported_tokens)


class LocalGate:
    """Admission in this process."""

    def __init__(self, admission: Admission, needs: Needs) -> None:
        self._admission = admission
        self._needs = needs

    @property
    def stopped(self) -> ParkReason | None:
        return self._admission.stopped

    @property
    def waiting(self) -> int:
        return self._admission.waiting

    async def admit(self, request: Request, *, retry: bool) -> Admitted:
        ticket = await self._admission.admit(lambda: self._needs.of(request), retry=retry)
        return Admitted(ticket.need.usd, ticket)

    def settle(self, admitted: Admitted, used: Used | None) -> None:
        self._admission.settle(_ticket(admitted), used)

    def observe(self, request: Request, reported_tokens: int) -> None:
        self._needs.observe(request.input_tokens, reported_tokens)

    def limits(self, admitted: Admitted, seen: Sequence[LimitSeen]) -> None:
        self._admission.limits(_ticket(admitted), seen)

    def ok(self, retry_after_s: float | None, admitted: Admitted) -> None:
        self._admission.ok(retry_after_s, _ticket(admitted))

    def throttled(self, admitted: Admitted, retry_after_s: float | None, jitter: float) -> None:
        self._admission.throttled(_ticket(admitted), retry_after_s, jitter)

    def overloaded(self, retry_after_s: float | None, jitter: float) -> None:
        self._admission.overloaded(retry_after_s, jitter)

    async def pause(self, seconds: float) -> None:
        await self._admission.pause(seconds)

    def stop(self, reason: ParkReason, message: str) -> None:
        self._admission.stop(reason, message)


def _ticket(admitted: Admitted) -> Ticket:
    assert isinstance(admitted.of, Ticket)  # noqa: S101 (made above; tells mypy)
    return admitted.of
