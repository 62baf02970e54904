"""What a lane knows of the attempts of one request while they go on."""

from msgspec import Struct

from pipeline.admission.gate import Admitted
from pipeline.ledger.records import Send
from pipeline.types import Request


class Attempt(Struct, frozen=True):
    """One of them, admitted: `number` from 1."""

    request: Request
    ticket: Admitted
    number: int
    wait_ms: int
    pages: str | None = None  # of a file, that go along


class Sent(Struct, frozen=True):
    """One that is on its way; `at_s` on the loop's clock."""

    send: Send
    wait_ms: int
    at_s: float
