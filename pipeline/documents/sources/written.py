"""Numbers as a line of JSON has them: 1.10 and 30 digits are no floats. Pure.

The line is read once more, keeping digits, only where a column that matters holds what the first reading may have
changed.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

WIDE = 2.0**63  # whole numbers from here on may have been read as floats
MOST_DIGITS = 4000  # of a whole number that Python makes of text


class _Number(str):
    """A number's own text."""

    __slots__ = ()


def as_written(line: bytes, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that may hold numbers, as a prompt has them: digits as `line` has them, JSON for structure.

    Raises:
        RecursionError: one is nested too deeply to be written.
    """
    odd = [name for name, value in values.items() if _may_differ(value, line)]
    if not odd:
        return {}
    again = json.loads(line, parse_float=_Number, parse_int=_Number)
    return {name: _text(again[name]) for name in odd}


def with_whole_numbers(line: bytes, record: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """The record with whole numbers where those of `columns` were too wide for the first reading."""
    wide = [name for name in columns if type(value := record.get(name)) is float and abs(value) >= WIDE]
    return record | {name: _whole(text, record[name]) for name, text in _texts(line, wide).items()} if wide else record


def with_texts(line: bytes, record: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """The record with the own texts of the numbers that are no whole ones in `columns`, which are columns of text."""
    floats = [name for name in columns if type(record.get(name)) is float]
    return record | _texts(line, floats) if floats else record


def _texts(line: bytes, numbers: Sequence[str]) -> dict[str, str]:
    """Nothing where something else on the line is nested deeper than this reader goes."""
    try:
        again = json.loads(line, parse_float=_Number, parse_int=_Number)
    except RecursionError:
        return {}
    return {name: str(again[name]) for name in numbers}


def _may_differ(value: object, line: bytes) -> bool:
    kind = type(value)
    return kind is float or kind is list or kind is dict or (kind is int and value == 0 and b"-0" in line)


def _whole(number: str, otherwise: float) -> int | float:
    digits = number.removeprefix("-")
    return int(number) if digits.isdigit() and len(digits) <= MOST_DIGITS else otherwise


def _text(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    return str(value) if isinstance(value, _Number) else _json(value)


def _json(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    """As json.dumps writes it, but for numbers."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(name)}: {_json(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
