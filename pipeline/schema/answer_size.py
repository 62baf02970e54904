"""How many tokens an answer in a schema has, before any was seen: a walk over the schema. Pure.

A guess from shape alone is off by a factor of two or more, and says so by its band. History replaces it.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Schema = Mapping[str, Any]
DEEPEST = 6  # of a schema that refers to itself
CHARS_PER_TOKEN = 3.5  # of property names, which are words joined by underscores
PUNCTUATION_TOKENS = 3  # quotes, colon and comma of one property
OBJECT_TOKENS = 2
MINIFIED, INDENTED = 1.0, 1.45  # models indent their JSON when nothing stops them


class AnswerSize(Struct, frozen=True):
    """Tokens of one answer."""

    low: float
    expected: float
    high: float

    def __add__(self, other: "AnswerSize") -> "AnswerSize":
        return AnswerSize(self.low + other.low, self.expected + other.expected, self.high + other.high)


NULL = AnswerSize(1, 1, 1)
TYPES = {
    "string": AnswerSize(1, 8, 40),
    "integer": AnswerSize(1, 2, 4),
    "number": AnswerSize(1, 3, 6),
    "boolean": AnswerSize(1, 1, 1),
    "null": NULL,
}
FORMATS = {
    "date": AnswerSize(5, 6, 6),
    "date-time": AnswerSize(10, 12, 14),
    "time": AnswerSize(4, 5, 7),
    "uuid": AnswerSize(18, 22, 26),
}
ITEMS = (0, 4, 20)  # of a list, where the schema says nothing
LONG_NAMES = frozenset("summary description text body notes abstract reasoning explanation content".split())  # noqa: SIM905 (words)
LONG_TEXT = AnswerSize(5, 40, 160)


def answer_tokens(schema: Schema) -> AnswerSize:
    """Tokens of one answer in `schema`, a JSON Schema in any dialect."""
    size = _node(schema, schema, "", 0)
    return AnswerSize(max(1.0, size.low) * MINIFIED, size.expected * (MINIFIED + INDENTED) / 2, size.high * INDENTED)


def _node(value: object, root: Schema, name: str, depth: int) -> AnswerSize:
    node = _resolved(value, root)
    if depth > DEEPEST:
        return NULL
    if "const" in node or "enum" in node:
        return _choice(_list(node.get("enum")) or [node.get("const")])
    options = _list(node.get("anyOf")) or _list(node.get("oneOf"))
    if options:
        return _union([_node(option, root, name, depth + 1) for option in options])
    kind = node.get("type")
    if isinstance(kind, list) and kind:
        return _union([_node({**node, "type": one}, root, name, depth + 1) for one in kind])
    if kind == "object" or "properties" in node:
        return _object(node, root, depth)
    if kind == "array":
        return _array(node, root, name, depth)
    if kind == "string" and name.lower() in LONG_NAMES:
        return LONG_TEXT
    return FORMATS.get(str(node.get("format")), TYPES.get(str(kind), TYPES["string"]))


def _object(node: Schema, root: Schema, depth: int) -> AnswerSize:
    size = AnswerSize(OBJECT_TOKENS, OBJECT_TOKENS, OBJECT_TOKENS)
    properties = node.get("properties")
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        key = PUNCTUATION_TOKENS + max(1.0, len(name) / CHARS_PER_TOKEN)
        size += AnswerSize(key, key, key) + _node(inner, root, name, depth + 1)
    return size


def _array(node: Schema, root: Schema, name: str, depth: int) -> AnswerSize:
    least, most = node.get("minItems"), node.get("maxItems")
    low, expected, high = (max(least, count) if isinstance(least, int) else count for count in ITEMS)
    if isinstance(most, int) and most >= 0:
        low, expected, high = (min(most, count) for count in (low, expected, high))
    item = _node(node.get("items"), root, name, depth + 1)
    brackets = AnswerSize(OBJECT_TOKENS, OBJECT_TOKENS, OBJECT_TOKENS)
    return brackets + AnswerSize(low * (item.low + 1), expected * (item.expected + 1), high * (item.high + 1))


def _choice(values: list[Any]) -> AnswerSize:
    sizes = [max(1.0, len(str(value)) / CHARS_PER_TOKEN) for value in values]
    return AnswerSize(min(sizes), sum(sizes) / len(sizes), max(sizes))


def _union(sizes: list[AnswerSize]) -> AnswerSize:
    """The likeliest is the largest: null is what a field is when there is nothing to say."""
    return AnswerSize(min(s.low for s in sizes), max(s.expected for s in sizes), max(s.high for s in sizes))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _resolved(value: object, root: Schema) -> Schema:
    node: Schema = value if isinstance(value, Mapping) else {}  # true and false are schemas too
    for _ in range(16):
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        found: Any = root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        node = found if isinstance(found, Mapping) else {}
    return node
