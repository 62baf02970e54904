"""One value of JSON: a fact as a schema wants it, or the least that fits where nothing was found. Pure and total."""

import json
import re
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from pipeline.sandbox.rules.schemas import ANY_KIND, Option, Shape

NOTHING: Any = object()  # no value that fits; None is a value
MOST_INTEGER = 2**53 - 1  # what every reader of JSON keeps exactly
MAX_ENTRIES = 1_000  # of a list
MAX_TWINS = 100  # tries to find an item that a list has not got yet
NOT_LETTERS = re.compile(r"[\W_]+")
FOUND = {  # formats that show themselves in a text
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "uri": re.compile(r"https?://[^\s/?#]+[^\s,)]*"),
}
AT_MIDNIGHT = {"date": "", "date-time": "T00:00:00Z", "date-time-local": "T00:00:00"}
LEAST = {
    **{name: "1970-01-01" + clock for name, clock in AT_MIDNIGHT.items()},
    "time": "00:00:00Z", "duration": "PT0S", "email": "unknown@example.com", "uri": "https://example.com/",
    "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "hostname": "example.com", "ipv4network": "192.0.2.0/24",
    "ipv6network": "2001:db8::/32", "json-string": "null", "json-object": "{}", "byte": "AAAA",
    **{f"uuid{kind}": f"00000000-0000-{kind or 4}000-8000-000000000000" for kind in ("", 1, 3, 5, 6, 7, 8)},
}  # fmt: skip
RANK = {"array": 1, "null": 2, "object": 3}  # the smaller, the sooner it is chosen


def likeness(text: str) -> str:
    """What is left of a text when spelling does not count."""
    return NOT_LETTERS.sub("", text).lower()


def fitted(option: Option, fact: Any) -> Any:  # noqa: ANN401 (facts and JSON values are of any type)
    """The fact as a value of this option, or NOTHING. Facts are texts, numbers, dates and truth values."""
    if option.choices is not None:
        return _chosen(option.choices, fact)
    if option.kind == "string":
        return _text(option, fact)
    if option.is_number and isinstance(fact, int | Decimal) and not isinstance(fact, bool):
        value = _rounded(option, Decimal(fact))
        return as_json(option, value) if in_range(option, value) else NOTHING
    if option.kind == "boolean" or option.is_number:
        return fact if option.kind == "boolean" and isinstance(fact, bool) else NOTHING
    if option.kind == ANY_KIND:
        return as_json(option, fact) if isinstance(fact, Decimal) else str(fact) if isinstance(fact, date) else fact
    return NOTHING


def least(shape: Shape, number: int = 0, path: tuple[int, ...] = ()) -> Any:  # noqa: ANN401 (any JSON value)
    """A small value that fits; another one for another `number`, where there is one. No object holds itself."""
    option = min(shape.options, key=lambda one: (one.identity in path, RANK.get(one.kind, 0)))
    if option.choices is not None:
        return option.choices[number % len(option.choices)]
    if option.identity in path:
        return None if shape.nullable else {}
    path = (*path, option.identity)
    if option.kind == "object":
        entries = range(option.count("min", 0) if option.values else 0)
        out = {field.name: least(field.shape, number, path) for field in option.fields if field.required}
        return out | {f"key {place + 1}": least(option.values or shape, place, path) for place in entries}
    if option.kind == "array":
        return least_array(option, (), path)
    if option.kind == "string":
        return _least_text(option, number, path)
    return number % 2 == 1 if option.kind == "boolean" else _least_number(option, number) if option.is_number else None


def least_array(option: Option, begun: Sequence[Any], path: tuple[int, ...] = ()) -> list[Any]:
    """A list that goes on from what it has, up to the least number of items."""
    values, wanted, unique = list(begun), min(option.count("min", 0), MAX_ENTRIES), option.raw.get("uniqueItems")
    for number in range(len(values), wanted + MAX_TWINS):
        shape = option.prefix[len(values)] if len(values) < len(option.prefix) else option.items
        if len(values) >= wanted or shape is None:
            break
        value = least(shape, number if unique else 0, path)
        values += [] if unique and value in values else [value]
    return values


def _least_text(option: Option, number: int, path: tuple[int, ...]) -> str:
    if option.values is not None:
        return json.dumps(least(option.values, number, path), ensure_ascii=False)
    if option.is_number:
        return format(Decimal(str(_least_number(option, number))), "f")
    known = LEAST.get(option.format)
    if known is not None:
        return known.replace("01-01", f"01-{number % 28 + 1:02}", 1)  # a day for each number
    fewest = option.count("min", 0)
    most = option.count("max", max(fewest, 10_000))
    example = option.pattern.example(fewest, most) if option.pattern else None
    text = f"unknown {number}" if number else "unknown"
    return example if example is not None else text[-most:].ljust(fewest, "x") if most else ""


def _least_number(option: Option, number: int) -> Any:  # noqa: ANN401 (a number, or a text of it)
    """The `number`-th value from 0, or from the end of the range that is nearer to it."""
    low = option.number("minimum", "exclusiveMinimum")
    high = option.number("maximum", "exclusiveMaximum")
    step = abs(option.number("multipleOf") or Decimal(1)) or Decimal(1)
    nearest = low if low is not None and low > 0 else high if high is not None and high < 0 else Decimal(0)
    begin = (nearest / step).to_integral_value(ROUND_CEILING if nearest > 0 else ROUND_FLOOR) * step
    steps = [begin + step * number, begin + step * (number + 1), begin - step * (number + 1)]
    between = [low + (high - low) * (number % 7 + 1) / 8] if low is not None and high is not None else []
    return as_json(option, next((one for one in steps + between if in_range(option, one)), begin))


def as_json(option: Option, value: Decimal) -> Any:  # noqa: ANN401 (a number, or a text of it)
    if option.kind == "string":
        return format(value, "f")
    return int(value) if option.kind == "integer" else float(value)


def in_range(option: Option, value: Decimal) -> bool:
    low, above = option.number("minimum"), option.number("exclusiveMinimum")
    high, below = option.number("maximum"), option.number("exclusiveMaximum")
    step = option.number("multipleOf")
    too_low = (low is not None and value < low) or (above is not None and value <= above)
    too_high = (high is not None and value > high) or (below is not None and value >= below)
    whole = option.kind != "integer" or (value % 1 == 0 and abs(value) <= MOST_INTEGER)
    return whole and not too_low and not too_high and not (step and value % step)


def _rounded(option: Option, value: Decimal) -> Decimal:
    places = option.number("decimalPlaces")
    exponent = value.as_tuple().exponent
    if places is None or not isinstance(exponent, int) or -exponent <= places:
        return value
    return value.quantize(Decimal(1).scaleb(-int(places)))


def _chosen(choices: Sequence[Any], fact: Any) -> Any:  # noqa: ANN401 (as above)
    """The choice that is the same, whatever its spelling."""
    wanted = likeness(fact) if isinstance(fact, str) else fact
    known = ((one, likeness(one) if isinstance(one, str) else one) for one in choices)
    return next((one for one, like in known if like == wanted and type(like) is type(wanted)), NOTHING)


def _text(option: Option, fact: Any) -> Any:  # noqa: ANN401 (as above)
    name, pattern = option.format, option.pattern
    if isinstance(fact, int | Decimal) and not isinstance(fact, bool) and name not in LEAST:
        value = _rounded(option, Decimal(fact))
        fact = format(value, "f") if in_range(option, value) else None
    elif isinstance(fact, date) and not option.is_number and (name in AT_MIDNIGHT or name not in LEAST):
        fact = fact.isoformat() + AT_MIDNIGHT.get(name, "")
    elif option.is_number or (name in LEAST and not (name in FOUND and FOUND[name].fullmatch(str(fact)))):
        return NOTHING
    if not isinstance(fact, str) or option.values is not None:
        return NOTHING
    text = fact if pattern or name in LEAST else fact[: option.count("max", len(fact))].rstrip()
    fitting = (one for one in (text, text.upper()) if pattern is None or pattern.takes(one))
    sized = (one for one in fitting if one and option.count("min", 0) <= len(one) <= option.count("max", len(one)))
    return next(sized, NOTHING)
