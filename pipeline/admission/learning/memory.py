"""What was learned of limits, as plain JSON for the next night: written by a governor, read with no trust at all. Pure.

Shape: `{"version": 1, "slots": 91.0, "answers_per_s": 20.1, "burst_s": 58.9, "lanes": {"requests": {"per_minute":
1200.0, "counted": false, "even": true, "share": 0.992}}}`, each part only where it is known. What headers tell is not
kept: they tell it again with the first answer.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from pipeline.admission.dimensions.mirrors import LARGEST, LEAST
from pipeline.types import Dimension

VERSION = 1
NUMBERS = ("slots", "answers_per_s", "burst_s")


class Remembered(Struct, frozen=True):
    """`counted`: a count per minute and no bucket. `even`: kept by the second; `share` of that even pace."""

    per_minute: float | None = None
    counted: bool = False
    even: bool = False
    share: float = 1.0


class Memory(Struct, frozen=True):
    slots: float | None = None  # calls at once that gave most answers, and how many
    answers_per_s: float | None = None
    burst_s: float | None = None  # seconds of refill that a silent provider stores
    dimensions: Mapping[Dimension, Remembered] = field(default_factory=dict)


def written(memory: Memory) -> dict[str, Any]:
    """As plain JSON."""
    dimensions: dict[str, Any] = {}
    for dimension, one in memory.dimensions.items():
        dimensions[dimension.value] = {"counted": one.counted, "even": one.even, "share": one.share}
        if one.per_minute is not None:
            dimensions[dimension.value]["per_minute"] = one.per_minute
    numbers = {name: getattr(memory, name) for name in NUMBERS}
    return {"version": VERSION, "lanes": dimensions} | {
        name: value for name, value in numbers.items() if value is not None
    }


def read(found: object) -> Memory:
    """Whatever it is: what can be believed of it."""
    if not isinstance(found, Mapping) or found.get("version") != VERSION:
        return Memory()
    dimensions, entries = {}, found.get("lanes")
    for dimension in Dimension:
        entry = entries.get(dimension.value) if isinstance(entries, Mapping) else None
        if isinstance(entry, Mapping):
            share = _number(entry.get("share"))
            dimensions[dimension] = Remembered(
                per_minute=_number(entry.get("per_minute")),
                counted=entry.get("counted") is True,
                even=entry.get("even") is True,
                share=share if share is not None and share <= 1.0 else 1.0,
            )
    return Memory(**{name: _number(found.get(name)) for name in NUMBERS}, dimensions=dimensions)


def _number(value: object) -> float | None:
    """A number above 0 that makes sense of a limit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if LEAST <= number <= LARGEST else None  # NaN is neither
