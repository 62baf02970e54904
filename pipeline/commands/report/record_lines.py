"""A record as indented JSON, line by line, each with the path of its value: the path that evidence has it by. Pure."""

import json
from collections.abc import Iterator, Mapping

from msgspec import Struct


class Line(Struct, frozen=True):
    """`path`: of a value; "" on lines that have a bracket only. `value` stands between the other two."""

    before: str
    value: str = ""
    after: str = ""
    path: str = ""

    def __str__(self) -> str:
        return f"{self.before}{self.value}{self.after}"


def lines_of(record: object) -> Iterator[Line]:
    """As of `json.dumps` with an indent of 2.

    >>> [(line.path, line.value) for line in lines_of({"lines": [{"amount": 5}]}) if line.path]
    [('lines[0].amount', '5')]
    """
    return _lines(record, "", "", "", "")


def bounded(lines: Iterator[Line], most: int) -> tuple[tuple[Line, ...], int]:
    """Lines up to `most` characters, and how many characters come after them; of a longer value its beginning."""
    shown: list[Line] = []
    left, more = most, 0
    for line in lines:
        length = len(str(line))
        if more or length > left:
            cut = line.value[: max(0, left - len(line.before))] if not more and line.value else ""
            if cut:
                shown.append(Line(line.before, cut, "", line.path))
            more += length - (len(line.before) + len(cut) if cut else 0)
        else:
            shown.append(line)
        left -= length
    return tuple(shown), more


def _lines(value: object, path: str, pad: str, head: str, tail: str) -> Iterator[Line]:
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        value = dict(value)  # how a column of free keys comes
    if isinstance(value, Mapping) and value:
        inner = [(f"{path}.{key}" if path else str(key), f"{_json(str(key))}: ", one) for key, one in value.items()]
        yield from _nested("{}", inner, pad, head, tail)
    elif isinstance(value, list) and value:
        yield from _nested("[]", [(f"{path}[{n}]", "", one) for n, one in enumerate(value)], pad, head, tail)
    else:
        yield Line(pad + head, _json(value), tail, path)


def _nested(brackets: str, inner: list[tuple[str, str, object]], pad: str, head: str, tail: str) -> Iterator[Line]:
    yield Line(f"{pad}{head}{brackets[0]}")
    for number, (path, key, one) in enumerate(inner, 1):
        yield from _lines(one, path, f"{pad}  ", key, "," if number < len(inner) else "")
    yield Line(f"{pad}{brackets[1]}{tail}")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
