"""Values without a declared type → one Arrow type per kept column, and the columns themselves.

A lattice: null < bool; null < int64 < double; null < string. What has no type in common but string becomes string:
strings as they are, anything else as its JSON. No value is lost and no integer is rounded on the way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

EXACT = 2**53  # integers up to here are exact as doubles
WIDE = "integers beyond 2**53"
HUGE = "integers beyond 64 bits"
TYPES: dict[pa.DataType, frozenset[Any]] = {
    pa.null(): frozenset(),
    pa.bool_(): frozenset({bool}),
    pa.int64(): frozenset({int}),
    pa.float64(): frozenset({float}),
    pa.string(): frozenset({str}),
}


class Kinds:
    """What kinds of values the kept columns were seen to hold."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._seen: dict[str, set[Any]] = {name: set() for name in columns}

    def observe(self, record: Mapping[str, Any]) -> None:
        for name, seen in self._seen.items():
            value = record.get(name)
            if type(value) is int and not -EXACT <= value <= EXACT:
                seen.add(WIDE if -(2**63) <= value < 2**63 else HUGE)
            elif value is not None:
                seen.add(type(value))

    def schema(self, known: pa.Schema | None) -> pa.Schema:
        """The types that hold both what was seen and what `known`, an earlier run's, held."""
        return pa.schema([(name, _joined(seen, known_type(name, known))) for name, seen in self._seen.items()])


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values of one column as an array of the type that `Kinds.schema` gave it.

    Raises:
        pa.ArrowException: a value was not there when the type was found.
    """
    if kind == pa.string():
        return pa.array([_text(value) for value in values], kind)
    if kind == pa.float64():
        return pa.array([float(value) if isinstance(value, int) else value for value in values], kind)
    return pa.array(values, kind)


def described(value: object) -> str:
    """A value's kind in the words of JSON, for messages."""
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"a number ({value})"
    name = type(value).__name__
    return {"str": "a string", "list": "a list", "dict": "an object"}.get(name, f"a {name}")


def _joined(seen: set[Any], known: pa.DataType | None) -> pa.DataType:
    if not seen:
        return pa.null() if known is None else known
    kinds = seen | TYPES.get(known, frozenset())
    if kinds == {bool}:
        return pa.bool_()
    if kinds <= {int, WIDE}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()


def known_type(name: str, known: pa.Schema | None) -> pa.DataType | None:
    return known.field(name).type if known is not None and name in known.names else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # of any width
    if isinstance(value, bool | float | list | dict):
        return orjson.dumps(value, default=str).decode()
    return str(value)
