"""Reading JSON that may hold anything, without raising: what is not of the right type counts as missing. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

LONG_NUMBER = re.compile(rb"\d{16}")


def parsed(data: bytes) -> object:
    """None for what is no JSON. Whole numbers stay exact: orjson reads those of more than 64 bits as floats."""
    try:
        value: object = orjson.loads(data)
        return json.loads(data) if LONG_NUMBER.search(data) else value
    except orjson.JSONDecodeError:
        return None
    except (ValueError, RecursionError):  # more digits, or levels, than Python reads
        return value


def dumped(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; nothing of what is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def string(value: object) -> str:
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0
