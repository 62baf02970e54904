"""A JSON Schema of any dialect → shapes: references followed, alternatives told apart, words read as rules. Pure.

Total: whatever is in a schema that is no schema is passed over, so that there is always something to fill.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec import Struct, field

from pipeline.sandbox.rules.fillers import measure
from pipeline.sandbox.rules.shapes import UNKNOWN_KIND, Field, Option, Shape, words_of
from pipeline.sandbox.rules.wording import with_words

KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
MAX_STEPS = 100_000  # of following references and alternatives, in one schema
MAX_OPTIONS = 64  # of one shape, alternatives within alternatives counted
MAX_CHAIN = 16  # of references and alternatives before anything is said
HINTS = (  # of what a schema without a type is about
    ("object", ("properties", "additionalProperties", "required", "patternProperties", "minProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
    ("string", ("pattern", "format", "minLength", "maxLength")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
EMPTY: Mapping[str, Any] = {}


class _Builder(Struct):
    root: Mapping[str, Any]
    shapes: dict[int, Shape] = field(default_factory=dict)  # by the identity of the schema they are of
    waiting: list[tuple[Shape, Any]] = field(default_factory=list)
    made: list[Mapping[str, Any]] = field(default_factory=list)  # schemas that are not in the root
    steps: int = 0

    def shape(self, raw: Any) -> Shape:  # noqa: ANN401 (any part of a schema)
        found = self.shapes.get(id(raw))
        if found is None:
            found = Shape()
            self.shapes[id(raw)] = found
            self.waiting.append((found, raw))
        return found

    def build(self) -> Shape:
        """The root's shape, with all that can be reached from it."""
        top = self.shape(self.root)
        while self.waiting:
            shape, raw = self.waiting.pop()
            listed = [with_words(one) for one in islice(self._alternatives(raw, 0), MAX_OPTIONS)]
            options = [option for one in _told_apart(listed) for option in self._options(one)]
            shape.options = tuple(options) or (Option({}, UNKNOWN_KIND, None),)
            shape.nullable = any(option.kind in {"null", UNKNOWN_KIND} for option in options)
        measure(list(self.shapes.values()))
        return top

    def _alternatives(self, raw: Any, chain: int) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 (as above)
        """The plain schemas that a schema is any one of."""
        self.steps += 1
        if not isinstance(raw, Mapping) or chain > MAX_CHAIN or self.steps > MAX_STEPS:
            yield {}
            return
        node = dict(raw)
        reference = node.pop("$ref", None)
        if reference is not None:
            node = {**_referred(self.root, reference), **node}
            yield from self._alternatives(node, chain + 1)
            return
        every = node.pop("allOf", None)
        if isinstance(every, list) and every:
            for part in every:
                node = _merged(node, next(self._alternatives(part, chain + 1)))
            yield from self._alternatives(node, chain + 1)
            return
        for keyword in ("anyOf", "oneOf"):
            either = node.pop(keyword, None)
            if isinstance(either, list) and either:
                for part in either[:MAX_OPTIONS]:
                    for one in self._alternatives(part, chain + 1):
                        yield _merged(node, one)
                return
        yield node

    def _options(self, node: Mapping[str, Any]) -> Iterator[Option]:
        choices = _choices(node)
        kinds = _kinds(node, choices)
        for kind in kinds:
            fitting = None if choices is None else tuple(one for one in choices if _is_a(one, kind))
            if fitting or fitting is None:
                yield self._option(node, kind, fitting)
        if node.get("nullable") is True and "null" not in kinds:
            yield Option({}, "null", None)

    def _option(self, node: Mapping[str, Any], kind: str, choices: tuple[Any, ...] | None) -> Option:
        option = Option(node, kind, choices)
        if kind == "object":
            required = node.get("required")
            names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
            properties = node.get("properties")
            properties = dict(properties) if isinstance(properties, Mapping) else {}
            for name in names:
                properties.setdefault(name, EMPTY)
            option.fields = tuple(
                Field(name, words_of(name), self.shape(inner), name in names) for name, inner in properties.items()
            )
            if not properties:
                self._entries(option)
        elif kind == "string" and isinstance(node.get("contentSchema"), Mapping):
            self.made.append(node)  # its parts are known by their identity
            option.values = self.shape(node["contentSchema"])
        elif kind == "array":
            prefix = node.get("prefixItems")
            option.prefix = tuple(map(self.shape, prefix)) if isinstance(prefix, list) else ()
            if node.get("items") is not False:
                option.items = self.shape(node.get("items", EMPTY))
        return option

    def _entries(self, option: Option) -> None:
        """What the keys and values of a map are."""
        patterns, values = option.raw.get("patternProperties"), option.raw.get("additionalProperties")
        names = option.raw.get("propertyNames")
        if isinstance(patterns, Mapping) and patterns:
            source, inner = next(iter(patterns.items()))
            option.names = Shape((Option({"pattern": source}, "string", None, size=1),))
            option.values = self.shape(inner)
        elif values is not False:
            option.values = self.shape(values if isinstance(values, Mapping) else EMPTY)
            option.names = self.shape(names) if isinstance(names, Mapping) else None


def shape_of(schema: Mapping[str, Any]) -> Shape:
    return _Builder(schema).build()


def _referred(root: Mapping[str, Any], reference: object) -> Mapping[str, Any]:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    found: Any = root
    for part in reference[1:].strip("/").split("/") if reference != "#" else ():
        name = part.replace("~1", "/").replace("~0", "~").replace("%25", "%")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both at once; where they disagree on a keyword, the second."""
    merged = {**first, **second}
    for keyword in ("properties", "$defs", "definitions"):
        both = first.get(keyword), second.get(keyword)
        if isinstance(both[0], Mapping) and isinstance(both[1], Mapping):
            merged[keyword] = {**both[0], **both[1]}
    notes = [note for note in (first.get("description"), second.get("description")) if isinstance(note, str)]
    if notes:
        merged["description"] = "; ".join(notes)
    names = first.get("required"), second.get("required")
    if isinstance(names[0], list) and isinstance(names[1], list):
        merged["required"] = [*names[0], *names[1]]
    return merged


def _told_apart(nodes: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Where a number and any text are to choose from, as for a Decimal, the text is a number's, with its limits."""
    number = next((node for node in nodes if node.get("type") == "number"), None)
    if number is None:
        return nodes
    decimal = {**number, "format": "decimal"}
    return [{**decimal, **node} if node.get("type") == "string" and _is_bare(node) else node for node in nodes]


def _is_bare(node: Mapping[str, Any]) -> bool:
    return not node.keys() & {"format", "enum", "const", "minLength", "maxLength"}


def _choices(node: Mapping[str, Any]) -> tuple[Any, ...] | None:
    if "const" in node:
        return (node["const"],)
    listed = node.get("enum")
    return tuple(listed) if isinstance(listed, list) and listed else None


def _kinds(node: Mapping[str, Any], choices: tuple[Any, ...] | None) -> list[str]:
    said = node.get("type")
    listed = said if isinstance(said, list) else [said]
    kinds = [kind.lower() for kind in listed if isinstance(kind, str) and kind.lower() in KINDS]
    if not kinds and choices is not None:
        kinds = [kind for kind in KINDS if any(_is_a(one, kind) for one in choices)]
    if not kinds:
        kinds = [next((kind for kind, keywords in HINTS if any(key in node for key in keywords)), UNKNOWN_KIND)]
    return list(dict.fromkeys(kinds))


def _is_a(value: object, kind: str) -> bool:
    if isinstance(value, bool) or value is None:
        return kind in {"null" if value is None else "boolean", UNKNOWN_KIND}
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    types: dict[str, tuple[type, ...]] = {"object": (dict,), "array": (list,), "string": (str,), "number": (int, float)}
    return isinstance(value, types[kind]) if kind in types else kind == UNKNOWN_KIND
