"""The user's model as a provider is asked for it: names, aliases, what is impossible, and which mode can say it."""

import json
import os
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import pytest
from places import REPO
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    computed_field,
    create_model,
)

from pipeline.extraction.validate import Valid, check
from pipeline.job.settings import Mode, Provider
from pipeline.schema.shape import load_model, restore, shape_for, source_hash

SCHEMAS = REPO / "schemas"
PROVIDERS = Provider.__args__
MODES = Mode.__args__
T = TypeVar("T")


def taken(model, shaped, answer):
    """The record in an answer, by the way a run goes."""
    turn_back = (lambda data: restore(shaped, data)) if shaped.rewritten else None
    found = check(model, turn_back, json.dumps(answer))
    assert isinstance(found, Valid), found
    return found.record


@pytest.mark.parametrize("spec", ["invoice.py:Invoice", "document.py:Document"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_common_schemas_need_no_turning_back(provider, mode, spec):
    """An answer is parsed once, by Pydantic alone: digits survive as text, and nothing has to be rewritten."""
    shaped = shape_for(load_model(str(SCHEMAS / spec)), provider, mode)
    assert (shaped.rewritten, shaped.notes, shaped.problems) == (False, (), ())


def test_auto_takes_the_strictest_mode_that_can_say_it_all():
    """Where a provider's structured output cannot hold a schema, a tool can; people are told, and why."""
    wide = create_model("Wide", **{f"f{number}": (int | None, ...) for number in range(50)})
    shaped = shape_for(wide, "anthropic", "auto", model_name="claude-sonnet-5")
    assert (shaped.shape.mode, shaped.shape.strict, shaped.problems) == ("tool", False, ())
    assert shaped.notes[0].startswith("asked for by Anthropic's tools, because Anthropic's structured output cannot: ")
    unforced = shape_for(wide, "anthropic", "auto", model_name="claude-opus-5-5")
    assert (unforced.shape.mode, unforced.problems) == ("json_object", ())
    small = create_model("Small", **{f"f{number}": (int | None, ...) for number in range(9)})
    shaped = shape_for(small, "anthropic", "auto", model_name="claude-sonnet-5")
    assert (shaped.shape.mode, shaped.shape.strict) == ("json_schema", True)


def test_a_mode_that_was_asked_for_is_kept_or_a_problem():
    """Nothing is asked for in another mode than the user's: what that cannot say is a problem, with the way out."""
    wide = create_model("Wide", **{f"f{number}": (int | None, ...) for number in range(50)})
    shaped = shape_for(wide, "anthropic", "json_schema", model_name="claude-sonnet-5")
    assert "is one too many" in shaped.problems[0]
    assert "extract.mode = 'auto'" in shaped.problems[1]
    tool = shape_for(wide, "anthropic", "tool", model_name="claude-sonnet-5")
    assert (tool.shape.mode, tool.shape.strict, tool.problems) == ("tool", False, ())


def test_a_mode_that_the_model_lacks_is_a_problem():
    """The model's name is looked at, with the way out."""
    model = create_model("M", x=(int, ...))
    assert shape_for(model, "openai", "json_schema", model_name="gpt-4").problems[0].startswith("extract.mode = ")
    assert shape_for(model, "openai", "auto", model_name="gpt-4").shape.mode == "tool"


def test_dialects_by_provider():
    """Each provider is asked in its own dialect; a fine-tuned model of OpenAI's and Azure take fewer keywords."""
    model = create_model("M", x=(Annotated[int, Field(ge=0)], 3))

    def asked(provider, **more):
        return shape_for(model, provider, "auto", **more).shape.schema["properties"]["x"]

    bound = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
    told = {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "at least 0"}
    assert asked("openai") == asked("sandbox") == bound
    assert asked("azure") == asked("openai", model_name="ft:gpt-4o-mini:acme::x") == told
    assert asked("anthropic") == {"type": "integer", "description": "at least 0"}
    assert asked("gemini") == asked("vertex") == {"type": "integer", "minimum": 0}


class Box(BaseModel, Generic[T]):
    value: T


@pytest.mark.parametrize("provider", PROVIDERS)
def test_names_of_generics(provider):
    """A name is one that every provider takes, whatever the class is called."""
    inner = create_model("Größe" * 20, x=(int, ...))
    for model in (Box[int], Box[inner], create_model("_Private", x=(int, ...)), create_model("量", x=(int, ...))):
        shaped = shape_for(model, provider, "auto")
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}", shaped.shape.name)
        assert all(re.fullmatch(r"[A-Za-z]\w{0,63}", name, re.ASCII) for name in shaped.shape.schema.get("$defs", {}))


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    plain: int = Field(alias="Plain-Name")
    chosen: int = Field(validation_alias=AliasChoices(AliasPath("deep", 0), "first", "second"))
    by_path: int = Field(validation_alias=AliasPath("deep", 1))
    written: int = Field(serialization_alias="not_this")

    @computed_field
    @property
    def total(self) -> int:
        return self.plain + self.chosen


def test_fields_are_asked_for_by_names_that_validation_takes():
    """By the first alias that is a name, else by the field's own; computed fields are not asked for."""
    shaped = shape_for(Aliased, "openai", "auto")
    assert list(shaped.shape.schema["properties"]) == ["Plain-Name", "first", "by_path", "written"]
    record = taken(Aliased, shaped, {"Plain-Name": 1, "first": 2, "by_path": 3, "written": 4})
    assert (record.plain, record.chosen, record.by_path, record.written) == (1, 2, 3, 4)


def test_aliases_that_validation_does_not_take():
    """A model that validates by name is asked for by name, whatever its aliases are."""

    class ByName(BaseModel):
        model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
        x: int = Field(alias="X")

    shaped = shape_for(ByName, "openai", "auto")
    assert taken(ByName, shaped, {"x": 1}).x == 1


class Custom:
    pass


@pytest.mark.parametrize(
    ("annotation", "config"),
    [(Callable[[int], int], {}), (Custom, {"arbitrary_types_allowed": True})],
    ids=["callable", "class"],
)
def test_what_json_cannot_hold_names_the_field(annotation, config):
    """A required field without a JSON form is a problem that names it; an optional one is left to its default."""
    inner = create_model("Inner", bad=(annotation, ...), __config__=ConfigDict(**config))
    outer = create_model("Outer", items=(list[inner], ...))
    assert shape_for(outer, "openai", "auto").problems[0].startswith("Inner.bad: no JSON can be asked for")
    optional = create_model("Optional", bad=(annotation | None, None), x=(int, 1), __config__=ConfigDict(**config))
    shaped = shape_for(optional, "openai", "auto")
    assert shaped.problems == ()
    assert list(shaped.shape.schema["properties"]) == ["x"]
    assert shaped.notes[0].startswith("bad: is not asked for, its default is taken")


def test_other_problems_of_a_schema():
    """A path alias without a name, an unfinished class, a class that fails to describe itself, and no fields at all."""

    class Path(BaseModel):
        x: int = Field(validation_alias=AliasPath("a", "b"))

    class Unfinished(BaseModel):
        x: "Nowhere"  # noqa: F821 (on purpose)

    class Failing:
        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            return handler(int)

        @classmethod
        def __get_pydantic_json_schema__(cls, schema, handler):
            raise RuntimeError("no idea")

    assert shape_for(Path, "openai", "auto").problems[0].startswith("x: its value is taken from inside another field")
    assert shape_for(Unfinished, "openai", "auto").problems[0].startswith("Unfinished has no JSON schema: ")
    failing = create_model("Failing", x=(Failing, ...))
    assert shape_for(failing, "openai", "auto").problems == ("Failing has no JSON schema: no idea",)
    assert "no fields" in shape_for(create_model("Empty"), "openai", "auto").problems[0]


class Exact(BaseModel):
    amount: Decimal
    extra: dict[str, Decimal]
    either: float | str
    free: Any


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_digits_and_types_survive_the_way_back(provider):
    """More digits than a float has, a float that is no string, and any JSON: as the model would have taken them."""
    shaped = shape_for(Exact, provider, "auto")
    digits = "12345678901234567890.123456789"
    answer = {"amount": digits, "extra": [{"key": "a", "value": digits}], "either": 1.5, "free": '{"x": [1.5, "1.5"]}'}
    record = taken(Exact, shaped, answer)
    assert record.amount == record.extra["a"] == Decimal(digits)
    assert record.either == 1.5
    assert record.free == {"x": [1.5, "1.5"]}


def test_a_type_with_a_schema_of_its_own():
    """What a user's type says of itself is what is asked for."""
    kind = Annotated[
        int, BeforeValidator(lambda value: int(str(value).removeprefix("no. "))), WithJsonSchema({"type": "string"})
    ]
    model = create_model("M", x=(kind, ...))
    shaped = shape_for(model, "openai", "auto")
    assert shaped.shape.schema["properties"]["x"] == {"type": "string"}
    assert taken(model, shaped, {"x": "no. 7"}).x == 7


def test_the_hash_knows_the_schema_and_its_source(tmp_path):
    """A changed field or validator makes outcomes anew; the same file does not."""
    file = tmp_path / "thing.py"
    file.write_text("from pydantic import BaseModel\nclass Thing(BaseModel):\n    x: int\n")
    spec = f"{file}:Thing"
    first = source_hash(load_model(spec), spec)
    assert source_hash(load_model(spec), spec) == first
    file.write_text(file.read_text() + "    # another comment\n")
    assert source_hash(load_model(spec), spec) != first


def test_tools_are_strict_where_the_model_can_be_held_to_them():
    """A model that takes strict tools is held to the schema; another is asked in plain JSON Schema."""
    model = create_model("M", x=(dict[str, int], ...))
    new = shape_for(model, "bedrock", "tool", model_name="anthropic.claude-haiku-4-5-20251001-v1:0")
    old = shape_for(model, "bedrock", "tool", model_name="anthropic.claude-3-haiku-20240307-v1:0")
    assert (new.shape.strict, new.shape.schema["properties"]["x"]["type"]) == (True, "array")
    assert (old.shape.strict, old.shape.schema["properties"]["x"]["type"]) == (False, "object")


@pytest.mark.parametrize("ours", [True, False])
def test_what_a_schema_prints_is_not_in_a_commands_output(tmp_path, monkeypatch, capsys, ours):
    """`--json` is one object on standard output, whatever is said while a schema is loaded.

    A program's is left alone: two of its threads that turn it aside at once could leave it so.
    """
    monkeypatch.setattr("pipeline.console._format", "text" if ours else "off")
    said = "print('hello')\nfrom pydantic import BaseModel\nclass Thing(BaseModel):\n    n: int\n"
    (tmp_path / "says_hello_once.py").write_text(said)
    monkeypatch.syspath_prepend(str(tmp_path))
    for spec in (f"{tmp_path}/says_hello_once.py:Thing", "says_hello_once:Thing"):
        monkeypatch.delitem(sys.modules, "says_hello_once", raising=False)
        assert load_model(spec).__name__ == "Thing"
        assert capsys.readouterr() == (("", "hello\n") if ours else ("hello\n", ""))


def test_an_edit_of_the_same_size_within_a_second_is_seen(tmp_path, monkeypatch):
    """Where Python would take what it has compiled before."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "thing.py"
    text = "from pydantic import BaseModel\nclass Thing(BaseModel):\n    name: {}\n"
    for kind in (str, int):
        file.write_text(text.format(kind.__name__))
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert load_model(f"{file}:Thing").model_fields["name"].annotation is kind
