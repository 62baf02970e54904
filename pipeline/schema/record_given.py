"""A record that a person wrote: read by the names of fields and by their aliases, and no key of it passed over.

And the same record under the names that answers are asked for.
"""

from functools import cache, partial
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaSerializer, SchemaValidator

from pipeline.schema.core import Node, built_anew, changed, core_of
from pipeline.schema.record_json import plain_core

OF_KEYS = frozenset({"model", "dataclass", "typed-dict"})


def record_given(model: type[BaseModel], record_json: str) -> BaseModel:
    """The record, as the user's own model has it.

    Raises:
        ValidationError: it is none, or has a key that the model would pass over.
        Exception: whatever a validator of the user's raises.
    """
    record = model.model_validate_json(record_json, by_alias=True, by_name=True)
    _all_keys(model).validate_json(record_json, by_alias=True, by_name=True)
    return record


def under_asked_names(model: type[BaseModel], record: BaseModel, *, defaults: bool = False) -> str:
    """What was given of the record, and its `defaults` too, as JSON under the names that validation takes."""
    writer = _asked_writer(model)
    return writer.to_json(record, by_alias=True, round_trip=True, exclude_unset=not defaults, warnings=False).decode()


@cache
def _all_keys(model: type[BaseModel]) -> SchemaValidator:
    """Refuses keys that it does not know, but where the model keeps them."""

    def closed(node: Node, _: str = "") -> dict[str, Any]:
        out = changed(node, closed)
        config = dict(out.get("config", {}))
        if out.get("type") in OF_KEYS and config.get("extra_fields_behavior") != "allow":
            out["config"] = {**config, "extra_fields_behavior": "forbid"}
        return {**out, "extra_behavior": "forbid"} if out.get("extra_behavior") == "ignore" else out

    schema: Any = closed(core_of(model))
    with built_anew(schema):
        return SchemaValidator(schema)


@cache
def _asked_writer(model: type[BaseModel]) -> SchemaSerializer:
    schema: Any = _named(plain_core(model), "")
    with built_anew(schema):
        return SchemaSerializer(schema)


def _named(node: Node, path: str, *, by_alias: bool = True) -> dict[str, Any]:
    config = node.get("config", {})
    by_alias = config.get("validate_by_alias", by_alias) is not False
    out = changed(node, partial(_named, by_alias=by_alias), path)
    alias = out.get("validation_alias") if by_alias else None
    if isinstance(alias, list):  # of several, the first that is no path
        alias = next((one[0] for one in alias if isinstance(one, list) and len(one) == 1), None)
    return {**out, "serialization_alias": alias} if isinstance(alias, str) else out
