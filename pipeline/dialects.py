"""JSON Schema → the dialect that a provider enforces, and answers in it back to what the user's model takes. Pure.

Pydantic's schema is the source; the rewrite is undone with the same schema as guide, so the two cannot drift apart.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

KEPT = frozenset(
    ["type", "properties", "required", "items", "enum", "const", "anyOf", "$ref", "$defs", "description", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "additionalProperties"]
)
FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])
TOLD = {  # what strict mode does not enforce is said in the description
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "uniqueItems": "no item twice",
    "format": "format: {}",
}
WRAPPED = "value"  # the property that holds a root that is no object
ENTRIES = "a list of entries, one for each key"
JSON_TEXT = "any JSON value, written as JSON text"
NUMBER_TEXT = "a plain decimal number such as 1234.50, no thousands separators and no currency"


@dataclass(slots=True)
class Rewrite:
    """A schema on its way into the strict dialect, and what there is to tell about it."""

    root: Schema
    notes: list[str] = field(default_factory=list)

    def strict(self) -> dict[str, Any]:
        """The root as strict mode takes it: an object, every property required, nothing else allowed."""
        root = _resolved(self.root, self.root)
        if not _is_object(root):
            self.notes.append(f"the schema's root is no object: it is asked for as the property {WRAPPED!r}")
            root = {"type": "object", "properties": {WRAPPED: root}, "required": [WRAPPED]}
        rewritten = self._node(root, "")
        definitions = self.root.get("$defs", {})
        if definitions:
            rewritten["$defs"] = {name: self._node(inner, name) for name, inner in definitions.items()}
        return rewritten

    def _node(self, node: Schema, path: str) -> dict[str, Any]:
        if "$ref" in node:
            return {"$ref": node["$ref"]}
        if len(node.get("allOf", ())) == 1:
            node = {**node["allOf"][0], **{key: value for key, value in node.items() if key != "allOf"}}
        if _is_decimal(node):
            plain: dict[str, Any] = {"type": "string"}
            return self._described(
                {"anyOf": [plain, {"type": "null"}]} if _nullable(node) else plain, node, NUMBER_TEXT
            )
        if _is_any(node):
            return self._described({"type": "string"}, node, JSON_TEXT)
        if _is_map(node):
            return self._map(node, path)
        out = {key: value for key, value in node.items() if key in KEPT and key not in {"anyOf", "items", "properties"}}
        options = node.get("anyOf") or node.get("oneOf")
        if options:
            out["anyOf"] = [self._node(option, path) for option in options]
        if "prefixItems" in node:
            out |= self._tuple(node, path)
        elif "items" in node:
            out["items"] = self._node(node["items"], f"{path}[]")
        elif out.get("type") == "array":
            out["items"] = self._described({"type": "string"}, {}, JSON_TEXT)
        if _is_object(node):
            out |= self._object(node, path)
        if out.get("format") not in FORMATS:
            out.pop("format", None)
        return self._described(out, node)

    def _object(self, node: Schema, path: str) -> dict[str, Any]:
        properties = {}
        required = set(node.get("required", ()))
        for name, inner in node.get("properties", {}).items():
            rewritten = self._node(inner, f"{path}.{name}" if path else name)
            properties[name] = rewritten if name in required or _nullable(rewritten) else _or_null(rewritten)
        if node.get("additionalProperties") not in {None, False} and properties:
            self.notes.append(f"{path or 'the root'}: extra fields are not asked for (strict mode cannot say them)")
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

    def _map(self, node: Schema, path: str) -> dict[str, Any]:
        value = node.get("additionalProperties")
        inner = self._node(value if isinstance(value, Mapping) else {}, f"{path}.*")
        entry = {"key": {"type": "string"}, "value": inner}
        self.notes.append(
            f"{path}: a free-form map is asked for as {ENTRIES} and turned back (strict mode has no maps)"
        )
        item = {"type": "object", "properties": entry, "required": ["key", "value"], "additionalProperties": False}
        return self._described({"type": "array", "items": item}, node, ENTRIES)

    def _tuple(self, node: Schema, path: str) -> dict[str, Any]:
        kinds: list[dict[str, Any]] = []
        for inner in node["prefixItems"]:
            rewritten = self._node(inner, f"{path}[]")
            if rewritten not in kinds:
                kinds.append(rewritten)
        count = len(node["prefixItems"])
        return {"items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}, "minItems": count, "maxItems": count}

    def _described(self, out: dict[str, Any], node: Schema, more: str = "") -> dict[str, Any]:
        """`out` with the original's description, and what the dialect drops said in words."""
        told = [text.format(node[key]) for key, text in TOLD.items() if key in node and key not in out]
        parts = [part for part in (node.get("description"), more, *told) if part]
        if parts:
            out["description"] = "; ".join(parts)
        return out


def restore(node: Schema, data: Any, root: Schema) -> Any:  # noqa: ANN401 (any JSON value)
    """An answer in the strict dialect as `root`'s own model takes it. Total: what does not fit stays as it is."""
    node = _resolved(node, root)
    if len(node.get("allOf", ())) == 1:
        node = _resolved(node["allOf"][0], root)
    options = node.get("anyOf") or node.get("oneOf")
    if options and not _is_decimal(node):
        return _restored_option(options, data, root)
    if _is_any(node):
        return _from_json_text(data)
    if _is_map(node):
        return _restored_map(node, data, root)
    if isinstance(data, list):
        items = node.get("items")
        prefix = node.get("prefixItems", ())
        kinds = [prefix[n] if n < len(prefix) else items for n in range(len(data))]
        return [
            restore(kind, one, root) if isinstance(kind, Mapping) else one
            for kind, one in zip(kinds, data, strict=True)
        ]
    if isinstance(data, dict) and _is_object(node):
        return _restored_object(node, data, root)
    return data


def restored_root(root: Schema, data: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """The whole answer; a root that had to be wrapped is unwrapped."""
    top = _resolved(root, root)
    if not _is_object(top):
        data = data.get(WRAPPED, data) if isinstance(data, dict) and set(data) == {WRAPPED} else data
    return restore(root, data, root)


def needs_restoring(root: Schema) -> bool:
    """Whether any answer can differ from what the model takes; when not, an answer is parsed once."""
    top = _resolved(root, root)
    if not _is_object(top):
        return True
    return any(_node_needs(node) for node in (top, *root.get("$defs", {}).values()))


def _node_needs(node: Any) -> bool:  # noqa: ANN401 (any part of a schema)
    if isinstance(node, list):
        return any(map(_node_needs, node))
    if not isinstance(node, Mapping):
        return False
    if _is_decimal(node):
        return False
    if _is_any(node) or _is_map(node):
        return True
    required = set(node.get("required", ()))
    properties = node.get("properties", {})
    if any(name not in required and not _nullable(inner) for name, inner in properties.items()):
        return True  # a null in the place of a default is to be dropped
    parts = [
        *properties.values(),
        node.get("items"),
        node.get("prefixItems"),
        node.get("anyOf"),
        node.get("oneOf"),
        node.get("allOf"),
    ]
    return any(map(_node_needs, parts))


def _restored_option(options: list[Schema], data: Any, root: Schema) -> Any:  # noqa: ANN401 (any JSON value)
    if data is None and any(option.get("type") == "null" for option in options):
        return None
    candidates = [option for option in options if _could_be(_resolved(option, root), data)]
    if isinstance(data, dict):  # the model among several that has the most of these fields, and matches its constants
        candidates.sort(key=lambda option: -_likeness(_resolved(option, root), data))
    return restore(candidates[0], data, root) if candidates else data


def _could_be(option: Schema, data: Any) -> bool:  # noqa: ANN401 (any JSON value)
    if _is_map(option):
        return isinstance(data, list)
    if isinstance(data, dict):
        return _is_object(option)
    if isinstance(data, list):
        return option.get("type") == "array"
    return _is_any(option) and isinstance(data, str)


def _likeness(option: Schema, data: dict[str, Any]) -> int:
    properties = option.get("properties", {})
    wrong = sum("const" in inner and data.get(name) != inner["const"] for name, inner in properties.items())
    return len(properties.keys() & data.keys()) - len(data.keys() - properties.keys()) - 1000 * wrong


def _restored_object(node: Schema, data: dict[str, Any], root: Schema) -> dict[str, Any]:
    properties, required = node.get("properties", {}), set(node.get("required", ()))
    out = {}
    for name, value in data.items():
        inner = properties.get(name)
        if inner is None:
            out[name] = value
        elif value is None and name not in required and not _nullable(_resolved(inner, root)):
            continue  # the model's default applies
        else:
            out[name] = restore(inner, value, root)
    return out


def _restored_map(node: Schema, data: Any, root: Schema) -> Any:  # noqa: ANN401 (any JSON value)
    if not isinstance(data, list) or not all(isinstance(one, dict) and set(one) == {"key", "value"} for one in data):
        return data
    value = node.get("additionalProperties")
    inner = value if isinstance(value, Mapping) else {}
    return {str(one["key"]): restore(inner, one["value"], root) for one in data}


def _from_json_text(data: Any) -> Any:  # noqa: ANN401 (any JSON value)
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data


def _resolved(node: Schema, root: Schema) -> Schema:
    for _ in range(16):  # a chain of references; a circle of nothing but references ends here
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
            return node
        name = reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        node = root.get("$defs", {}).get(name, {})
    return node


def _is_object(node: Schema) -> bool:
    return "properties" in node or (node.get("type") == "object" and node.get("additionalProperties") is False)


def _is_map(node: Schema) -> bool:
    return node.get("type") == "object" and "properties" not in node and node.get("additionalProperties") is not False


def _is_any(node: Schema) -> bool:
    return not node.keys() & {"type", "anyOf", "oneOf", "allOf", "$ref", "enum", "const", "properties"}


def _is_decimal(node: Schema) -> bool:
    """Pydantic writes a Decimal as a number or a string of digits."""
    options = node.get("anyOf", ())
    kinds = {option.get("type") for option in options} - {"null"}
    return kinds == {"number", "string"} and any(
        "pattern" in option for option in options if option.get("type") == "string"
    )


def _nullable(node: Schema) -> bool:
    options = node.get("anyOf") or node.get("oneOf") or ()
    return node.get("type") == "null" or any(option.get("type") == "null" for option in options)


def _or_null(node: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in node and len(node) == 1:
        return {"anyOf": [*node["anyOf"], {"type": "null"}]}
    inner = {key: value for key, value in node.items() if key != "description"}
    out: dict[str, Any] = {"anyOf": [inner, {"type": "null"}]}
    if "description" in node:
        out["description"] = node["description"]
    return out
