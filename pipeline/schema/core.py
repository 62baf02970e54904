"""A walk over a model as Pydantic's core has it: every wrapper resolved, and open to be changed. Pure."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

Node = Mapping[str, Any]
Change = Callable[[Node, str], Node]
ITEMS = frozenset({"items_schema", "values_schema"})
INSIDE = ITEMS | {
    "schema", "keys_schema", "lax_schema", "strict_schema", "json_schema", "python_schema", "arguments_schema",
    "extras_schema", "fields", "computed_fields", "choices", "steps", "definitions",
}  # fmt: skip


def core_of(model: type[BaseModel]) -> Node:
    """Raises: whatever Pydantic raises of a model that names what is not there."""
    model.model_rebuild()
    return model.__pydantic_core_schema__


def changed(node: Node, change: Change, path: str = "") -> dict[str, Any]:
    """The node, with `change(node, path)` of each one right inside it; a path is as in `lines[].amount`."""
    return {key: _part(key, value, change, path) if key in INSIDE else value for key, value in node.items()}


def _part(key: str, value: Any, change: Change, path: str) -> Any:  # noqa: ANN401 (a node, or nodes in a row or by name)
    if key in ITEMS:
        path += "[]"
    if isinstance(value, tuple):  # an option of a union, and its label
        return (_part(key, value[0], change, path), *value[1:])
    if isinstance(value, list):
        return [_part("", one, change, _at(path, one)) for one in value]
    if not isinstance(value, dict):
        return value
    if key in {"fields", "choices"}:
        named = key == "fields"
        return {name: _part("", one, change, _named(path, name) if named else path) for name, one in value.items()}
    return change(value, path)


def _at(path: str, node: Any) -> str:  # noqa: ANN401 (an option of a union may be a pair)
    name = (node.get("name") or node.get("property_name")) if isinstance(node, dict) else None
    return _named(path, name) if isinstance(name, str) else path


def _named(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@contextmanager
def built_anew(node: Node) -> Iterator[None]:
    """In it, the core takes nested models as this schema has them, and not as they were built with their classes."""
    complete = {one for one in classes_in(node) if one.__dict__.get("__pydantic_complete__")}
    for one in complete:
        one.__pydantic_complete__ = False
    try:
        yield
    finally:
        for one in complete:
            one.__pydantic_complete__ = True


def classes_in(node: Node) -> set[Any]:
    """The classes of all models, dataclasses and typed dicts in it."""
    found = {node["cls"]} if isinstance(node.get("cls"), type) else set()

    def look(inner: Node, _: str) -> Node:
        found.update(classes_in(inner))
        return inner

    changed(node, look)
    return found
