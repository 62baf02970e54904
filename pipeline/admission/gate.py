"""How calls get in, as a call sees it: what every gate does, here or from another process."""

from decimal import Decimal
from typing import Protocol, TypeVar

from pipeline.admission.report import Report
from pipeline.codes import ParkReason
from pipeline.types import Request


class Admitted(Protocol):
    """One admission, to be given back exactly once."""

    @property
    def usd(self) -> Decimal:
        """The most that the call may cost."""
        ...


T = TypeVar("T", bound=Admitted)


class Gate(Protocol[T]):
    """Admission as `queue.Admission` documents it, with its errors."""

    @property
    def stopped(self) -> ParkReason | None: ...

    @property
    def waiting(self) -> int: ...

    async def admit(self, request: Request, *, retry: bool) -> T: ...

    def finish(self, ticket: T, report: Report) -> None: ...

    async def pause(self, seconds: float) -> None: ...

    def stop(self, reason: ParkReason, message: str) -> None: ...


class NeverFits(Exception):
    """The request is larger than a limit ever allows."""


class Diverted(Exception):
    """The model is not asked now: rows that would wait for it go on to another. `cause`: what would park the run."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class TenantOverBudget(Exception):
    """The request's tenant has nothing left for today; the other tenants go on."""

    def __init__(self, tenant: str, message: str) -> None:
        super().__init__(message)
        self.tenant = tenant
