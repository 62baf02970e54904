"""A message as Anthropic's servers answer it → its text and its usage. Pure, and total: any JSON has some."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson

from pipeline.text import repaired
from pipeline.types import Usage

EXACT_DIGITS = 17  # a longer number may lose some of them as a float, or be no 64-bit integer
LONG_NUMBER = re.compile(rb"\d[\d.]{%d}" % EXACT_DIGITS)


def parsed(body: bytes) -> object:
    """The JSON in `body`, with every digit of its numbers; None when it is none."""
    try:
        if LONG_NUMBER.search(body):
            return json.loads(body, parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant)
        return orjson.loads(body)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def content_text(content: object, tool: str) -> str:
    """The input of the call of `tool` (or of the first call, where none is of it) as JSON, else all text.

    Thinking, redacted thinking and what server tools did are passed over, wherever they stand.
    """
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    calls = [block for block in blocks if block.get("type") == "tool_use" and "input" in block]
    for call in sorted(calls, key=lambda block: block.get("name") != tool)[:1]:
        return repaired(_json_text(call["input"]))
    return repaired("".join(_texts(blocks)))


def usage_of(usage: object) -> Usage:
    """Tokens as everywhere else: Anthropic's own `input_tokens` leaves out what was read from or written to a cache."""
    if not isinstance(usage, dict):
        return Usage()
    read, written = count(usage.get("cache_read_input_tokens")), _cache_writes(usage)
    details = usage.get("output_tokens_details")
    return Usage(
        count(usage.get("input_tokens")) + read + written,
        read,
        written,
        count(usage.get("output_tokens")),
        count(details.get("thinking_tokens")) if isinstance(details, dict) else 0,
    )


def refusal_words(message: Mapping[str, Any]) -> str:
    """Why the model declined, where the provider says so; the answer itself is often empty then."""
    details = message.get("stop_details")
    return repaired(string(details.get("explanation")) or "") if isinstance(details, dict) else ""


def count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        if block.get("type") == "text":
            yield string(block.get("text")) or ""


def _cache_writes(usage: Mapping[str, Any]) -> int:
    total, parts = usage.get("cache_creation_input_tokens"), usage.get("cache_creation")
    if total is None and isinstance(parts, dict):  # by lifetime: five minutes, an hour
        return sum(count(part) for name, part in parts.items() if name.endswith("_input_tokens"))
    return count(total)


def _json_text(value: object) -> str:
    """`value` as JSON; nothing where it is nested too deeply for that. A tool's broken input comes as text already."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, default=_digits).decode()
    except TypeError:
        return ""


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= EXACT_DIGITS else Decimal(digits)


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{value!r} is not JSON")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
