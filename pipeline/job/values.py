"""One value of a job file as the type that its setting asks for, or what it should have been. Pure."""

import collections.abc
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

from msgspec import Meta, Struct
from msgspec.structs import fields

from pipeline.text import did_you_mean


class WrongValue(Exception):
    """The message names the key, the value and what it should be."""


def typed(hint: Any, value: Any, key: str) -> Any:  # noqa: ANN401 (any TOML value)
    """`value` as the type that `hint` asks for, or a WrongValue that says what it should have been."""
    if (either := _or_else(hint)) is not None:
        choices, hint = either
        if not _fits(hint, value):
            return _choice(get_args(choices), value, key, or_else=f", or {_described(hint)}")
    hint, meta = plain_type(hint)
    if (made := _made(hint, value, key)) is not None:
        return made
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if hint is Decimal and (number or isinstance(value, str)):
        return _money(value, key)
    if hint is float and number:
        value = float(str(value))  # what is too large for a float becomes inf
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {str: "a string in quotes", int: "a whole number", float: "a number", bool: "true or false"}
        raise WrongValue(f"{key} = {shown(value)} should be {names.get(hint, 'a number')}")
    return _in_range(value, meta, key) if number else value


def _made(hint: Any, value: Any, key: str) -> Any:  # noqa: ANN401 (any type, any TOML value)
    """Of a word of several, a table, or a list; None where the hint is none of these."""
    if get_origin(hint) is Literal:
        return _choice(get_args(hint), value, key)
    if get_origin(hint) is collections.abc.Mapping:
        return _table(get_args(hint)[1], value, key)
    if get_origin(hint) is not tuple:
        return None
    if issubclass(get_args(hint)[0], Struct):
        return _tables(get_args(hint)[0], value, key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongValue(f'{key} = {shown(value)} should be a list of strings, such as ["a", "b"]')
    return tuple(value)


def _or_else(hint: Any) -> tuple[Any, Any] | None:  # noqa: ANN401 (any type)
    """Of "one of these words, or a number, or a text of this pattern": both; None where it is something else."""
    parts = get_args(hint) if get_origin(hint) in (types.UnionType, typing.Union) else ()
    words = [part for part in parts if get_origin(part) is Literal]
    others = [part for part in parts if get_origin(part) is typing.Annotated]
    return (words[0], others[0]) if words and others else None


def otherwise(hint: Any) -> str:  # noqa: ANN401 (any type)
    """What may stand where a setting has words to choose from, as people are told; "" where nothing may."""
    either = _or_else(hint)
    return _described(either[1]) if either else ""


def _described(hint: Any) -> str:  # noqa: ANN401 (any type)
    meta = plain_type(hint)[1]
    return (meta and meta.description) or "a whole number"


def _fits(hint: Any, value: Any) -> bool:  # noqa: ANN401 (any type, any TOML value)
    """Whether a value is of the kind that may stand instead of one of the words."""
    kind, meta = plain_type(hint)
    if isinstance(value, bool) or not isinstance(value, kind):
        return False
    pattern = (meta.extra or {}).get("pattern", "") if meta else ""
    return kind is not str or re.match(pattern, value) is not None


def _table(inner: Any, value: Any, key: str) -> dict[str, Any]:  # noqa: ANN401 (any type, any TOML value)
    if not isinstance(value, Mapping):
        raise WrongValue(f'{key} = {shown(value)} should be a table, such as {{name = "value"}}')
    if inner is Any:
        return {name: _plain(one, f"{key}.{name}") for name, one in value.items()}
    return {name: typed(inner, one, f"{key}.{name}") for name, one in value.items()}


def _plain(value: Any, key: str) -> Any:  # noqa: ANN401 (any TOML value)
    """As JSON has it: a date or a time as text, in ISO's form."""
    if isinstance(value, Mapping):
        return {name: _plain(one, f"{key}.{name}") for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, f"{key}.{number}") for number, one in enumerate(value)]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise WrongValue(f"{key} = {value} is no number that JSON has")
    return value


def _tables(kind: type[Struct], value: Any, key: str) -> tuple[Struct, ...]:  # noqa: ANN401 (any TOML value)
    """Of `[[key]]`, each with the fields of `kind`, all of them needed."""
    names = {field.name: field.type for field in fields(kind)}
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise WrongValue(
            f"{key} = {shown(value)} should be tables: write [[{key}]], and {' and '.join(names)} below each"
        )
    made = []
    for number, one in enumerate(value, 1):
        place = f"[[{key}]] number {number}"
        for name in (name for name in one if name not in names):
            known = f" Known keys: {', '.join(names)}"
            raise WrongValue(f"{place}: unknown key {name}.{did_you_mean(name, names, known)}")
        if missing := [name for name in names if name not in one]:
            raise WrongValue(f"{place} needs {' and '.join(missing)}")
        made.append(kind(**{name: typed(hint, one[name], f"{key}[{number}].{name}") for name, hint in names.items()}))
    return tuple(made)


def plain_type(hint: Any) -> tuple[Any, Meta | None]:  # noqa: ANN401 (any type)
    """A setting's type without its `| None` (TOML has no null), and the range that it is annotated with."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is typing.Annotated:
        hint, meta = get_args(hint)
        return hint, meta
    return hint, None


def _choice(choices: Sequence[Any], value: Any, key: str, or_else: str = "") -> Any:  # noqa: ANN401 (any TOML value)
    if value in choices and isinstance(value, str):
        return value
    hint = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise WrongValue(f"{key} = {shown(value)} should be one of {', '.join(choices)}{or_else}.{hint}")


def _money(value: object, key: str) -> Decimal:
    share = key.endswith("_share")  # the one number of a job that is multiplied with money, and is none
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        wanted = "a share between 0 and 1" if share else "an amount in USD, such as 5.00"
        raise WrongValue(f"{key} = {shown(value)} should be {wanted}") from None
    if not amount.is_finite() or amount < 0 or (share and amount > 1):
        raise WrongValue(f"{key} = {shown(value)} should be {'a share between 0 and 1' if share else '0 or more USD'}")
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
