"""What each provider is known to refuse in a schema: written from their documents and refusals, not from our code."""

import re

EVERYWHERE = {"type", "properties", "required", "items", "enum", "anyOf", "description"}
REFERENCES = {"$ref", "$defs"}
NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
CLAUDE = EVERYWHERE | REFERENCES | {"additionalProperties", "const", "format", "pattern", "minItems"}
GEMINI = EVERYWHERE | {"additionalProperties", "format", "minimum", "maximum", "minItems"}
CLOSED = EVERYWHERE | REFERENCES | {"additionalProperties", "const"}
JSON_SCHEMA = CLOSED | NUMBERS | {
    *("format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "prefixItems"),
    *("minProperties", "maxProperties", "propertyNames", "contentMediaType"),
}  # fmt: skip
KEYWORDS = {
    "OpenAI's strict mode": CLOSED | NUMBERS | {"format", "pattern", "minItems", "maxItems"},
    "strict mode of a fine-tuned model": CLOSED,
    "Azure's strict mode": CLOSED,
    "Anthropic's structured output": CLAUDE,
    "Anthropic's strict tools": CLAUDE,
    "Bedrock's structured output": CLAUDE,
    "Bedrock's strict tools": CLAUDE,
    "Gemini's structured output": GEMINI | REFERENCES,
    "Gemini's function calling": GEMINI,
    "JSON in words": JSON_SCHEMA,
    "OpenAI's tools": JSON_SCHEMA,
    "Anthropic's tools": JSON_SCHEMA,
    "Bedrock's tools": JSON_SCHEMA - REFERENCES,
}  # fmt: skip
FORMATS = {
    "OpenAI": {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"},
    "Anthropic": {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
    "Bedrock": {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
    "Gemini": {"date-time", "date", "time"},
}
CONSTANTS = {"Gemini's function calling": str, "Gemini's structured output": str | int | float}
PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
LOOKAROUND = re.compile(r"\(\?[=!<]|\\[bB1-9]")


def refused(schema, dialect):
    """Why the provider would refuse the schema, as a list."""
    return [wrong for place, node in nodes(schema, "") for wrong in _wrong(place, node, schema, dialect)]


def nodes(node, place):
    """Every schema within a schema."""
    yield place, node
    for keyword in ("properties", "$defs"):
        for name, inner in node.get(keyword, {}).items():
            yield from nodes(inner, f"{place}/{keyword}/{name}")
    for number, inner in enumerate([*node.get("anyOf", []), *node.get("prefixItems", [])]):
        yield from nodes(inner, f"{place}/{number}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from nodes(node[keyword], f"{place}/{keyword}")


def _wrong(place, node, root, dialect):
    for keyword in node.keys() - KEYWORDS[dialect.name]:
        yield f"{place}: {keyword}"
    if "$ref" in node:
        if node["$ref"].removeprefix("#/$defs/") not in root.get("$defs", {}):
            yield f"{place}: {node['$ref']} leads nowhere"
        if dialect.enforced and len(node) > 1:
            yield f"{place}: something stands beside $ref"
        return
    maker = dialect.name.partition("'")[0]
    if dialect.enforced:
        yield from _loose(place, node, "additionalProperties" in KEYWORDS[dialect.name])
        yield from _unknown_values(place, node, dialect.name)
    if maker in {"Anthropic", "Bedrock", "Gemini"}:
        yield from _names_and_lists(place, node, dialect.enforced)


def _loose(place, node, closed):
    kind = node.get("type")
    if not node.keys() & {"type", "anyOf"}:
        yield f"{place}: no type"
    if kind == "array" and not isinstance(node.get("items"), dict):
        yield f"{place}: array without items"
    if kind == "object" and closed and node.get("additionalProperties") is not False:
        yield f"{place}: open object"


def _unknown_values(place, node, name):
    maker = name.partition("'")[0]
    if maker in FORMATS and node.get("format") not in {None, *FORMATS[maker]}:
        yield f"{place}: format {node['format']}"
    if LOOKAROUND.search(node.get("pattern", "")):
        yield f"{place}: pattern {node['pattern']}"
    kinds = CONSTANTS.get(name, str | int | float | bool)
    for one in [*node.get("enum", []), *([node["const"]] if "const" in node else [])]:
        if not isinstance(one, kinds) or (isinstance(one, bool) and maker == "Gemini"):
            yield f"{place}: constant {one!r}"


def _names_and_lists(place, node, strict):
    for name in node.get("properties", ()):
        if not PROPERTY.fullmatch(name):
            yield f"{place}: property {name!r}"
    if strict and node.get("minItems", 0) > 1:
        yield f"{place}: minItems {node['minItems']}"


def circles(schema):
    """Definitions that lead back to themselves."""
    uses = {
        name: {inner["$ref"].removeprefix("#/$defs/") for _, inner in nodes(node, "") if "$ref" in inner}
        for name, node in schema.get("$defs", {}).items()
    }
    found = set()
    for name, used in uses.items():
        reached, ahead = set(), set(used)
        while ahead:
            one = ahead.pop()
            if one not in reached:
                reached.add(one)
                ahead |= uses[one]
        found |= {name} & reached
    return found
