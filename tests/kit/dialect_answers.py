"""A model that answers as it is asked: from a schema in a dialect and the plain JSON of a record, an answer to it.

Written against the schema alone: it knows nothing of how the schema was made, but reads the descriptions as a language
model would.
"""

import json
import re

from jsonschema import Draft202012Validator

FIELD = re.compile(r'the field "(.*?)"(?:;|$)', re.DOTALL)
UNSAID = object()
FORM = re.compile(r"JSON text in the form of (\w+)")


class NoAnswer(Exception):
    """The schema leaves no way to say this record."""


class Answerer:
    def __init__(self, schema):
        self.schema = schema
        self.inventing = True  # something is said for what the record leaves out
        self.definitions = schema.get("$defs", {})

    def answer(self, node, value):
        if isinstance(node, bool):
            return value
        if "$ref" in node:
            return self.answer(self.definitions[node["$ref"].removeprefix("#/$defs/")], value)
        if "anyOf" in node:
            return self._of_options(node, value)
        if "enum" in node or "const" in node:
            return self._constant(node, value)
        kind = node.get("type")
        if kind == "object" and isinstance(value, dict | list):
            return self._object(node, value) if isinstance(value, dict) else self._positions(node, value)
        if kind == "array" and isinstance(value, dict | list):
            return self._entries(node, value) if isinstance(value, dict) else self._items(node, value)
        if kind == "string" and "JSON text" in node.get("description", ""):
            return self._text(node, value)
        return value

    def _entries(self, node, value):
        entry = node["items"].get("properties", {}) if isinstance(node["items"], dict) else {}
        if set(entry) != {"key", "value"}:
            raise NoAnswer(value)
        return [
            {"key": self.answer(entry["key"], key), "value": self.answer(entry["value"], one)}
            for key, one in value.items()
        ]

    def _items(self, node, value):
        prefix = node.get("prefixItems", [])
        kinds = [prefix[n] if n < len(prefix) else node.get("items", {}) for n in range(len(value))]
        return [self.answer(kind, item) for kind, item in zip(kinds, value, strict=True)]

    def _text(self, node, value):
        form = FORM.search(node["description"])
        return json.dumps(self.answer(self.definitions[form[1]], value) if form else value)

    def _object(self, node, value):
        out = {}
        left = dict(value)
        for asked, inner in node.get("properties", {}).items():
            introduced = FIELD.match(inner.get("description", ""))
            name = introduced[1] if introduced and asked not in left else asked
            if name in left:
                found = left.pop(name)
                if found is None and asked not in node.get("required", ()) and not self._says_null(inner):
                    continue
                out[asked] = self.answer(inner, found)
            elif asked in node.get("required", ()):
                out[asked] = self._nothing(inner)
        if left and isinstance(node.get("additionalProperties"), dict):
            out |= {name: self.answer(node["additionalProperties"], one) for name, one in left.items()}
        elif left and node.get("additionalProperties") is not False and "properties" not in node:
            out |= left
        elif left:
            raise NoAnswer(left)
        return out

    def _says_null(self, node):
        if "$ref" in node:
            return self._says_null(self.definitions[node["$ref"].removeprefix("#/$defs/")])
        said = "JSON text" in node.get("description", "")
        return said or self._takes(node, None) or any(map(self._says_null, node.get("anyOf", ())))

    def _nothing(self, node):
        """What a model says of a field that a document says nothing of: null, an empty list, or the only constant."""
        for nothing in (None, [], node.get("const"), *node.get("enum", [])) if self.inventing else ():
            if self._takes(node, nothing):
                return nothing
        raise NoAnswer(node)

    def _positions(self, node, value):
        names = [name for name in node["properties"] if name.startswith("item_")]
        if not names:
            raise NoAnswer(value)
        out = {
            name: self.answer(node["properties"][name], value[n]) if n < len(value) else None
            for n, name in enumerate(names)
        }
        if "more_items" in node["properties"]:
            out["more_items"] = self.answer(node["properties"]["more_items"], value[len(names) :])
        elif len(value) > len(names):
            raise NoAnswer(value)
        return out

    def _constant(self, node, value):
        allowed = node.get("enum", [node.get("const")])
        if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
            raise NoAnswer(value)
        return value

    def _of_options(self, node, value):
        """The first option that can say the value; one that says it without inventing anything, if there is one."""
        before = self.inventing
        try:
            for inventing in (False, True) if before else (False,):
                self.inventing = inventing
                for option in node["anyOf"]:
                    answer = self._tried({"description": node.get("description", ""), **option}, value)
                    if answer is not UNSAID:
                        return answer
        finally:
            self.inventing = before
        raise NoAnswer(value)

    def _tried(self, option, value):
        try:
            answer = self.answer(option, value)
        except (NoAnswer, KeyError, TypeError):
            return UNSAID
        return answer if self._takes(option, answer) else UNSAID

    def _takes(self, node, answer):
        return Draft202012Validator({**node, "$defs": self.definitions}).is_valid(answer)
