"""Small slips of an answer that no decoder was held to, mended where its schema leaves no doubt of what is meant. Pure.

A text that holds the list or the object that is asked for is read; null for a field that has a default, and takes no
null, is left out. All else stays as it is.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.schema.dialects.fit import PREFIX, Schema, likeness


def mended(schema: Schema, data: Any, load: Callable[[str], Any]) -> Any:  # noqa: ANN401 (any JSON value)
    """`load` reads JSON text, and raises ValueError for what is none."""
    return _Mender(schema.get("$defs", {}), load).value(schema, data)


class _Mender:
    def __init__(self, definitions: Mapping[str, Schema], load: Callable[[str], Any]) -> None:
        self._definitions = definitions
        self._load = load

    def value(self, schema: Schema, data: Any) -> Any:  # noqa: ANN401 (any JSON value)
        if isinstance(data, str):
            return self._text(schema, data)
        if isinstance(data, dict):
            return self._object(self._likeliest(schema, "object", data), data)
        if isinstance(data, list):
            return self._list(self._likeliest(schema, "array", data), data)
        return data

    def _text(self, schema: Schema, text: str) -> Any:  # noqa: ANN401 (any JSON value)
        options = list(self._options(schema))
        if any(_takes(one, "string", text) for one in options):
            return text
        try:
            found = self._load(text)
        except ValueError:
            return text
        kind = "object" if isinstance(found, dict) else "array" if isinstance(found, list) else ""
        return self.value(schema, found) if any(_takes(one, kind, found) for one in options) else text

    def _object(self, schema: Schema, data: dict[str, Any]) -> dict[str, Any]:
        known, required, others = schema.get("properties", {}), schema.get("required", ()), _others(schema)
        out = {}
        for name, value in data.items():
            inner = known.get(name, others)
            if value is None and name in known and name not in required and not self._takes_null(inner):
                continue
            out[name] = self.value(inner, value)
        return out

    def _list(self, schema: Schema, data: list[Any]) -> list[Any]:
        first, rest = schema.get("prefixItems", ()), schema.get("items")
        after = rest if isinstance(rest, dict) else {}
        return [self.value(first[at] if at < len(first) else after, one) for at, one in enumerate(data)]

    def _takes_null(self, schema: Schema) -> bool:
        return any(_takes(one, "null", None) for one in self._options(schema))

    def _likeliest(self, schema: Schema, kind: str, data: object) -> Schema:
        options = [one for one in self._options(schema) if one.get("type") == kind]
        if len(options) > 1:
            return max(options, key=lambda one: likeness(one, data, self._definitions))
        return options[0] if options else {}

    def _options(self, schema: Schema, seen: frozenset[str] = frozenset()) -> Iterator[Schema]:
        """What a schema may be, with references followed."""
        name = str(schema.get("$ref", ""))
        if name and name not in seen:
            yield from self._options(self._definitions.get(name.removeprefix(PREFIX), {}), seen | {name})
            return
        everything = schema.get("allOf", ())
        parts = schema.get("anyOf") or schema.get("oneOf") or (everything if len(everything) == 1 else ())
        for part in parts:
            yield from self._options(part, seen)
        if not parts:
            yield schema


def _takes(schema: Schema, kind: str, value: object) -> bool:
    """Whether a value of that JSON type may be one of the schema's."""
    if "enum" in schema or "const" in schema:
        return value in (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ()))
    kinds = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else None)
    return kinds is None or kind == kinds or (isinstance(kinds, list) and kind in kinds)


def _others(schema: Schema) -> Schema:
    found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}
