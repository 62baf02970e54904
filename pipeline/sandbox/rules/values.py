"""One value of JSON: a fact as a schema wants it, or something that fits where nothing was found. Pure and total."""

import json
import math
import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from pipeline.sandbox.rules.amounts import plain
from pipeline.sandbox.rules.shapes import Option

NOTHING: Any = object()  # no value that fits; None is a value
MOST_INTEGER = 2**53 - 1  # what every reader of JSON keeps exactly
UNKNOWN = "unknown"
NOT_LETTERS = re.compile(r"[\W_]+")
CALENDAR_DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
ZONE = r"(?:Z|[+-]\d\d:\d\d)"
FORMATS = {  # by name: (how a text of it looks, one that says nothing)
    "date": (re.compile(CALENDAR_DAY), "1970-01-01"),
    "date-time": (re.compile(f"{CALENDAR_DAY}[T ]{CLOCK}{ZONE}"), "1970-01-01T00:00:00Z"),
    "time": (re.compile(f"{CLOCK}{ZONE}?"), "00:00:00Z"),
    "duration": (re.compile(r"P(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?(?<=[DHMS])"), "PT0S"),
    "email": (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "unknown@example.com"),
    "uri": (re.compile(r"https?://[^\s/?#]+\S*"), "https://example.com/"),
    "uuid": (
        re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        "00000000-0000-4000-8000-000000000000",
    ),
    "ipv4": (re.compile(r"(?:\d{1,3}\.){3}\d{1,3}"), "192.0.2.1"),
    "ipv6": (re.compile(r"[0-9a-fA-F:]*::?[0-9a-fA-F:]+"), "2001:db8::1"),
    "hostname": (re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+"), "example.com"),
    "ipv4network": (re.compile(r"(?:\d{1,3}\.){3}\d{1,3}/\d{1,2}"), "192.0.2.0/24"),
    "ipv6network": (re.compile(r"[0-9a-fA-F:]+::/\d{1,3}"), "2001:db8::/32"),
    "date-time-local": (re.compile(f"{CALENDAR_DAY}T{CLOCK}"), "1970-01-01T00:00:00"),
    "decimal": (re.compile(r"-?\d+(?:\.\d+)?"), "0"),
    "json-string": (re.compile(r'null|true|false|-?\d+(?:\.\d+)?|"[^"\\]*"'), "null"),
    "json-object": (re.compile(r"\{\}"), "{}"),
    "byte": (re.compile(r"(?:[A-Za-z0-9+/]{4})+"), "AAAA"),
}
ALIASES = {
    "idn-email": "email", "name-email": "email", "url": "uri", "iri": "uri", "uri-reference": "uri",
    "idn-hostname": "hostname", "ipv4interface": "ipv4network", "ipv6interface": "ipv6network", "ipvanyaddress": "ipv4",
    "ipvanynetwork": "ipv4network", "ipvanyinterface": "ipv4network", "uuid4": "uuid", "datetime": "date-time",
    "timedelta": "duration", "base64": "byte", "base64url": "byte",
}  # fmt: skip
AT_MIDNIGHT = {"date-time": "T00:00:00Z", "datetime": "T00:00:00Z", "date-time-local": "T00:00:00"}
UUID_OF = {"uuid1": "1", "uuid3": "3", "uuid5": "5", "uuid6": "6", "uuid7": "7", "uuid8": "8"}


def fitted(option: Option, fact: Any) -> Any:  # noqa: ANN401 (facts and JSON values are of any type)
    """The fact as a value of this option, or NOTHING. Facts are texts, numbers, dates and truth values."""
    if option.choices is not None:
        return _chosen(option.choices, fact)
    return FITTERS.get(option.kind, _no)(option, fact)


def filler(option: Option, number: int = 0) -> Any:  # noqa: ANN401 (as above)
    """A value of this option that says as little as it can; another one for another `number`, where there is one."""
    if option.choices is not None:
        return option.choices[number % len(option.choices)]
    if option.kind == "string":
        return _filler_text(option, number)
    if option.kind in {"integer", "number"}:
        return _as_json(_filler_number(option, number), whole=option.kind == "integer")
    if option.kind == "boolean":
        return number % 2 == 1
    return None


def likeness(text: str) -> str:
    """What is left of a text when spelling does not count."""
    return NOT_LETTERS.sub("", text).lower()


def _no(_: Option, __: Any) -> Any:  # noqa: ANN401 (as above)
    return NOTHING


def _chosen(choices: tuple[Any, ...], fact: Any) -> Any:  # noqa: ANN401 (as above)
    if isinstance(fact, str):
        wanted = likeness(fact)
        return next((one for one in choices if isinstance(one, str) and likeness(one) == wanted), NOTHING)
    if isinstance(fact, bool):
        return fact if any(one is fact for one in choices) else NOTHING
    if isinstance(fact, int | Decimal):
        numbers = (one for one in choices if isinstance(one, int | float) and not isinstance(one, bool))
        return next((one for one in numbers if one == fact), NOTHING)
    return NOTHING


def _text(option: Option, fact: Any) -> Any:  # noqa: ANN401 (as above)
    text = _spelt(option, fact)
    if text is None or option.values is not None:
        return NOTHING
    if option.format:
        known = FORMATS.get(ALIASES.get(option.format, option.format))
        if (known is not None and not known[0].fullmatch(text)) or option.format in UUID_OF:
            return NOTHING
    most = option.most
    if most is not None and len(text) > most and option.pattern is None and not option.format:
        text = text[:most].rstrip()
    if not text or len(text) < option.least or (most is not None and len(text) > most):
        return NOTHING
    if option.pattern is None:
        return text
    spellings = (text, text.upper(), text.lower(), NOT_LETTERS.sub("", text), NOT_LETTERS.sub("-", text).lower())
    return next((one for one in spellings if len(one) >= option.least and option.pattern.takes(one)), NOTHING)


def _spelt(option: Option, fact: Any) -> str | None:  # noqa: ANN401 (as above)
    """The fact as text; None for one that cannot be."""
    if option.format == "json-string" and isinstance(fact, str | bool):
        return json.dumps(fact, ensure_ascii=False)
    if isinstance(fact, str):
        return None if option.is_number else fact
    if isinstance(fact, bool):
        return str(fact).lower()
    if isinstance(fact, int | Decimal):
        value = _rounded(option, Decimal(fact))
        return plain(value) if _in_range(option, value) else None
    if isinstance(fact, date):
        return fact.isoformat() + AT_MIDNIGHT.get(option.format, "")
    return None


def _rounded(option: Option, value: Decimal) -> Decimal:
    if option.places is None or -_exponent(value) <= option.places:
        return value
    return value.quantize(Decimal(1).scaleb(-option.places))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _number(option: Option, fact: Any) -> Any:  # noqa: ANN401 (as above)
    if isinstance(fact, bool) or not isinstance(fact, int | Decimal):
        return NOTHING
    value = _rounded(option, Decimal(fact))
    whole = option.kind == "integer"
    if not _in_range(option, value) or (whole and (value != value.to_integral_value() or abs(value) > MOST_INTEGER)):
        return NOTHING
    return _as_json(value, whole=whole)


def _in_range(option: Option, value: Decimal) -> bool:
    low, high, step = option.low, option.high, option.step
    if low is not None and (value < low[0] or (low[1] and value == low[0])):
        return False
    if high is not None and (value > high[0] or (high[1] and value == high[0])):
        return False
    return step is None or value % step == 0


def _truth(_: Option, fact: Any) -> Any:  # noqa: ANN401 (as above)
    return fact if isinstance(fact, bool) else NOTHING


def _any(_: Option, fact: Any) -> Any:  # noqa: ANN401 (as above)
    if isinstance(fact, Decimal):
        return _as_json(fact, whole=False)
    return fact.isoformat() if isinstance(fact, date) else fact


FITTERS: dict[str, Callable[[Option, Any], Any]] = {
    "string": _text, "number": _number, "integer": _number, "boolean": _truth, "any": _any,
}  # fmt: skip


def _as_json(value: Decimal, *, whole: bool) -> int | float:
    if whole:
        return max(-MOST_INTEGER, min(MOST_INTEGER, int(value)))
    number = float(value)
    return number if math.isfinite(number) else 0.0


def _filler_text(option: Option, number: int) -> str:
    most = option.most if option.most is not None else max(option.least, 10_000)
    if option.format in UUID_OF:
        return FORMATS["uuid"][1].replace("-4", "-" + UUID_OF[option.format])
    if option.format == "decimal":
        return plain(_filler_number(option, number))
    known = FORMATS.get(ALIASES.get(option.format, option.format))
    if known is not None:
        return known[1].replace("01-01", f"01-{number % 28 + 1:02}", 1)  # a day for each number
    if option.pattern is not None:
        example = option.pattern.example(option.least, most)
        if example is not None:
            return example
    text = UNKNOWN if number == 0 else f"{UNKNOWN} {number}"
    return text[-most:].ljust(option.least, "x") if most else ""


def _filler_number(option: Option, number: int) -> Decimal:
    """The `number`-th value from 0, or from the end of the range that is nearer to it."""
    low, high = option.low, option.high
    step = option.step or Decimal(1)
    if option.kind == "integer":
        step = Decimal(Fraction(step).numerator)  # the least whole multiple
    value = step * number
    if low is not None and (value < low[0] or (low[1] and value == low[0])):
        value = (low[0] / step).to_integral_value(ROUND_CEILING) * step
        value += step * (number + (low[1] and value == low[0]))
    if high is not None and (value > high[0] or (high[1] and value == high[0])):
        value = (high[0] / step).to_integral_value(ROUND_FLOOR) * step
        value -= step * (high[1] and value == high[0])
    if not _in_range(option, value) and low is not None and high is not None:
        value = low[0] + (high[0] - low[0]) * (number % 7 + 1) / 8  # between two limits that are close
        if option.kind == "integer":
            value = value.to_integral_value(ROUND_HALF_EVEN)
    return value
