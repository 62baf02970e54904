"""What is said between the run that keeps an account's limits and one that asks for them, and the line it goes over.

Each message is a tagged struct, in frames as of `engine.frames`.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.structs import replace

from pipeline.admission.charges import Need
from pipeline.admission.dimensions.dimension import DimensionView
from pipeline.admission.handover import Handover
from pipeline.admission.report import Report
from pipeline.engine.frames import Channel, Frames, M
from pipeline.types import Dimension

LONGEST_BYTES = 1 << 24
PROTOCOL = 2


class Hello(Struct, frozen=True, tag=True, array_like=True):
    """The first word of who asks. `given`: by its job, per minute; `out`: its calls that another has let out."""

    version: str
    concurrency: int
    given: dict[Dimension, float]
    out: list[tuple[int, Need]]


class Ask(Struct, frozen=True, tag=True, array_like=True):
    """For the limits of one call, by its number."""

    number: int
    need: Need
    retry: bool


class Withdraw(Struct, frozen=True, tag=True, array_like=True):
    """It is wanted no more."""

    number: int


class Finish(Struct, frozen=True, tag=True, array_like=True):
    """What a call's end tells of limits."""

    number: int
    report: Report


class Widen(Struct, frozen=True, tag=True, array_like=True):
    """It may have so many calls at once from now on."""

    concurrency: int


class Welcome(Struct, frozen=True, tag=True, array_like=True):
    """`runs` share the limits by now."""

    runs: int


class Unlike(Struct, frozen=True, tag=True, array_like=True):
    """Another version keeps the limits: with that one nothing is shared."""

    version: str


class Granted(Struct, frozen=True, tag=True, array_like=True):
    number: int


class State(Struct, frozen=True, tag=True, array_like=True):
    """Now and then. `why`: what the next call waits for; `in_flight`: of the run that keeps the limits itself."""

    handover: Handover
    views: tuple[DimensionView, ...]
    why: str
    in_flight: int
    runs: int


class Bye(Struct, frozen=True, tag=True, array_like=True):
    """It ends, with nothing in flight: another may keep the limits from here on."""


Up = Hello | Ask | Withdraw | Finish | Widen
Down = Welcome | Unlike | Granted | State | Bye


def bare(need: Need) -> Need:
    """Without what is the run's own: its money and its tenant."""
    return replace(need, usd=Decimal(0), tenant=None)


class Line(Channel[M]):
    """A channel to another run: what is no message ends it, for anybody of this user's may speak there."""

    def __init__(self, kind: Any, on_message: Callable[[M], None], on_closed: Callable[[], None]) -> None:  # noqa: ANN401 (as of `Frames`)
        super().__init__(Frames(kind), on_message, on_closed, LONGEST_BYTES)

    def _messages(self, data: bytes) -> Iterator[M]:
        try:
            yield from super()._messages(data)
        except (DecodeError, ValueError):
            if self._transport is not None:
                self._transport.abort()
