"""Input tokens that go with every request, beside its document: frame, system prompt, schema. Pure.

OpenAI shows a model neither the request's JSON nor the schema as sent. What it does show was worked out from usage
that its answers reported: a schema is compact JSON without its titles and `additionalProperties`, under a heading; a
function is a TypeScript type. Both agree with the reported counts to within three tokens on 7 of 8 recorded answers.
For other providers it is the schema's JSON as it is, and some slack.
"""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.catalog.providers import PROVIDERS
from pipeline.documents.chunks import Counter
from pipeline.types import AnswerShape

MESSAGE_TOKENS = 4  # around each message: 3, and its role
PRIMING_TOKENS = 3  # of the answer
HEADING_TOKENS = 20  # around a schema, beside its name
FUNCTIONS_TOKENS = 2  # around functions
OTHER_FRAME_TOKENS = 12  # of providers whose way of framing is not known
UNSEEN = ("title", "additionalProperties")
JSON_OBJECT = "\n\nAnswer with one JSON object of this JSON schema, and nothing else:\n"
SCALARS = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


def fixed_tokens(provider: str, system: str, literals: str, shape: AnswerShape, counter: Counter) -> int:
    """Tokens of a request with an empty document; `literals` are the prompt's own words."""
    lookups = sum(counter.count(one.description + typescript(one.name, one.schema)) for one in shape.lookups)
    if not PROVIDERS[provider].openai_frame:
        parts = (system, literals, compact(shape.schema))
        return OTHER_FRAME_TOKENS + lookups + sum(counter.count(part) for part in parts)
    tokens = lookups + PRIMING_TOKENS + MESSAGE_TOKENS + counter.count(literals)
    if shape.mode == "json_object":
        system = f"{system}{JSON_OBJECT}{compact(shape.schema)}"
    if shape.mode == "json_schema":
        tokens += HEADING_TOKENS + counter.count(shape.name) + counter.count(compact(seen(shape.schema)))
    if shape.mode == "tool":
        tokens += FUNCTIONS_TOKENS + counter.count(typescript(shape.name, shape.schema))
    return tokens + (MESSAGE_TOKENS + counter.count(system) if system else 0)


def compact(schema: object) -> str:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def seen(schema: Any, *, named: bool = False) -> Any:  # noqa: ANN401 (any JSON value)
    """The schema without what a model is not shown. `named`: its keys are the names of fields, and all stay."""
    if isinstance(schema, list):
        return [seen(inner) for inner in schema]
    if not isinstance(schema, Mapping):
        return schema
    names = {"properties", "$defs", "definitions"}
    return {
        key: seen(inner, named=key in names and not named)
        for key, inner in schema.items()
        if named or key not in UNSEEN
    }


def typescript(name: str, schema: Mapping[str, Any]) -> str:
    """A function as OpenAI's models are shown it."""
    fields = _fields(schema, schema, 0)
    takes = f"(_: {{\n{fields}}}) => any;" if fields else "() => any;"
    return f"# Tools\n\n## functions\n\nnamespace functions {{\n\ntype {name} = {takes}\n\n}} // namespace functions"


def _fields(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    required, text = schema.get("required", ()), ""
    for name, field in schema.get("properties", {}).items():
        if isinstance(field, Mapping) and field.get("description"):
            text += f"// {field['description']}\n"
        text += f"{name}{'' if name in required else '?'}: {_type(field, root, depth)},\n"
    return text


def _type(field: object, root: Mapping[str, Any], depth: int) -> str:
    if not isinstance(field, Mapping) or depth > 8:
        return "any"
    reference = field.get("$ref")
    if isinstance(reference, str):
        found = root.get("$defs", {}).get(reference.rpartition("/")[2])
        return _type(found, root, depth + 1)
    if "enum" in field:
        return " | ".join(compact(value) for value in field["enum"])
    if "anyOf" in field:
        return " | ".join(_type(option, root, depth + 1) for option in field["anyOf"])
    kind = field.get("type")
    if kind == "array":
        return f"{_type(field.get('items'), root, depth + 1)}[]"
    if kind == "object" and field.get("properties"):
        return f"{{\n{_fields(field, root, depth + 1)}}}"
    return "object" if kind == "object" else SCALARS.get(str(kind), "any")
