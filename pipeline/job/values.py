"""One value of a job file as the type that its setting asks for, or what it should have been. Pure."""

import math
import types
import typing
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

from msgspec import Meta

from pipeline.text import did_you_mean


class WrongValue(Exception):
    """The message names the key, the value and what it should be."""


def typed(hint: Any, value: Any, key: str) -> Any:  # noqa: ANN401 (any TOML value)
    """`value` as the type that `hint` asks for, or a WrongValue that says what it should have been."""
    hint, meta = plain_type(hint)
    if get_origin(hint) is Literal:
        return _choice(get_args(hint), value, key)
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise WrongValue(f'{key} = {shown(value)} should be a list of strings, such as ["a", "b"]')
        return tuple(value)
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if hint is Decimal and (number or isinstance(value, str)):
        return _money(value, key)
    if hint is float and number:
        value = float(str(value))  # what is too large for a float becomes inf
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {str: "a string in quotes", int: "a whole number", float: "a number", bool: "true or false"}
        raise WrongValue(f"{key} = {shown(value)} should be {names.get(hint, 'a number')}")
    return _in_range(value, meta, key) if number else value


def plain_type(hint: Any) -> tuple[Any, Meta | None]:  # noqa: ANN401 (any type)
    """A setting's type without its `| None` (TOML has no null), and the range that it is annotated with."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is typing.Annotated:
        hint, meta = get_args(hint)
        return hint, meta
    return hint, None


def _choice(choices: Sequence[Any], value: Any, key: str) -> Any:  # noqa: ANN401 (any TOML value)
    if value in choices and isinstance(value, str):
        return value
    hint = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise WrongValue(f"{key} = {shown(value)} should be one of {', '.join(choices)}.{hint}")


def _money(value: object, key: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        raise WrongValue(f"{key} = {shown(value)} should be an amount in USD, such as 5.00") from None
    if not amount.is_finite() or amount < 0:
        raise WrongValue(f"{key} = {shown(value)} should be 0 or more USD")
    return amount


def _in_range(value: Any, meta: Meta | None, key: str) -> Any:  # noqa: ANN401 (any TOML value)
    """A number within what the setting's own annotation allows."""
    wrong = ""
    if meta is not None and meta.le == 1 and not 0 <= value <= 1:
        wrong = "a share between 0 and 1"
    elif meta is not None and meta.gt == 0 and not value > 0:
        wrong = "more than 0"
    elif meta is not None and meta.ge == 0 and not value >= 0:
        wrong = "0 or more"
    elif not math.isfinite(value):
        wrong = "a number" if meta is None else "0 or more"
    if wrong:
        raise WrongValue(f"{key} = {value} should be {wrong}")
    return value


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
