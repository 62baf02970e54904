"""Where an account's limits stand, for a run that carries on with them: times as ages, as no two clocks agree. Pure."""

from typing import Any

from msgspec import Struct, field


class DimensionLeft(Struct, frozen=True):
    """`used`: what was let in in the last minute, as (seconds ago, amount), the oldest first.

    `told`: units per minute that the provider has named; `level`: what its bucket held, where it is one.
    """

    used: tuple[tuple[float, float], ...] = ()
    told: float | None = None
    level: float | None = None


class Handover(Struct, frozen=True):
    """`learned` as of `AccountLimits.learned`; `gate_s`: how long nothing is sent; `open_s`: age of an open circuit."""

    learned: dict[str, Any] = field(default_factory=dict)
    gate_s: float = 0.0
    open_s: float | None = None
    dimensions: dict[str, DimensionLeft] = field(default_factory=dict)
