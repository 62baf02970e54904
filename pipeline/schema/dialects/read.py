"""JSON schema → kinds. Pure.

The schema is Pydantic's, or one that a user wrote by hand for a type: so every schema can be read, and what has no kind
of its own is read as any JSON, with a note.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.schema.dialects.nodes import (
    MISSING,
    Anything,
    Field,
    Items,
    Map,
    Named,
    Node,
    OneOf,
    Positions,
    Record,
    Scalar,
    Schema,
    SchemaReading,
    Values,
)

IMPOSSIBLE: Final = "x-impossible"  # on a schema for which there is none; the value says why
NUMBER_RULES = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
RULES = {  # what narrows a type. The number rules of a string, maxDigits and decimalPlaces are those of a Decimal
    "string": (
        *("format", "pattern", "minLength", "maxLength", "contentMediaType"),
        *(*NUMBER_RULES, "maxDigits", "decimalPlaces"),
    ),
    "number": NUMBER_RULES,
    "integer": NUMBER_RULES,
    "array": ("minItems", "maxItems", "uniqueItems"),
    "object": ("minProperties", "maxProperties", "propertyNames"),
    "boolean": (),
    "null": (),
}
MOST_EXAMPLES = 3


def read(original: Schema) -> SchemaReading:
    """The schema as kinds. Problems and notes begin with the path of a field, in the user's own names."""
    reader = _SchemaReader({**original.get("definitions", {}), **original.get("$defs", {})})
    kinds = {name: reader.kind(node, name, top=True) for name, node in reader.definitions.items()}
    root = reader.kind({key: value for key, value in original.items() if key != "$defs"}, "", top=True)
    return SchemaReading(root, kinds, tuple(reader.notes), tuple(reader.problems))


class _SchemaReader(Struct):
    definitions: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def kind(self, node: object, path: str, *, top: bool = False) -> Node:
        if node is True:
            return Anything()
        if not isinstance(node, Mapping) or IMPOSSIBLE in node:
            why = node[IMPOSSIBLE] if isinstance(node, Mapping) else "nothing is valid for it"
            self.problems.append(f"{path or 'the schema'}: {why}")
            return Anything()
        node = self._merged(node)
        words = _words(node, top=top)
        if "$ref" in node:
            name = _name(node["$ref"])
            if name in self.definitions:
                return Named(name, words=words)
            return self._unknown(path, f"refers to {node['$ref']!r}, which is not in the schema", words)
        if "const" in node:
            return Values((node["const"],), words=words)
        if isinstance(node.get("enum"), Sequence):
            return Values(tuple(node["enum"]), words=words)
        options = node.get("anyOf") or node.get("oneOf")
        if options:
            return self._one_of(options, path, words)
        if isinstance(node.get("type"), list):
            bare = {key: value for key, value in node.items() if key not in {"description", "title", "examples"}}
            return self._one_of([{**bare, "type": kind} for kind in node["type"]], path, words)
        return self._typed(node, path, words)

    def _typed(self, node: Schema, path: str, words: tuple[str, ...]) -> Node:
        kind = node.get("type")
        if kind == "object" or "properties" in node:
            return self._object(node, path, words)
        if kind == "array" or "items" in node or "prefixItems" in node:
            return self._array(node, path, words)
        if kind in RULES:
            return Scalar(kind, _rules(node, kind), words=words)
        if kind is not None:
            return self._unknown(path, f"has the type {kind!r}, which is none of JSON", words)
        return Anything(words=words)

    def _object(self, node: Schema, path: str, words: tuple[str, ...]) -> Node:
        further = node.get("additionalProperties")
        if "properties" not in node and further is not False:
            patterns = list(node.get("patternProperties", {}).values())
            value = {"anyOf": patterns} if patterns else further if isinstance(further, Mapping) else True
            return Map(self.kind(value, f"{path}.*"), _rules(node, "object"), words=words)
        required = set(node.get("required", ()))
        fields = []
        for name, inner in node.get("properties", {}).items():
            place = f"{path}.{name}" if path else name
            if name not in required and _impossible(inner):
                why = _impossible(inner).partition(". ")[0]
                self.notes.append(f"{place}: is not asked for, its default is taken ({why})")
                continue
            default = inner.get("default", MISSING) if isinstance(inner, Mapping) else MISSING
            fields.append(Field(name, self.kind(inner, place), name in required, default))
        extra = self.kind(further, f"{path}.*") if further not in (None, False) else None
        return Record(tuple(fields), extra, further is False, words=words)

    def _array(self, node: Schema, path: str, words: tuple[str, ...]) -> Node:
        after = node.get("items", True)
        prefix = node.get("prefixItems")
        if not isinstance(prefix, Sequence):
            return Items(self.kind(after, f"{path}[]"), _rules(node, "array"), words=words)
        kinds = tuple(self.kind(one, f"{path}[{number}]") for number, one in enumerate(prefix))
        ends = after is False or node.get("maxItems", len(kinds) + 1) <= len(kinds)
        rest = None if ends else self.kind(after, f"{path}[]")
        return Positions(kinds, min(node.get("minItems", 0), len(kinds)), rest, words=words)

    def _one_of(self, options: Sequence[Any], path: str, words: tuple[str, ...]) -> Node:
        kinds: list[Node] = []
        nullable = False
        possible = [option for option in options if not _impossible(option)] or options[:1]
        for option in options if len(possible) < len(options) else ():
            if why := _impossible(option):
                self.notes.append(f"{path}: one of its types is not asked for ({why})")
        for option in possible:
            kind = self.kind(option, path)
            if kind in (Scalar("null"), Values((None,))):
                nullable = True
            else:
                kinds.append(kind)
        if not kinds:
            return Scalar("null", words=words)
        if len(kinds) == 1 and not nullable:
            return replace(kinds[0], words=(*words, *kinds[0].words))
        return OneOf(tuple(kinds), nullable, words=words)

    def _merged(self, node: Schema) -> Schema:
        """A node with what its `allOf` says; one that refers only stays a reference."""
        everything = node.get("allOf")
        if not everything:
            return node
        own = {key: value for key, value in node.items() if key != "allOf"}
        if len(everything) == 1:
            return {**everything[0], **own}
        merged: dict[str, Any] = {}
        for part in everything:
            part = self.definitions.get(_name(part.get("$ref")), part)  # noqa: PLW2901 (the part itself)
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            required = [*merged.get("required", ()), *part.get("required", ())]
            merged |= {**part, **({"properties": properties, "required": required} if properties else {})}
        return {**merged, **own}

    def _unknown(self, path: str, what: str, words: tuple[str, ...]) -> Node:
        self.notes.append(f"{path or 'the schema'}: {what}; any JSON is asked for there")
        return Anything(words=words)


def _rules(node: Schema, kind: str) -> dict[str, Any]:
    return {key: node[key] for key in RULES[kind] if node.get(key) is not None and node[key] is not False}


def _words(node: Schema, *, top: bool) -> tuple[str, ...]:
    """`top`: the title of a definition is the name of its class, and says nothing new."""
    said = [node.get("description")] if top else [node.get("title"), node.get("description")]
    examples = node.get("examples")
    if isinstance(examples, list) and examples:
        shown = ", ".join(json.dumps(one, ensure_ascii=False, default=str) for one in examples[:MOST_EXAMPLES])
        said.append(f"such as {shown}")
    return tuple(str(one).strip() for one in said if one)


def _name(reference: object) -> str:
    if not isinstance(reference, str):
        return ""
    for prefix in ("#/$defs/", "#/definitions/"):
        if reference.startswith(prefix):
            return reference.removeprefix(prefix).replace("~1", "/").replace("~0", "~")
    return reference


def _impossible(node: object) -> str:
    """Why there is no schema for it, or ""."""
    if not isinstance(node, Mapping):
        return ""
    if IMPOSSIBLE in node:
        return str(node[IMPOSSIBLE])
    options = node.get("anyOf") or ()
    found = [_impossible(option) for option in options if option != {"type": "null"}]
    return found[0] if found and all(found) else ""
