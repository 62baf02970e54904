"""Look-ups from their files: what a model is told of them, what is refused, and what their types let through."""

import pytest
from pydantic import ValidationError

from pipeline.errors import JobError
from pipeline.schema.tools import load_tools, tools_hash

GOOD = '''
from __future__ import annotations

import functools
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Place(BaseModel):
    town: str


@functools.lru_cache
def find(
    supplier: Annotated[str, Field(description="as printed", max_length=5)],
    on: date | None = None,
    *,
    kind: Literal["a", "b"] = "a",
) -> dict:
    """Finds it.

    In our books.
    """
    return {"supplier": supplier, "on": on, "kind": kind}


def near(place: Place, amounts: list[Decimal]) -> int:
    return len(amounts)


def today() -> str:
    """The day."""
    return "2026-11-30"
'''


@pytest.fixture
def load(tmp_path):
    def loaded(source, *names, record="Thing"):
        file = tmp_path / "lookups.py"
        file.write_text(source)
        return load_tools([f"{file}:{name}" for name in names], record)

    return loaded


def test_a_model_is_told_the_docstring_and_the_types(load):
    find, near, today = load(GOOD, "find", "near", "today")
    assert (find.tool.name, find.tool.description, find.takes) == (
        "find", "Finds it.\n\nIn our books.", ("supplier", "on", "kind"),
    )  # fmt: skip
    assert find.tool.schema == {
        "type": "object",
        "properties": {
            "supplier": {"type": "string", "description": "as printed"},
            "on": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "kind": {"type": "string", "enum": ["a", "b"]},
        },
        "required": ["supplier"],
        "additionalProperties": False,
    }
    assert near.tool.schema["properties"]["place"] == {"$ref": "#/$defs/Place"}
    assert near.tool.description == "near"
    assert today.tool.schema["properties"] == {}


def test_arguments_come_as_the_types_that_the_function_asks_for(load):
    find, near, today = load(GOOD, "find", "near", "today")
    assert find.bound('{"supplier": "Acorn", "on": "2026-11-30"}')()["on"].isoformat() == "2026-11-30"
    assert near.bound('{"place": {"town": "Ghent"}, "amounts": ["1.5"]}')() == 1
    assert (today.bound("{}")(), today.bound("")()) == ("2026-11-30", "2026-11-30")


@pytest.mark.parametrize(
    "arguments",
    ['{"supplier": 5}', '{"supplier": "too long"}', "{}", '{"supplier": "a", "kind": "c"}', '{"supplier": "a", "x": 1}',
     '{"supplier": "a"', "null", '["a"]', "nope"],
)  # fmt: skip
def test_what_is_not_of_its_types_is_no_call(load, arguments):
    (find,) = load(GOOD, "find")
    with pytest.raises(ValueError, match=r"."):
        find.bound(arguments)


def test_a_call_is_checked_before_it_is_made(load):
    (find,) = load("def find(a: int) -> int:\n    raise AssertionError('called')\n", "find")
    with pytest.raises(ValidationError):
        find.bound('{"a": "x"}')
    assert callable(find.bound('{"a": 1}'))


@pytest.mark.parametrize(
    ("source", "name", "told"),
    [
        ("def find(a, b: int): ...", "find", "parameter 'a' has no type"),
        ("from typing import Any\ndef find(a: Any): ...", "find", "parameter 'a' has no type"),
        ("def find(a: Nowhere): ...", "find", "Nowhere"),
        ("import threading\ndef find(a: threading.Lock): ...", "find", "lookups.py:find: "),
        ("def find(*a: int): ...", "find", r"\*a takes arguments without a name"),
        ("def find(**a: int): ...", "find", r"\*\*a takes arguments of any name"),
        ("def find(a: int, /): ...", "find", "a can only be given by its position"),
        ("async def find(a: int): ...", "find", "is no plain function"),
        ("def find(a: int):\n    yield a", "find", "is no plain function"),
        ("class find: ...", "find", "the class find, not a function"),
        ("find = 5", "find", "a int, not a function"),
        ("def finds(a: int): ...", "find", "no function 'find' .* Did you mean 'finds'"),
        ("def thing(a: int): ...", "thing", "'thing' is the name of the record"),
        ("def größe(a: int): ...", "größe", "no name that providers take"),
        ("def find(a: int:", "find", "line 1: "),
        ("1 / 0", "find", "ZeroDivisionError"),
    ],
)
def test_what_is_no_look_up_is_refused_by_its_name_and_cause(load, source, name, told):
    with pytest.raises(JobError, match=told) as refused:
        load(source + "\n", name)
    assert "extract.tools" in str(refused.value)


def test_two_of_one_name_and_a_file_that_is_not_there_are_refused(load, tmp_path):
    with pytest.raises(JobError, match="two look-ups are called 'today'"):
        load(GOOD, "today", "today")
    with pytest.raises(JobError, match=r"no such file \(extract.tools\)"):
        load_tools([f"{tmp_path / 'nowhere.py'}:find"])
    with pytest.raises(JobError, match=r"nowhere_at_all: cannot be imported \(extract.tools\)"):
        load_tools(["nowhere_at_all:find"])


def test_the_hash_is_of_the_source_and_not_of_where_it_stands(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "lookups.py").write_text(GOOD)
    one, other = (tools_hash([f"{tmp_path / folder / 'lookups.py'}:find"]) for folder in ("a", "b"))
    assert one == other
    (tmp_path / "b" / "lookups.py").write_text(GOOD + "\n")
    assert tools_hash([f"{tmp_path / 'b' / 'lookups.py'}:find"]) != one
    assert tools_hash([]) == ""
