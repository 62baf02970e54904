"""A record → the answer in a dialect that says it: the way back from an answer, walked the other way. Pure.

The record is under the names that are asked for. What a schema asks for always and it leaves out is said as a model
would say that there is nothing: null, an empty list or map, the only constant.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pipeline.schema.dialects.fit import Schema, fits, resolved
from pipeline.schema.dialects.restore import (
    KEY,
    SAME,
    VALUE,
    WRAPPED,
    Back,
    Choice,
    Each,
    Fields,
    FieldWay,
    InOrder,
    Jump,
    Numbered,
    Pairs,
    Text,
    Way,
)


class NoAnswer(Exception):
    """The record cannot be said in the schema; the message says where and why."""


def answer_of(schema: Schema, back: Back, data: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """An answer of `schema` that `restored(back, answer)` makes `data` of, with what it leaves out filled in.

    Raises:
        NoAnswer: there is none.
    """
    speaker = _Speaker(back, schema.get("$defs", {}))
    if back.wrapped:
        return {WRAPPED: speaker.said(schema["properties"][WRAPPED], back.way, data, "")}
    return speaker.said(schema, back.way, data, "")


class _Speaker:
    def __init__(self, back: Back, definitions: Mapping[str, Schema]) -> None:
        self._back = back
        self._definitions = definitions

    def said(self, schema: Schema, way: Way, data: Any, path: str) -> Any:  # noqa: ANN401 (any JSON value)
        if isinstance(way, Jump):
            return self.said(self._definitions[way.name], self._back.ways.get(way.name, SAME), data, path)
        if isinstance(way, Text):
            return None if data is None and fits(schema, None, self._definitions) else self._text(way, data, path)
        schema = resolved(schema, self._definitions)
        if isinstance(way, Choice) or "anyOf" in schema:
            return self._chosen(schema, way, data, path)
        if isinstance(way, Numbered) and isinstance(data, list):
            return self._positions(schema, way, data, path)
        if isinstance(data, dict):
            return self._object(schema, way, data, path)
        if isinstance(data, list):
            return self._list(schema, way, data, path)
        return data

    def _text(self, way: Text, data: Any, path: str) -> str:  # noqa: ANN401 (any JSON value)
        inner = data if way.then == SAME else self.said({}, way.then, data, path)
        return json.dumps(inner, ensure_ascii=False, default=str)

    def _chosen(self, schema: Schema, way: Way, data: Any, path: str) -> Any:  # noqa: ANN401 (any JSON value)
        """As the first option that it fits."""
        if data is None and fits(schema, None, self._definitions):
            return None
        options = way.options if isinstance(way, Choice) else [(one, way) for one in schema["anyOf"]]
        for option, inner in options:
            with suppress(NoAnswer):
                said = self.said(option, inner, data, path)
                if fits(option, said, self._definitions):
                    return said
        raise NoAnswer(f"{path or 'the record'}: fits none of the types that are asked for there")

    def _object(self, schema: Schema, way: Way, data: dict[str, Any], path: str) -> Any:  # noqa: ANN401 (an object, or entries)
        if isinstance(way, Pairs):
            value = schema["items"]["properties"][VALUE]
            return [{KEY: key, VALUE: self.said(value, way.way, one, _at(path, key))} for key, one in data.items()]
        known = schema.get("properties", {})
        ways = way.fields if isinstance(way, Fields) else {}
        out = {}
        for asked, inner in known.items():
            field = ways.get(asked, FieldWay(asked))
            required = asked in schema.get("required", ())
            absent = field.name not in data or (not required and self._left_out(inner, field.way, data[field.name]))
            if not absent:
                out[asked] = self.said(inner, field.way, data[field.name], _at(path, field.name))
            elif required:
                out[asked] = self._nothing(inner, _at(path, field.name))
        names = {ways[asked].name if asked in ways else asked for asked in known}
        left = {name: one for name, one in data.items() if name not in names}
        return {**out, **self._further(schema, way, left, path)}

    def _left_out(self, schema: Schema, way: Way, data: Any) -> bool:  # noqa: ANN401 (any JSON value)
        """Whether a null is said by leaving the field out."""
        return data is None and not isinstance(way, Text) and not fits(schema, None, self._definitions)

    def _further(self, schema: Schema, way: Way, data: dict[str, Any], path: str) -> dict[str, Any]:
        others = schema.get("additionalProperties", True)
        if others is False and data:
            raise NoAnswer(f"{_at(path, next(iter(data)))}: is not asked for")
        inner: Schema = others if isinstance(others, dict) else {}
        every = way.way if isinstance(way, Each) else SAME
        return {name: self.said(inner, every, one, _at(path, name)) for name, one in data.items()}

    def _list(self, schema: Schema, way: Way, data: list[Any], path: str) -> list[Any]:
        first, after = schema.get("prefixItems", ()), schema.get("items", {})
        rest: Schema = after if isinstance(after, dict) else {}

        def way_of(number: int) -> Way:
            if isinstance(way, InOrder):
                return way.ways[number] if number < len(way.ways) else way.rest
            return way.way if isinstance(way, Each) else SAME

        return [
            self.said(first[number] if number < len(first) else rest, way_of(number), one, _at(path, number))
            for number, one in enumerate(data)
        ]

    def _positions(self, schema: Schema, way: Numbered, data: list[Any], path: str) -> dict[str, Any]:
        out = dict(self._in_order(schema, way, data, path))
        left = data[len(way.names) :]
        if way.rest:
            name, inner = way.rest
            out[name] = self._list(schema["properties"][name], Each(inner), left, path)
        elif left:
            raise NoAnswer(f"{path}: has {len(data)} items, and {len(way.names)} are asked for")
        return out

    def _in_order(self, schema: Schema, way: Numbered, data: list[Any], path: str) -> Iterator[tuple[str, Any]]:
        for number, (name, inner) in enumerate(zip(way.names, way.ways, strict=True)):
            known = number < len(data)
            yield name, self.said(schema["properties"][name], inner, data[number], _at(path, number)) if known else None

    def _nothing(self, schema: Schema, path: str) -> Any:  # noqa: ANN401 (any JSON value)
        """What is said of a field that a record leaves out."""
        found = resolved(schema, self._definitions)
        constants = found.get("enum", ())
        said = [None, [], {}, *([found["const"]] if "const" in found else constants if len(constants) == 1 else ())]
        for one in said:
            if fits(schema, one, self._definitions):
                return one
        raise NoAnswer(f"{path}: is asked for always. Write it into the record")


def _at(path: str, step: str | int) -> str:
    return f"{path}.{step}" if path else str(step)
