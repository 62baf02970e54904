"""What a call's end tells admission, in one message: what it used, how it ended, and what was said of limits. Pure."""

from enum import StrEnum

from msgspec import Struct

from pipeline.admission.charges import UNSENT, Used
from pipeline.types import Dimension, LimitSeen


class CallEnd(StrEnum):
    """How a call ended, as far as limits and the provider's health go."""

    ANSWERED = "answered"
    THROTTLED = "throttled"  # a 429
    OVERLOADED = "overloaded"  # a 5xx, a time-out, a broken connection: the provider's trouble
    OTHER = "other"  # refused for what it was, never sent, or cut off: says nothing of either


class Refusal(Struct, frozen=True):
    """A refusal that lies in no document. `most` of the same, with no answer before them, end the run with `told`."""

    same: str
    told: str
    most: int


class Report(Struct, frozen=True):
    """All that is known once a call is over. `used` None: nobody knows what it used.

    `counted`: its input tokens by our count and by the provider's. `untold`: what it used is counted here, as the
    provider does not tell, or not all of it. `service`: the service tier that it was billed at ("": the standard one),
    where it is not the one that was asked for. `short`: the limit that a 429 names. `jitter` is in [0, 1): chance comes
    in as an argument. `refusal`: where every request may be refused alike.
    """

    used: Used | None
    end: CallEnd = CallEnd.OTHER
    limits: tuple[LimitSeen, ...] = ()
    retry_after_s: float | None = None
    jitter: float = 0.0
    short: Dimension | None = None
    counted: tuple[int, int] | None = None
    untold: bool = False
    refusal: Refusal | None = None
    service: str | None = None


NEVER_SENT = Report(UNSENT)
FATE_UNKNOWN = Report(None)
