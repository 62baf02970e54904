"""Whether a published value is the one that the ledger has as JSON. Pure."""

import base64
import json
from decimal import Decimal
from typing import Any

from pipeline.schema.fields import EXTRA


def same(typed: Any, plain: Any) -> bool:  # noqa: ANN401 (any value of a record)
    """Whether a typed value is what a JSON value became. Types that JSON has no word for are compared as text."""
    if isinstance(typed, dict) and isinstance(plain, dict):
        return all(same(value, plain.get(name)) for name, value in typed.items() if name in plain or name != EXTRA)
    if isinstance(typed, list) and isinstance(plain, list):
        return len(typed) == len(plain) and all(map(same, typed, plain))
    if typed is None or plain is None:
        return typed is None and plain is None
    if isinstance(typed, Decimal):
        return typed == Decimal(str(plain))
    if isinstance(typed, float) and isinstance(plain, int | float | str):
        return str(typed) == str(float(plain))  # NaN is equal to NaN
    if isinstance(typed, bool | int | float):
        return bool(typed == plain)
    if isinstance(typed, str) and isinstance(plain, str):
        return typed in {plain, json.dumps(plain, ensure_ascii=False)} or _decoded(plain) == typed.encode()
    return True  # dates, times, bytes and JSON texts have been judged when they were written


def _decoded(text: str) -> bytes | None:
    """What stands behind Base64Str, whose value is published decoded."""
    try:
        return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except ValueError:
        return None
