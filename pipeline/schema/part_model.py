"""The user's model as the answer for one chunk of many is judged: field by field.

What is true of a whole record (lines that add up to a total) need not be of a part of it: such rules, the validators of
models, are for the merged record. Items of lists are whole in every chunk, and keep theirs.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from msgspec import Struct, field
from pydantic import BaseModel
from pydantic_core import SchemaValidator

from pipeline.schema.core import Node, built_anew, changed, classes_in, core_of

WHOLE = frozenset({"list", "set", "frozenset", "tuple", "generator"})
OF_MODELS = frozenset({"function-after", "function-wrap"})  # one that comes before the fields prepares them: it stays
OF_PARTS = "#part"  # ends the name of a definition as parts have it


@cache
def part_validator(model: type[BaseModel]) -> SchemaValidator | None:
    """Makes instances of the model of parts; None where no rule of the model is for the whole alone."""
    whole = core_of(model)
    parts = _Parts(_rules(whole), {one["ref"]: one for one in whole.get("definitions", ())})
    top = parts.of(whole["schema"] if whole["type"] == "definitions" else whole, "")
    if not parts.left_out:
        return None
    schema: Any = {"type": "definitions", "schema": top, "definitions": [*parts.known.values(), *parts.made.values()]}
    with built_anew(schema):
        return SchemaValidator(schema)


class _Parts(Struct):
    rules: list[Any]  # the validators of all models
    known: Mapping[str, Node]
    made: dict[str, Node] = field(default_factory=dict)
    left_out: bool = False

    def of(self, node: Node, path: str) -> Node:
        kind = node["type"] if isinstance(node.get("type"), str) else ""
        if kind in WHOLE:
            return node
        if kind == "definition-ref":
            return {**node, "schema_ref": self._definition(node["schema_ref"])}
        if kind in OF_MODELS and node["function"]["function"] in self.rules:
            self.left_out = True
            if kind == "function-after":
                return self.of(node["schema"], path)
            node = {**node, "function": {**node["function"], "function": _around(node["function"]["function"])}}
        return changed({key: value for key, value in node.items() if key != "ref"}, self.of, path)

    def _definition(self, name: str) -> str:
        part = name + OF_PARTS
        if part not in self.made:
            self.made[part] = {}  # it may contain itself
            self.made[part] = {**self.of(self.known[name], ""), "ref": part}
        return part


def _rules(node: Node) -> list[Any]:
    decorators = [getattr(one, "__pydantic_decorators__", None) for one in classes_in(node)]
    return [rule.func for one in decorators if one is not None for rule in one.model_validators.values()]


def _around(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule around the fields, without what it says of them once they are read."""

    def around(data: Any, handler: Callable[[Any], Any], *info: Any) -> Any:  # noqa: ANN401 (as Pydantic calls it)
        read: list[Any] = []

        def reading(given: Any) -> Any:  # noqa: ANN401 (whatever the rule makes of the data)
            read.append(handler(given))
            return read[-1]

        try:
            return rule(data, reading, *info)
        except (ValueError, AssertionError):
            if not read:
                raise
            return read[-1]

    return around
