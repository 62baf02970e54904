"""JSON that may hold anything, read and written without raising: what is not of the right type is missing. Pure."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

EXACT_DIGITS = 17  # a longer number may lose some of them as a float, or be no 64-bit integer
COUNT_DIGITS = 15  # of a count that is told as text
LONG_NUMBER = b"0" * (EXACT_DIGITS + 1)
AS_ZEROS = bytes(ord("0") if byte in b"0123456789." else 0 for byte in range(256))


def parsed(data: bytes) -> object:
    """None for what is no JSON. Numbers keep all their digits: an answer may be JSON within its body."""
    try:
        value: object = orjson.loads(data)
        if LONG_NUMBER not in data.translate(AS_ZEROS):  # several times as fast as a regular expression
            return value
        return json.loads(data, parse_float=Decimal, parse_int=_whole)
    except orjson.JSONDecodeError:
        return None
    except (ArithmeticError, RecursionError):  # an exponent, or more levels, that Python does not read
        return value


def dumped(value: object) -> str:
    """As JSON, with the digits that `parsed` kept; "" where it is nested more deeply than can be written."""
    try:
        return orjson.dumps(value, default=_digits).decode()
    except TypeError:
        return ""


def encoded(body: object) -> bytes:
    """A body, put together; null, which is no answer, where it is nested more deeply than can be written."""
    return dumped(body).encode() or b"null"


def called_with(calls: Sequence[tuple[str, str]], tool: str) -> str | None:
    """The arguments, as JSON, of the calls (name, arguments) of `tool`, or of all where none is of it; None for none.

    The same call twice is one call. Different ones are all kept, a line each: nobody will take two records for one.
    """
    if len(calls) == 1:
        return calls[0][1]
    texts = [text for name, text in calls if name == tool] or [text for _, text in calls]
    distinct: dict[str, str] = {}
    for text in texts:
        distinct.setdefault(_canonical(text), text)
    return "\n".join(distinct.values()) if texts else None


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; nothing of what is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def string(value: object) -> str:
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    """0 for what is none."""
    return told_count(value) or 0


def told_count(value: object) -> int | None:
    """A whole number, in whatever form a server writes it: 12, 12.0 or "12". None for what is none."""
    if type(value) is int:  # what nearly every server tells
        return value if 0 <= value < 2**53 else None
    if value is None:
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= COUNT_DIGITS else None
    if isinstance(value, float | Decimal):
        return int(value) if 0 <= value < 2**53 and value == int(value) else None
    return None


def _canonical(text: str) -> str:
    """Equal for equal JSON; what is none is itself."""
    value = parsed(text.encode("utf-8", "surrogatepass"))
    if value is None:
        return text
    try:
        return orjson.dumps(value, default=_digits, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return text


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= EXACT_DIGITS else Decimal(digits)


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{value!r} is not JSON")
