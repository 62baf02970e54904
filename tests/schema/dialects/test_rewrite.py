"""Schemas in every dialect: what is asked for is what the provider takes, and answers come back as the user's model."""

import datetime as dt
import json
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from dialect_answers import Answerer
from dialect_models import Left, Node, Point, models
from dialect_rules import circles, nodes, refused
from examples import examples
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    RootModel,
    ValidationError,
    create_model,
)

from pipeline.sandbox.wires.anthropic import schemas as anthropic_schemas
from pipeline.sandbox.wires.bedrock import schemas as bedrock_schemas
from pipeline.sandbox.wires.gemini import schemas as gemini_schemas
from pipeline.sandbox.wires.openai import strict_schemas
from pipeline.schema.dialects import table as known
from pipeline.schema.dialects.fit import fits
from pipeline.schema.dialects.restore import SAME, Back, Fields, FieldWay, KeyTwice, Pairs
from pipeline.schema.dialects.rewrite import restored, rewrite
from pipeline.schema.dialects.size import size_of
from pipeline.schema.dialects.table import (
    AZURE,
    BEDROCK_TOOL,
    CLAUDE,
    CLAUDE_TOOL,
    GEMINI,
    GEMINI_TOOL,
    OPENAI,
    PLAIN,
    Dialect,
)
from pipeline.schema.json_schema import original_of

DIALECTS = sorted({one.name: one for one in vars(known).values() if isinstance(one, Dialect)}.values(), key=str)
DIFFERENT = [OPENAI, AZURE, CLAUDE, GEMINI, GEMINI_TOOL, PLAIN, CLAUDE_TOOL, BEDROCK_TOOL]  # the others are one of them
JUDGES = {  # the sandbox's own reading of what each provider takes
    OPENAI.name: [strict_schemas.problem],
    AZURE.name: [strict_schemas.problem],
    CLAUDE.name: [anthropic_schemas.problem, bedrock_schemas.problem],
    GEMINI.name: [gemini_schemas.problem],
    GEMINI_TOOL.name: [gemini_schemas.problem],
}
ENFORCED = [one for one in DIALECTS if one.enforced]
MADE = examples(30, suppress_health_check=list(HealthCheck))
all_dialects = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
enforced = pytest.mark.parametrize("dialect", ENFORCED, ids=lambda one: one.name)


def asked_of(model, dialect):
    return rewrite(original_of(model).schema, dialect)


def round_trip(model, record, dialect, **dump):
    """The record that comes back from an answer in the dialect, and the answer."""
    asked = asked_of(model, dialect)
    assert not asked.problems, asked.problems
    plain = json.loads(record.model_dump_json(by_alias=True, **dump))
    answer = Answerer(asked.schema).answer(asked.schema, {"value": plain} if asked.back.wrapped else plain)
    Draft202012Validator(asked.schema).validate(answer)
    back = restored(asked.back, json.loads(json.dumps(answer)))
    return model.model_validate_json(json.dumps(back)), answer


@MADE
@given(spec=models(depth=2), data=st.data())
def test_every_model_goes_there_and_back(spec, data):
    """An answer in the form that was asked for comes back as the record that it says, in every dialect.

    Also when the record leaves its defaults unsaid; and every schema is one that the provider takes. A third of the
    dialects for each model.
    """
    model = spec.annotation
    try:
        record = model.model_validate(data.draw(spec.values))
    except ValidationError:
        assume(False)
    for dialect in DIFFERENT[data.draw(st.integers(0, 2)) :: 3]:
        asked = asked_of(model, dialect)
        assert refused(asked.schema, dialect) == []
        assert dialect.recursion or not circles(asked.schema)
        if asked.problems:
            assert dialect.limits.unions is not None, asked.problems  # the one limit that so small a schema can reach
            continue
        assert [found for judge in JUDGES.get(dialect.name, ()) if (found := judge(asked.schema))] == []
        for dump in ({}, {"exclude_unset": True}):
            if survives(model, record, **dump):
                found, answer = round_trip(model, record, dialect, **dump)
                assert found == record, (dialect.name, answer)
                assert not asked.back.plain or model.model_validate_json(json.dumps(answer)) == record


def survives(model, record, **dump):
    """Whether Pydantic's own JSON of a record is that record again; where types are alike, it may be another's."""
    try:
        return model.model_validate_json(record.model_dump_json(by_alias=True, **dump)) == record
    except ValidationError:
        return False


WORDS = st.sampled_from(
    ["key", "value", "item_1", "item_2", "more_items", "children", "named", "tag", "a", "b", "{}", "[1"]
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | WORDS
    | st.text(max_size=5)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


class Odd(BaseModel):
    """Everything that is turned back, in one."""

    a: dict[str, Any] | list[int] | Node | None
    b: Any = None
    children: tuple[int, Point, dict[str, Any]] = Field(alias="Kinder, groß")
    named: list[Left] = []
    value: Left | dict[str, list[Any]] | str = "x"
    tag: int = 3


BACKS = [asked_of(model, one).back for model in (Odd, Node, RootModel[dict[str, Any]]) for one in DIFFERENT]


@given(data=ANY_JSON)
def test_turning_back_is_total(data):
    """Whatever a model answers, turning it back does not fail; the user's model then judges."""
    for back in BACKS:
        restored(back, data)
        restored(back, {"value": data})


class Maps(BaseModel):
    notes: dict[str, str]
    by_kind: dict[Literal["net", "tax"], Decimal] = {}


@enforced
def test_a_map_is_never_an_object_that_can_only_be_empty(dialect):
    """A constrained decoder would answer {} for a free-form map: it is asked for as entries, and people are told."""
    asked = asked_of(Maps, dialect)
    entry = asked.schema["properties"]["notes"]["items"]
    assert set(entry["properties"]) == {"key", "value"} == set(entry["required"])
    assert any(note.startswith("notes: ") and "entries" in note for note in asked.notes)
    assert asked.schema["properties"]["by_kind"]["items"]["properties"]["key"]["enum"] == ["net", "tax"]
    record = Maps(notes={"a": "1", "": "ü"}, by_kind={"tax": Decimal("1.10")})
    assert round_trip(Maps, record, dialect)[0] == record


class Defaults(BaseModel):
    country: str = "DE"
    due: dt.date | None
    paid: dt.date | None = None
    terms: int | None = 30
    tags: list[str] = Field(default_factory=list)


def test_openai_asks_for_every_field():
    """Strict mode requires all: null stands for a default, and an empty list for itself. A lost default is told."""
    asked = asked_of(Defaults, OPENAI)
    properties = asked.schema["properties"]
    assert asked.schema["required"] == list(properties)
    assert properties["country"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert properties["tags"] == {"type": "array", "items": {"type": "string"}}
    answer = {"country": None, "due": None, "paid": None, "terms": None, "tags": []}
    assert restored(asked.back, answer) == {"due": None, "paid": None, "terms": None, "tags": []}
    assert any(note.startswith("terms: null means null") for note in asked.notes)


def test_anthropic_leaves_fields_out():
    """Anthropic takes optional fields, so that null need not stand for a default."""
    asked = asked_of(Defaults, CLAUDE)
    assert asked.schema["properties"]["country"] == {"type": "string"}
    assert asked.schema["required"] == ["due", "paid", "tags"]
    assert asked.back.plain


@pytest.mark.parametrize(("count", "fits"), [(16, True), (17, True), (40, True), (41, False)])
def test_anthropic_counts_nulls_and_optionals(count, fits):
    """16 fields may be null and 24 may be left out: a field goes where there is room, and one too many is named."""
    model = create_model("Many", **{f"f{number}": (int | None, ...) for number in range(count)})
    asked = asked_of(model, CLAUDE)
    assert bool(asked.problems) is not fits
    if not fits:
        assert "(f16 is one too many)" in asked.problems[0]
        return
    record = model.model_validate({f"f{number}": number if number % 2 else None for number in range(count)})
    assert round_trip(model, record, CLAUDE)[0] == record


def test_anthropic_counts_optionals_and_nulls():
    """The other way round: where no more fields may be left out, null stands for the default of the rest."""
    model = create_model("Many", **{f"f{number}": (int, number) for number in range(40)})
    asked = asked_of(model, CLAUDE)
    assert not asked.problems
    assert len(asked.schema["required"]) == 16
    assert restored(asked.back, dict.fromkeys(asked.schema["required"])) == {}
    assert round_trip(model, model(f3=9), CLAUDE, exclude_unset=True)[0] == model(f3=9)


def test_uses_of_a_class_are_counted_when_in_doubt():
    """Whether a class counts once or for each use is not published: beyond the limit either way, people are told."""
    part = create_model("Part", **{f"f{number}": (int | str, ...) for number in range(6)})
    model = create_model("Whole", a=(part, ...), b=(part, ...), c=(part, ...))
    asked = asked_of(model, CLAUDE)
    assert not asked.problems
    assert any("18 places" in note for note in asked.notes)


class Recursive(BaseModel):
    root: Node


def chain(depth):
    node = {"value": depth, "children": [], "named": {}, "other": None}
    for value in range(depth):
        node = {"value": value, "children": [node], "named": {"x": node}, "other": None}
    return Recursive.model_validate({"root": node})


@all_dialects
@pytest.mark.parametrize("depth", [1, 3, 6])
def test_recursive_models(dialect, depth):
    """However deep a record is, it comes back; where a provider takes no recursion the deep part is JSON text."""
    record = chain(depth)
    found, answer = round_trip(Recursive, record, dialect)
    assert found == record
    texts = json.dumps(answer).count("JSON") + json.dumps(answer).count('\\"value\\"')
    assert bool(texts) is (depth > 2 and not dialect.recursion)


def test_models_that_recurse_through_each_other():
    """Each circle is written out three levels deep, and not once for every way through it."""
    asked = asked_of(Left, CLAUDE)
    assert sorted(asked.schema["$defs"]) == ["Left_level_2", "Left_level_3", "Right", "Right_level_2", "Right_level_3"]
    assert asked.notes == ("Left: more than 3 levels deep it is asked for as JSON text, and read",)


class ByForm(BaseModel):
    told_apart: dict[str, int] | int | str
    alike: list[int] | dict[str, int]
    texts: str | Any
    same: str | bytes


@enforced
def test_unions_are_told_apart_by_form(dialect):
    """[] could be an empty list or an empty map, and "1" a string or JSON text: only such unions become JSON text."""
    asked = asked_of(ByForm, dialect)
    assert "JSON text" not in json.dumps(asked.schema["properties"]["told_apart"])
    assert asked.schema["properties"]["alike"]["type"] == "string"
    assert asked.schema["properties"]["same"] == {"type": "string"}
    for values in (
        {"told_apart": {}, "alike": [], "texts": "1", "same": "s"},
        {"told_apart": "x", "alike": {}, "texts": 1, "same": ""},
    ):
        record = ByForm.model_validate(values)
        assert round_trip(ByForm, record, dialect)[0] == record


class Free(BaseModel):
    """Needs turning back where Plain does not; what tells them apart is a constant."""

    kind: Literal["free"]
    value: Any
    next: "Free | Plain | None" = None


class Plain(BaseModel):
    value: str = ""
    first: int = 0
    second: int = 0
    kind: Literal["plain"] = "plain"
    next: "Free | Plain | None" = None


@enforced
def test_a_constant_tells_classes_apart(dialect):
    """Also when most of the other fields are left out; and it comes first, so that a decoder is never in doubt."""
    model = create_model("Either", it=(Free | Plain, ...))
    asked = asked_of(model, dialect)
    assert asked.schema["properties"]["it"].keys() == {"anyOf"}
    assert not any("begin alike" in note for note in asked.notes)
    for values in ({"kind": "plain", "value": "1"}, {"kind": "free", "value": "1", "next": {"value": "2"}}):
        record = model.model_validate({"it": values})
        assert round_trip(model, record, dialect)[0] == record
    if dialect.references:
        plain = asked.schema["$defs"]["Plain"]
        assert next(iter(plain["properties"])) == "kind"
        assert "kind" in plain["required"]
        assert "anyOf" not in plain["properties"]["kind"]
    back = restored(asked.back, {"it": {"kind": "plain", "value": "1"}})
    assert back["it"] == {"kind": "plain", "value": "1"}


class Sparse(BaseModel):
    value: str
    a: int = 0
    b: int = 0
    c: int = 0


class Near(BaseModel):
    value: Any
    x: int


class Chain(BaseModel):
    value: str
    next: "Chain | None" = None


class Twin(Sparse):
    pass


class FreeChain(BaseModel):
    value: Any
    next: "FreeChain | None" = None


@enforced
def test_fields_tell_classes_apart(dialect):
    """By what a class needs and has, not by how much an answer looks like it; classes all alike become JSON text."""
    model = create_model("M", it=(Near | Sparse, ...), chain=(FreeChain | Chain, ...), same=(Sparse | Twin, None))
    asked = asked_of(model, dialect)
    assert not any(note.startswith("same: its types") for note in asked.notes)
    assert "anyOf" in asked.schema["properties"]["it"]
    assert asked.schema["properties"]["chain"]["type"] == "string"
    record = model.model_validate({"it": {"value": "1"}, "chain": {"value": "1", "next": {"value": "2"}}})
    assert round_trip(model, record, dialect, exclude_unset=True)[0] == record


@pytest.mark.parametrize(
    ("schema", "fitting", "others"),
    [
        ({"type": "integer"}, [1, 1.0, Decimal("2.0")], [True, 1.5, "1", None]),
        ({"type": "number"}, [1, 1.5, Decimal("1E+400")], [True, "1"]),
        ({"type": "boolean", "const": True}, [True], [1, False]),
        ({"type": "integer", "enum": [1, 2]}, [1, 2.0], [True, 3]),
        ({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/A"}]}, [None, {"x": 1}], [{}, {"x": "1"}, {"x": 1, "y": 2}]),
        ({"type": "array", "items": {"$ref": "#/$defs/A"}}, [[], [{"x": 1}]], [{}, [{"x": 1}, {}]]),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [["a", "b"], [1]]),
        ({}, [None, 1, "x", [], {}], []),
    ],
)
def test_fitting(schema, fitting, others):
    """What tells the options of a union apart: types, constants and the names of fields."""
    properties = {"x": {"type": "integer"}}
    definitions = {"A": {"type": "object", "properties": properties, "required": ["x"], "additionalProperties": False}}
    assert [one for one in fitting if not fits(schema, one, definitions)] == []
    assert [one for one in others if fits(schema, one, definitions)] == []


class Row(NamedTuple):
    number: int
    unit: str | None = None
    price: int = 3


@enforced
def test_tuples(dialect):
    """Each position is asked for by itself; one that is left out ends the tuple, a null that is a value does not."""
    model = create_model("M", rows=(list[Row], ...), pair=(tuple[dict[str, int], Any], ...))
    record = model.model_validate({"rows": [[1, None, 5], [2, "kg", 3]], "pair": [{"a": 1}, "[1]"]})
    assert round_trip(model, record, dialect)[0] == record
    back = restored(asked_of(model, dialect).back, {"rows": [{"item_1": 1, "item_2": None, "item_3": None}]})
    assert back == {"rows": [[1, None]]}
    described = json.dumps(asked_of(model, dialect).schema)
    assert "unit" in described.lower()  # Pydantic versions differ in how they write a title
    long = {"type": "object", "properties": {"x": LONG_TUPLE}, "required": ["x"]}
    answer = {"x": {"item_1": 1, "more_items": ["2", '"3"']}}
    assert restored(rewrite(long, dialect).back, answer) == {"x": [1, 2, "3"]}


LONG_TUPLE = {"type": "array", "prefixItems": [{"type": "integer"}], "items": {}, "minItems": 1}


def test_what_is_no_entry_or_no_json_passes():
    """A wrong answer is left for the user's model to refuse."""
    back = asked_of(Maps, OPENAI).back
    for wrong in ([{"key": None, "value": "a"}], [{"key": "a"}], [{"key": [], "value": "a"}], "x"):
        assert restored(back, {"notes": wrong}) == {"notes": wrong}
    anything = asked_of(create_model("M", x=(Any, ...)), OPENAI).back
    assert [restored(anything, {"x": one})["x"] for one in ("NaN", "[1", "-Infinity", "1")] == [
        "NaN",
        "[1",
        "-Infinity",
        1,
    ]


class Named(BaseModel):
    street: str = Field(alias="Straße, Nr.")
    ref: int = Field(alias="$ref")
    long: int = Field(alias="x" * 70)
    longer: int = Field(alias="x" * 71)
    digit: int = Field(alias="1. Zeile")


@all_dialects
def test_names_of_fields(dialect):
    """Any name comes back, however a provider has it; the model is told what a renamed field is called."""
    asked = asked_of(Named, dialect)
    record = Named.model_validate({"Straße, Nr.": "a", "$ref": 1, "x" * 70: 2, "x" * 71: 3, "1. Zeile": 4})
    assert round_trip(Named, record, dialect)[0] == record
    if dialect.names is not None:
        assert 'the field "Straße, Nr."' in asked.schema["properties"]["Strae_Nr"]["description"]
        assert "field_1_Zeile" in asked.schema["properties"]
        assert len(asked.schema["properties"]) == 5


class Typed(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    when: AwareDatetime
    local: NaiveDatetime
    code: Annotated[str, Field(pattern="^(?!X)[A-Z]+$", max_length=9)]
    simple: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    amount: Annotated[Decimal, Field(ge=0, decimal_places=2)]
    rate: Annotated[float, Field(gt=0, le=1)]
    few: Annotated[list[int], Field(min_length=2, max_length=3)]
    flag: Literal[True]
    mixed: Literal["a", 1, None]  # noqa: PYI061 (a constant among others)


@all_dialects
def test_what_is_not_enforced_is_told(dialect):
    """Every rule that a dialect has no keyword for is said in the description."""
    properties = asked_of(Typed, dialect).schema["properties"]
    words = {
        "local": "without a zone",
        "code": "at most 9 characters",
        "amount": "at least 0; at most 2 decimal places",
        "rate": "more than 0",
        "few": "at most 3 items",
        "simple": "matches ^[A-Z]{3}$",
        "flag": "one of: true",
    }
    keywords = {"local": "-", "code": "maxLength", "amount": "-", "rate": "exclusiveMinimum", "few": "maxItems"}
    keywords |= {"simple": "pattern", "flag": "const"}
    for name, told in words.items():
        assert (told in properties[name].get("description", "")) is not (keywords[name] in properties[name]), name
    assert properties["amount"]["type"] == "string"


def test_patterns_that_decoders_refuse_are_not_sent():
    """A lookahead is refused by OpenAI and Anthropic alike; a plain pattern is enforced."""
    for dialect in (OPENAI, CLAUDE):
        properties = asked_of(Typed, dialect).schema["properties"]
        assert "pattern" not in properties["code"]
        assert properties["simple"]["pattern"] == "^[A-Z]{3}$"


def test_constants_have_a_type():
    """Mixed constants are asked for type by type; Gemini's tools enumerate nothing but strings."""
    options = [{"type": "string", "const": "a"}, {"type": "integer", "const": 1}, {"type": "null"}]
    assert asked_of(Typed, OPENAI).schema["properties"]["mixed"] == {"anyOf": options}
    model = create_model("M", x=(Literal[True, False], ...), y=(Literal["a"] | Literal["b", None] | None, ...))  # noqa: PYI030, PYI061
    properties = asked_of(model, OPENAI).schema["properties"]
    assert properties["x"] == {"type": "boolean"}
    assert json.dumps(properties["y"]).count("null") == 1
    told = [{"type": "string", "enum": ["a"]}, {"type": "integer", "description": "one of: 1"}, {"type": "null"}]
    assert asked_of(Typed, GEMINI_TOOL).schema["properties"]["mixed"] == {"anyOf": told}


def test_descriptions_survive():
    """What the user says of a field reaches the model, also beside a reference, where providers allow nothing."""

    class Inner(BaseModel):
        """An inner one."""

        x: int = Field(title="The X", examples=[3])

    class Outer(BaseModel):
        one: Inner = Field(description="the first")
        other: Inner

    asked = asked_of(Outer, CLAUDE).schema
    assert asked["properties"]["one"]["description"] == "the first; An inner one."
    assert asked["properties"]["other"] == {"$ref": "#/$defs/Inner"}
    assert asked["$defs"]["Inner"]["properties"]["x"]["description"] == "The X; such as 3"


def test_extra_fields_are_told():
    """A model that allows extra fields gets none from a constrained decoder; people are told."""

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        x: int

    assert asked_of(Open, OPENAI).notes == ("the schema: extra fields are not asked for (the provider allows none)",)
    assert asked_of(Open, PLAIN).notes == ()


@pytest.mark.parametrize("model", [RootModel[list[int]], RootModel[dict[str, int]], RootModel[int | str]])
@all_dialects
def test_roots_that_are_no_object(model, dialect):
    """Every provider wants an object: another root is one of its properties, and taken out again."""
    asked = asked_of(model, dialect)
    assert asked.schema["type"] == "object"
    for value in ([1, 2], {"a": 1}, 5, "x"):
        try:
            record = model.model_validate(value)
        except ValidationError:
            continue
        assert round_trip(model, record, dialect)[0] == record


def test_limits_are_problems():
    """What a provider is sure to refuse for its size is found before anything is sent."""
    wide = create_model("Wide", **{f"f{number}": (int, ...) for number in range(5001)})
    assert "5,001 fields" in asked_of(wide, OPENAI).problems[0]
    kind: Any = int
    for _ in range(10):
        kind = list[kind]
    deep = create_model("Deep", x=(kind, ...))
    assert "12 levels of nesting at x[][][][][][][][][][]" in asked_of(deep, OPENAI).problems[0]
    assert not asked_of(deep, PLAIN).problems


def test_classes_written_out_in_place_have_a_limit():
    """Where a provider knows no references, a schema that doubles with every level is found before it is sent."""
    model = create_model("Level0", x=(int, ...))
    for level in range(1, 15):
        model = create_model(f"Level{level}", left=(model, ...), right=(model, ...))
    assert "too large" in asked_of(model, BEDROCK_TOOL).problems[0]
    assert not asked_of(model, CLAUDE_TOOL).problems


def test_sizes_count_what_is_in_unions():
    """Every option of a union is part of a schema."""
    inner = {"type": "object", "properties": {"y": {"type": "string", "enum": ["a", "bc"]}}, "required": []}
    size = size_of({"type": "object", "properties": {"x": {"anyOf": [inner, {"type": "null"}]}}, "required": ["x"]})
    assert (size.properties, size.levels, size.values, size.text) == (2, 3, 2, 5)
    assert (size.optionals, size.unions) == (("x.y",), ("x",))


def test_long_enumerations_are_told_in_words():
    """A list of constants that is too long for a grammar is told, and every answer is checked all the same."""
    model = create_model("Coded", code=(Literal[tuple(f"c{number}" for number in range(300))], ...))
    for dialect in ENFORCED:
        asked = asked_of(model, dialect)
        assert "enum" not in json.dumps(asked.schema)
        assert '"c299"' in asked.schema["properties"]["code"]["description"]
        assert asked.notes[0].startswith("code: its 300 values")


def test_doubts():
    """What a provider may refuse by a measure that it does not publish is a note."""
    wide = create_model("Wide", **{f"f{number}": (int, ...) for number in range(101)})
    assert "may refuse" in asked_of(wide, AZURE).notes[0]
    assert "may refuse" in asked_of(wide, CLAUDE).notes[0]
    assert asked_of(wide, GEMINI).notes == ()
    one, other = create_model("One", name=(str, ...)), create_model("Other", name=(str, ...), x=(int, ...))
    alike = create_model("Alike", it=(one | other, ...))
    assert (
        "it: OpenAI's strict mode may refuse types that begin alike, here with 'name'"
        in asked_of(alike, OPENAI).notes[0]
    )
    assert asked_of(create_model("Two", it=(Left | Node, ...)), OPENAI).notes != asked_of(alike, OPENAI).notes


HAND_WRITTEN = {
    "type": "object",
    "properties": {
        "both": {"allOf": [{"$ref": "#/definitions/A"}, {"type": "object", "properties": {"y": {"type": "integer"}}}]},
        "one": {"allOf": [{"$ref": "#/definitions/A"}], "description": "one of them"},
        "alone": {"allOf": [{"$ref": "#/definitions/A"}]},
        "listed": {"type": ["integer", "null"], "description": "a number"},
        "free": True,
        "lost": {"$ref": "#/$defs/Nowhere"},
        "strange": {"type": "decimal"},
        "patterned": {"type": "object", "patternProperties": {"^a": {"type": "integer"}}},
    },
    "required": ["both", "one", "alone", "listed", "free", "lost", "strange", "patterned"],
    "definitions": {"A": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}},
}


@enforced
def test_schemas_written_by_hand(dialect):
    """A type may describe itself with any JSON schema: all of it can be read, and what has no kind is told."""
    asked = rewrite(HAND_WRITTEN, dialect)
    assert not asked.problems
    assert refused(asked.schema, dialect) == []
    assert sum("any JSON is asked for there" in note for note in asked.notes) == 2
    assert not dialect.references or asked.schema["properties"]["alone"] == {"$ref": "#/$defs/A"}
    answer = {
        "both": {"x": "a", "y": 1},
        "one": {"x": "b"},
        "alone": {"x": "c"},
        "listed": None,
        "free": "[1]",
        "lost": "2",
    }
    answer |= {"strange": '"t"', "patterned": [{"key": "ab", "value": 3}]}
    Draft202012Validator(asked.schema).validate(answer)
    back = restored(asked.back, answer)
    assert back | {"both": 0, "one": 0} == {
        "both": 0,
        "one": 0,
        "alone": {"x": "c"},
        "listed": None,
        "free": [1],
        "lost": 2,
        "strange": "t",
        "patterned": {"ab": 3},
    }
    assert sum("anyOf" in node for _, node in nodes(asked.schema, "")) >= 1


def test_a_key_that_stands_twice_is_told_unless_its_values_are_equal():
    """The last of its values would be taken, and the others lost without a word."""
    back = Back(Fields({"counts": FieldWay("counts", Pairs(SAME))}))
    entries = [{"key": "pear", "value": 3}, {"key": "apple", "value": 1}, {"key": "pear", "value": 3}]
    assert restored(back, {"counts": entries}) == {"counts": {"pear": 3, "apple": 1}}
    entries[2]["value"] = 4
    with pytest.raises(KeyTwice, match="the key 'pear'"):
        restored(back, {"counts": entries})
