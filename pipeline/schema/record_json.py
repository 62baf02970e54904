"""A record → JSON: the values that were validated, by the names of the fields.

What a model says of its own dumps (aliases, excluded fields, serializers, asterisks for a secret) is for other readers:
here it would be a column that is null, or text where a date is due. So the model is written by a serializer of its
types alone. Where a value cannot be written by its type (a class of the user's own), its own serializer is asked.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from msgspec import Struct, field
from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic_core import (
    PydanticSerializationError,
    PydanticSerializationUnexpectedValue,
    SchemaSerializer,
    core_schema,
)

from pipeline.schema.core import Node, built_anew, changed, core_of

DROPPED = frozenset({"serialization_exclude", "serialization_exclude_if", "serialization_alias"})
RECORDS = frozenset({"model", "dataclass", "typed-dict", "definition-ref"})
OPAQUE = frozenset(
    {"any", "is-instance", "is-subclass", "callable", "function-plain"}
)  # its type says not how to write
BYTES: dict[str, Any] = {"ser_json_inf_nan": "strings", "ser_json_bytes": "utf8"}
SECRETS = (Secret, SecretStr, SecretBytes)
NOT_WRITTEN = (PydanticSerializationError, PydanticSerializationUnexpectedValue)
EXCLUDED = (
    "is excluded from the model's own dumps, and is in the results all the same. "
    "Take it out of the schema if it should not be asked for"
)
SERIALIZED = "its own serializer is not used: the results have the value as it was validated"
SECRET = "a secret is in the results and in the ledger in plain. Write str, or take it out of the schema"  # noqa: S105 (words)


class RecordWriter(Struct, frozen=True):
    """How a model's records are written. `differs`: the model's own way gives other JSON; `notes` tell of it."""

    serializer: SchemaSerializer
    differs: bool
    notes: tuple[str, ...]

    def json(self, record: BaseModel) -> str:
        """All that the record holds, computed fields too."""
        return self.serializer.to_json(record, by_alias=False, warnings=False).decode()

    def input_json(self, record: BaseModel) -> str:
        """What validates as the record again, under the names of the fields: without computed fields."""
        return self.serializer.to_json(record, by_alias=False, round_trip=True, warnings=False).decode()


def plain_core(model: type[BaseModel]) -> dict[str, Any]:
    """The model's core without what it says of its own dumps."""
    return _plain(core_of(model), "", _Found())


@cache
def writer_of(model: type[BaseModel]) -> RecordWriter:
    found = _Found()
    schema: Any = _plain(core_of(model), "", found)
    config: Any = BYTES
    with built_anew(schema):
        serializer = SchemaSerializer(schema, config)
    return RecordWriter(serializer, found.differs, tuple(dict.fromkeys(found.notes)))


class _Found(Struct):
    """What a model says of its dumps."""

    differs: bool = False
    notes: list[str] = field(default_factory=list)

    def note(self, path: str, told: str) -> None:
        self.differs = True
        self.notes.append(f"{path or 'the schema'}: {told}")


def _plain(node: Node, path: str, found: _Found) -> dict[str, Any]:
    out = changed(node, partial(_plain, found=found), path)
    if node.get("serialization_exclude") or node.get("serialization_exclude_if"):
        found.note(path, EXCLUDED)
    out = {key: value for key, value in out.items() if key not in DROPPED}
    if node.get("type") == "computed-field":
        out.pop("alias", None)
    if "config" in node:
        out["config"] = _config(node["config"], found)
    if "serialization" in node:
        del out["serialization"]
        out |= _serialization(node, out, path, found)
    return out


def _config(config: Node, found: _Found) -> dict[str, Any]:
    ours = {key for key in config if key.startswith("ser")}
    found.differs |= any(config[key] for key in ours)
    read_as = config.get("val_json_bytes", "utf8")
    return {key: value for key, value in config.items() if key not in ours} | BYTES | {"ser_json_bytes": read_as}


def _serialization(node: Node, out: Node, path: str, found: _Found) -> dict[str, Any]:
    """What stands in the place of a serializer: nothing where the type says how to write its values."""
    given = node["serialization"]
    function = given.get("function")
    module = str(getattr(function, "__module__", None))
    if (given["type"] == "any" and node["type"] not in OPAQUE) or module == "pydantic.functional_serializers":
        return {}  # SerializeAsAny, in newer and older versions
    if function is None:
        return {"serialization": given}
    if module == "pydantic.types" and "secret" in function.__name__:
        found.note(path, SECRET)
        within = out["json_schema"]["schema"]
        return {"serialization": core_schema.plain_serializer_function_ser_schema(_revealed, return_schema=within)}
    if module.partition(".")[0] in {"pydantic", "pydantic_extra_types"}:
        return {"serialization": given}
    found.note(path, SERIALIZED)
    return {} if node["type"] in RECORDS else {"serialization": _by_type_first(given)}


def _revealed(secret: Any) -> Any:  # noqa: ANN401 (whatever is secret)
    return None if secret is None else secret.get_secret_value()


def _by_type_first(given: Node) -> dict[str, Any]:
    of_field = bool(given.get("is_field_serializer"))
    place, wraps = 1 + of_field, given["type"] == "function-wrap"
    users: Callable[..., Any] = given["function"]

    def write(*arguments: Any) -> Any:  # noqa: ANN401 (as Pydantic calls it: the model, the value, a handler, info)
        value, handler = arguments[place - 1 : place + 1]
        try:
            return _revealed(value) if isinstance(value, SECRETS) else handler(value)
        except NOT_WRITTEN:
            return users(*(arguments if wraps else (*arguments[:place], *arguments[place + 1 :])))

    info = bool(given.get("info_arg"))
    return {"type": "function-wrap", "function": write, "is_field_serializer": of_field, "info_arg": info}
