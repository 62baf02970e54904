"""A record of the ledger → the instance of the user's model that it was written of."""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator

from pipeline.schema.core import Node, built_anew, changed, core_of
from pipeline.schema.record_json import writer_of

USERS = frozenset({"function-before", "function-after", "function-wrap"})
NOT_THE_USERS = sys.stdlib_module_names | {"pydantic", "pydantic_core", "pydantic_extra_types"}


def read_back(model: type[BaseModel], record_json: str) -> BaseModel:
    """The instance whose record this is.

    A validator need not take what it has made (a price with tax would be taxed again): where reading makes
    another record, it is read by the types alone.

    Raises:
        ValidationError: the record is none of this model.
    """
    written = json.loads(record_json)
    for by_type in (False, True):
        with suppress(Exception):  # the user's validators may raise anything
            found: BaseModel = _reader(model, by_type).validate_json(record_json, by_alias=True, by_name=True)
            if json.loads(writer_of(model).json(found)) == written:
                return found
    return model.model_validate_json(record_json, by_alias=True, by_name=True)  # of an earlier version


@cache
def _reader(model: type[BaseModel], by_type: bool) -> SchemaValidator:  # noqa: FBT001 (a fact, not a switch)
    def read(node: Node, path: str) -> Node:
        kind = node.get("type")
        if kind == "json" and "schema" in node:  # it was read from text once
            return read(node["schema"], path)
        if by_type and kind in USERS and _of_the_user(node["function"]):
            inner = read(node["schema"], path)
            return {**inner, "ref": node["ref"]} if "ref" in node else inner
        out = changed(node, read, path)
        if isinstance(out.get("config"), dict):
            out["config"] = {
                **out["config"],
                "extra_fields_behavior": _open(out["config"].get("extra_fields_behavior")),
            }
        return {**out, "extra_behavior": _open(out["extra_behavior"])} if "extra_behavior" in out else out

    schema: Any = read(core_of(model), "")
    with built_anew(schema):
        return SchemaValidator(schema)


def _open(behaviour: str | None) -> str:
    """Computed fields stand in a record too: they are no reason to refuse it."""
    return "allow" if behaviour == "allow" else "ignore"


def _of_the_user(function: Mapping[str, Any]) -> bool:
    module = str(getattr(function["function"], "__module__", None))
    return module.partition(".")[0] not in NOT_THE_USERS
