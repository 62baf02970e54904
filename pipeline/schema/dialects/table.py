"""The dialects: which part of JSON Schema each provider takes in each mode. Data only.

Sources, as of 2026-11: the providers' own pages on structured output, their recorded refusals, and what people's bug
reports quote of them. Where two sources differ, the narrower one stands: a rule that is not enforced costs a repair
now and then, a schema that is refused costs the run.
"""

import re

from msgspec import Struct
from msgspec.structs import replace

from pipeline.catalog.providers import PROVIDERS

BASIC = frozenset(["string", "number", "integer", "boolean"])
NAMES = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
BOUNDS = frozenset(["minimum", "maximum"])
NUMBERS = BOUNDS | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
RFC_FORMATS = frozenset(["date-time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])


class SchemaLimits(Struct, frozen=True, kw_only=True):
    """What a schema may have of each at the most; None: no limit that we know of."""

    properties: int | None = None
    levels: int | None = None  # of nesting, within one definition
    values: int | None = None  # constants in all enumerations
    text: int | None = None  # characters of all names and constants
    values_of_one: int | None = None  # constants in one enumeration; more are told in words
    optionals: int | None = None  # fields that may be left out
    unions: int | None = None  # places with several types, null included
    # Beyond these a provider may refuse the schema, by a measure that it does not publish.
    safe_properties: int | None = None
    safe_levels: int | None = None
    safe_values: int | None = None


class Dialect(Struct, frozen=True, kw_only=True):
    """What a provider takes in one mode."""

    name: str  # as people are told
    enforced: bool  # the provider holds the answer to the schema
    rules: frozenset[str] | None = frozenset()  # keywords that narrow a type; None: all
    formats: frozenset[str] | None = frozenset()  # None: all
    short_lists: bool = False  # minItems of 0 and 1 only
    constants: frozenset[str] = BASIC  # types that may be enumerated
    const: bool = True  # the keyword `const`
    names: re.Pattern[str] | None = None  # what a property may be called; None: anything
    all_required: bool = False  # no field may be left out
    closed: bool = True  # every object says additionalProperties: false
    empty_objects: bool = True
    references: bool = True  # $ref and $defs
    recursion: bool = False  # a definition may refer to itself
    distinct_starts: bool = False  # the objects of a union must not begin with the same field
    bare_root: bool = False  # nothing but type, properties and required at the root
    limits: SchemaLimits = SchemaLimits()


# A constrained decoder knows only what it is told, so maps, tuples and free JSON are rewritten for all of these.
OPENAI = Dialect(
    name="OpenAI's strict mode",
    enforced=True,
    rules=NUMBERS | {"pattern", "minItems", "maxItems"},
    formats=RFC_FORMATS,
    all_required=True,
    recursion=True,
    distinct_starts=True,
    limits=SchemaLimits(properties=5000, levels=10, values=1000, text=120_000, values_of_one=250),
)
OPENAI_TUNED = replace(OPENAI, name="strict mode of a fine-tuned model", rules=frozenset(), formats=frozenset())
AZURE = replace(
    OPENAI_TUNED,
    name="Azure's strict mode",
    limits=replace(OPENAI.limits, safe_properties=100, safe_levels=5),
)
CLAUDE = Dialect(
    name="Anthropic's structured output",
    enforced=True,
    rules=frozenset(["pattern", "minItems"]),
    formats=RFC_FORMATS | {"uri"},
    short_lists=True,
    names=NAMES,
    limits=SchemaLimits(optionals=24, unions=16, values_of_one=250, safe_properties=60),
)
CLAUDE_STRICT_TOOL = replace(CLAUDE, name="Anthropic's strict tools")
BEDROCK = replace(CLAUDE, name="Bedrock's structured output")
BEDROCK_STRICT_TOOL = replace(CLAUDE, name="Bedrock's strict tools")
GEMINI = Dialect(
    name="Gemini's structured output",
    enforced=True,
    rules=BOUNDS | {"minItems"},  # maxItems is on Google's list, but is what makes most schemas too large to serve
    formats=frozenset(["date-time", "date"]),
    short_lists=True,
    constants=frozenset(["string", "number", "integer"]),
    const=False,
    names=NAMES,
    empty_objects=False,
    limits=SchemaLimits(values_of_one=250, safe_properties=200, safe_values=500),
)
GEMINI_TOOL = replace(GEMINI, name="Gemini's function calling", constants=frozenset(["string"]), references=False)

# Not enforced: JSON Schema as Pydantic writes it. Nothing is rewritten but what the wire itself cannot carry.
PLAIN = Dialect(name="JSON in words", enforced=False, rules=None, formats=None, closed=False, recursion=True)
OPENAI_TOOL = replace(PLAIN, name="OpenAI's tools")
CLAUDE_TOOL = replace(PLAIN, name="Anthropic's tools", names=NAMES)
BEDROCK_TOOL = replace(CLAUDE_TOOL, name="Bedrock's tools", references=False, recursion=False, bare_root=True)
# What a vendor behind instructor takes of JSON Schema is not published for all of them: no rule that narrows a type.
INSTRUCTOR = replace(PLAIN, name="a JSON schema through instructor", rules=frozenset(), formats=frozenset())
INSTRUCTOR_TOOL = replace(PLAIN, name="tools through instructor")

TABLE: dict[tuple[str, str], tuple[Dialect, ...]] = {  # (a provider's dialect, mode) → strictest first
    ("openai", "json_schema"): (OPENAI,),
    ("openai", "tool"): (OPENAI, OPENAI_TOOL),
    ("azure", "json_schema"): (AZURE,),
    ("azure", "tool"): (AZURE, OPENAI_TOOL),
    ("anthropic", "json_schema"): (CLAUDE,),
    ("anthropic", "tool"): (CLAUDE_STRICT_TOOL, CLAUDE_TOOL),
    ("bedrock", "json_schema"): (BEDROCK,),
    ("bedrock", "tool"): (BEDROCK_STRICT_TOOL, BEDROCK_TOOL),
    ("gemini", "json_schema"): (GEMINI,),
    ("gemini", "tool"): (GEMINI_TOOL,),
    ("instructor", "json_schema"): (INSTRUCTOR,),
    ("instructor", "tool"): (INSTRUCTOR_TOOL,),
}


def dialects_for(provider: str, mode: str, model_name: str = "", *, strict_tools: bool = True) -> tuple[Dialect, ...]:
    """What can be tried, strictest first. `strict_tools`: whether the model can be held to a tool's schema."""
    dialect = PROVIDERS[provider].dialect
    if dialect == "openai" and model_name.startswith("ft:") and mode != "json_object":
        return (OPENAI_TUNED,) if mode == "json_schema" else (OPENAI_TUNED, OPENAI_TOOL)
    found = TABLE.get((dialect, mode), (PLAIN,))
    loose = tuple(dialect for dialect in found if not dialect.enforced)
    return loose if mode == "tool" and not strict_tools and loose else found
