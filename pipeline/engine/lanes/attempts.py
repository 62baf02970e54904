"""What a lane knows of the attempts of one request while they go on."""

from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from pipeline.admission.gate import Admitted
from pipeline.ledger.records import Send
from pipeline.types import Request


class Named(Protocol):
    """An admission of a call that may be on the ledger by now; as `Admitted`."""

    @property
    def usd(self) -> Decimal: ...

    @property
    def named(self) -> Send | None: ...


class NamingGate(Protocol):
    """A gate that puts a call on the ledger as it lets it in; as `Gate`."""

    async def admit(self, request: Request, *, retry: bool, draft: Send | None = None) -> Named:
        """`draft`: the call, without its time and its price."""
        ...


class Attempt(Struct, frozen=True):
    """One of them, admitted: `number` from 1. `named`: it is on the ledger by now."""

    request: Request
    ticket: Admitted
    number: int
    wait_ms: int
    pages: str | None = None  # of a file, that go along
    named: Send | None = None


class Sent(Struct, frozen=True):
    """One that is on its way; `at_s` on the loop's clock."""

    send: Send
    wait_ms: int
    at_s: float
