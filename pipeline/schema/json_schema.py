"""The user's model → its JSON schema, with marks where plain JSON Schema forgets what the model means.

Pydantic writes a Decimal like `float | str`, a naive date and time like any other, and nothing at all for a default of
`list`. It raises at a type without a JSON schema, where we want to name the field.
"""

import warnings
from math import isfinite
from typing import Any

from msgspec import Struct
from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, PydanticJsonSchemaWarning
from pydantic_core import core_schema

from pipeline.schema.dialects.descriptions import DECIMAL, NAIVE
from pipeline.schema.dialects.read import IMPOSSIBLE

MODE: JsonSchemaMode = "validation"
EMPTY: dict[type, Any] = {list: [], set: [], frozenset: [], tuple: [], dict: {}}
BOUNDS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "max_digits": "maxDigits",
    "decimal_places": "decimalPlaces",
}


class Original(Struct, frozen=True):
    """A model's own schema. With problems there is none that a model could answer."""

    schema: dict[str, Any]
    problems: tuple[str, ...] = ()


def original_of(model: type[BaseModel]) -> Original:
    """The schema of what validates as the model, under the names that validation takes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PydanticJsonSchemaWarning)  # of a default that is not JSON
            return Original(model.model_json_schema(schema_generator=Marking, mode=MODE))
    except Exception as error:  # noqa: BLE001 (the user's types may raise anything while they describe themselves)
        lines = str(error).splitlines() or [type(error).__name__]
        return Original({}, (f"{model.__name__} has no JSON schema: {lines[0]}",))


class Marking(GenerateJsonSchema):
    """Pydantic's generator, with the marks that `dialects.kinds` and `dialects.wording` know."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """As text: digits survive, which a JSON number's do not on the way through a float."""
        given: dict[str, Any] = {mark: schema.get(rule) for rule, mark in BOUNDS.items()}
        marks = {mark: _number(value) for mark, value in given.items() if value is not None and isfinite(value)}
        return {"type": "string", "format": DECIMAL, **marks}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        made = super().datetime_schema(schema)
        naive = schema.get("tz_constraint") == "naive" and made.get("format") == "date-time"
        return {**made, "format": NAIVE} if naive else made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        factory = schema.get("default_factory")
        if isinstance(factory, type) and factory in EMPTY and "default" not in made:
            made["default"] = EMPTY[factory]
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 (as the generator has it)
        """Never: a title that only repeats the field's name costs tokens, and hides which ones the user gave."""
        return False

    def named_tuple_schema(self, schema: Any) -> JsonSchemaValue:  # noqa: ANN401 (not in every version of Pydantic)
        """The fields of a NamedTuple keep their names, as titles."""
        return _titled(super().named_tuple_schema(schema), [one["name"] for one in schema["fields"]])

    def p_arguments_schema(
        self, arguments: list[core_schema.ArgumentsParameter], var_args_schema: core_schema.CoreSchema | None
    ) -> JsonSchemaValue:
        """The same, in versions of Pydantic to which a NamedTuple is a function."""
        made = super().p_arguments_schema(arguments, var_args_schema)
        return _titled(made, [one["name"] for one in arguments])

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:  # noqa: ANN401, ARG002
        """A mark instead of an exception that names no field."""
        kind = error_info.removeprefix("core_schema.")
        return {IMPOSSIBLE: f"no JSON can be asked for ({kind}). Give it a type that JSON has, or a default"}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        properties = made.get("properties")
        if not isinstance(properties, dict):
            return made
        return {**made, **_under_right_names(schema["cls"], properties, made.get("required", []))}


def _under_right_names(model: type[BaseModel], properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """The properties under names that validation takes, whatever names the generator chose."""
    named: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    infos = list(model.model_fields.items())
    if len(infos) != len(properties):
        return {}
    for (name, info), (written, inner) in zip(infos, properties.items(), strict=True):
        taken = _names_taken(model, name, info)
        right = written if written in taken or not taken else taken[0]
        named[right] = inner if taken else {**inner, IMPOSSIBLE: PATH_ALIAS}
        renamed[written] = right
    return {"properties": named, **({"required": [renamed[name] for name in required]} if required else {})}


PATH_ALIAS = "its value is taken from inside another field (AliasPath). Add a plain alias, or populate_by_name = True"


def _names_taken(model: type[BaseModel], name: str, info: FieldInfo) -> list[str]:
    """The names under which validation finds a field."""
    config = model.model_config
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    by_alias = config.get("validate_by_alias", True) is not False
    found: list[str] = []
    if alias is None:
        return [name]
    if by_alias:
        for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
            plain = choice.path[0] if isinstance(choice, AliasPath) and len(choice.path) == 1 else choice
            found += [plain] if isinstance(plain, str) else []
    if config.get("populate_by_name") or config.get("validate_by_name") or not by_alias:
        found.append(name)
    return found


def _titled(made: JsonSchemaValue, names: list[str]) -> JsonSchemaValue:
    items = [{"title": name, **item} for name, item in zip(names, made.get("prefixItems", ()), strict=False)]
    return {**made, "prefixItems": items} if items else made


def _number(value: Any) -> int | float:  # noqa: ANN401 (Decimal, int or float)
    return int(value) if value == int(value) else float(value)
