"""The least that a schema takes, where a document says nothing. Pure, and sure to end.

Every step goes to a shape whose least value is smaller; what has no end, or is too large, gets an empty value.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.sandbox.rules.shapes import ENDLESS, Option, Shape
from pipeline.sandbox.rules.values import filler

MAX_SIZE = 100_000  # values of a record
MAX_DEPTH = 100
MAX_TWINS = 100  # tries to find an item that a list has not got yet
MAX_ROUNDS = 2 * MAX_DEPTH
EMPTY = {"object": dict, "array": list, "string": str, "integer": int, "number": float, "boolean": bool}


def measure(shapes: Sequence[Shape]) -> None:
    """Find how large the least value of every option is, so that filling always knows a way to an end."""
    options = [option for shape in shapes for option in shape.options]
    for _ in range(MAX_ROUNDS):
        changed = False
        for option in options:
            size, depth = _measured(option)
            if size < option.size:
                option.size, option.depth, changed = size, depth, True
        if not changed:
            return


def _measured(option: Option) -> tuple[int, int]:
    """(size, depth), by what is known so far of its parts."""
    size, depth = 1, 1
    for shape, count in _parts(option) if option.choices is None else ():
        part = min(shape.options, key=lambda one: one.size)
        if count:
            size, depth = size + count * part.size, max(depth, 1 + part.depth)
    return (size, depth) if size <= MAX_SIZE and depth <= MAX_DEPTH else (ENDLESS, 0)


def _parts(option: Option) -> Iterator[tuple[Shape, int]]:
    """The shapes that have to be filled, and how often."""
    if option.kind == "array":
        fixed = option.prefix[: option.least]
        yield from ((shape, 1) for shape in fixed)
        if option.items is not None:
            yield option.items, max(0, option.least - len(fixed))
        return
    required = [one.shape for one in option.fields if one.required]
    yield from ((shape, 1) for shape in required)
    if option.values is not None:
        yield option.values, 1 if option.kind == "string" else max(0, option.least - len(required))


def least(shape: Shape, number: int = 0) -> Any:  # noqa: ANN401 (any JSON value)
    """A value that fits; another one for another `number`, where there is one."""
    return _least(shape.lowest, number)


def empty(shape: Shape) -> Any:  # noqa: ANN401 (any JSON value)
    """What is put where there is no room for the least; it may not fit."""
    return None if shape.nullable else EMPTY.get(shape.lowest.kind, dict)()


def least_array(option: Option, begun: Sequence[Any] = ()) -> list[Any]:
    """A list that goes on from what it has, up to the least number of items."""
    values = list(begun)
    fixed = option.least == option.most  # maybe a tuple, as one dialect writes it: each place in its own kind
    number = 0
    while len(values) < option.least and number < option.least + MAX_TWINS:
        place, number = len(values), number + 1
        if place < len(option.prefix):
            values.append(least(option.prefix[place]))
        elif option.items is None:
            break
        else:
            kinds = [one for one in option.items.options if one.size < ENDLESS] if fixed else []
            value = _least(
                kinds[place % len(kinds)] if kinds else option.items.lowest, number - 1 if option.unique else 0
            )
            if not (option.unique and value in values):
                values.append(value)
    return values


def _least(option: Option, number: int) -> Any:  # noqa: ANN401 (any JSON value)
    if option.size >= ENDLESS and option.kind in EMPTY:
        return EMPTY[option.kind]()
    if option.choices is None and option.kind == "string" and option.values is not None:
        return json.dumps(least(option.values, number), ensure_ascii=False)
    if option.choices is not None or option.kind not in {"object", "array"}:
        return filler(option, number)
    if option.kind == "array":
        return least_array(option)
    out = {field.name: least(field.shape, number) for field in option.fields if field.required}
    while len(out) < option.least and option.values is not None:
        place = len(out)
        name = least(option.names, place) if option.names is not None else f"key {place + 1}"
        if name in out:
            break
        out[str(name)] = least(option.values, place)
    return out
