"""What a lane knows of the attempts of one request while they go on."""

from msgspec import Struct

from pipeline.admission.gate import Admitted
from pipeline.errors import CallFailed, Kind
from pipeline.ledger.records import Send
from pipeline.types import Request


class Tries(Struct):
    """The attempts of one request so far. Times are on the loop's clock."""

    sent: int = 0
    sent_s: float | None = None  # the last of them
    throttled_s: float | None = None  # the first 429

    def met(self, failure: CallFailed, now_s: float) -> None:
        if failure.kind is Kind.THROTTLED and self.throttled_s is None:
            self.throttled_s = now_s

    def waited_s(self, now_s: float) -> float:
        """For a rate limit."""
        return 0.0 if self.throttled_s is None else now_s - self.throttled_s


class Attempt(Struct, frozen=True):
    """One of them, admitted: `number` from 1."""

    request: Request
    ticket: Admitted
    number: int
    wait_ms: int


class Sent(Struct, frozen=True):
    """One that is on its way; `at_s` on the loop's clock."""

    send: Send
    wait_ms: int
    at_s: float
