"""A chunk's answer is judged field by field; the whole is for the merged record."""

import json
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator, model_validator

from pipeline.extraction.merge import Merged, merge
from pipeline.extraction.validate import Invalid, Valid, check
from pipeline.schema.part_model import part_validator


class Line(BaseModel):
    what: str
    count: int
    each: int = 1

    @model_validator(mode="after")
    def _positive(self):
        if self.count * self.each < 0:
            raise ValueError("less than none")
        return self


class Sums(BaseModel):
    net: int | None = None
    gross: int | None = None

    @model_validator(mode="after")
    def _both(self):
        if (self.net is None) != (self.gross is None):
            raise ValueError("net without gross")
        return self


class Bill(BaseModel):
    total: int | None = Field(None, ge=0)
    sums: Sums = Sums()
    named: dict[str, Sums] = {}
    best: Line | None = None
    lines: list[Line] = []
    seen: list[str] = []

    @field_validator("seen")
    @classmethod
    def _short(cls, seen: list[str]) -> list[str]:
        if any(len(one) > 3 for one in seen):
            raise ValueError("too long a word")
        return seen

    @model_validator(mode="before")
    @classmethod
    def _prepared(cls, data: Any) -> Any:
        if isinstance(data, dict) and "sum" in data:
            data = {**data, "total": data["sum"]}
            del data["sum"]
        return data

    @model_validator(mode="after")
    def _adds_up(self):
        if self.total is not None and self.total != sum(line.count for line in self.lines):
            raise ValueError("does not add up")
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: Any, handler: Any) -> Any:
        found = handler({**data, "seen": ["new"]} if isinstance(data, dict) and data.get("seen") == ["old"] else data)
        assert found.total is None or found.sums.net is not None, "no sums"
        return found


def line(count=1, **more):
    return {"what": "x", "count": count, **more}


PARTS = [
    {"total": 3},
    {"sum": 3},
    {"lines": [line(5)], "total": 3},
    {"sums": {"net": 1}},
    {"named": {"a": {"gross": 1}}},
    {"best": line(-1)},
    {},
]


@pytest.mark.parametrize("data", PARTS, ids=json.dumps)
def test_what_must_hold_of_the_whole_is_not_asked_of_a_part(data):
    found = check(Bill, None, json.dumps(data), part=True)
    assert isinstance(found, Valid), found
    assert type(found.record) is Bill
    assert isinstance(check(Bill, None, json.dumps(data)), Valid) == (data == {})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"total": -1}, "total: Input should be greater than or equal to 0"),
        ({"total": "x"}, "total: Input should be a valid integer"),
        ({"seen": ["long"]}, "seen: Value error, too long a word"),
        ({"lines": [line(-1)]}, "lines.0: Value error, less than none"),
        ({"lines": [{}]}, "lines.0.what: Field required"),
        ({"sums": {"net": "x"}}, "sums.net: Input should be a valid integer"),
    ],
)
def test_fields_of_a_part_are_judged_as_ever(data, told):
    """Items of a list are whole in every chunk: theirs are the rules of models too."""
    found = check(Bill, None, json.dumps(data), part=True)
    assert isinstance(found, Invalid)
    assert found.errors[0].startswith(told)


def test_what_is_prepared_before_the_fields_is_prepared_in_a_part():
    assert check(Bill, None, '{"sum": 3}', part=True).record.total == 3
    assert check(Bill, None, '{"sum": 3, "seen": ["old"]}', part=True).record.seen == ["new"]


@pytest.mark.parametrize("totals", [(3, None), (None, 3)])
def test_the_merged_record_is_judged_as_a_whole(totals):
    chunks = [{"total": total, "lines": [line(count)]} for total, count in zip(totals, (1, 2), strict=True)]
    chunks[0]["sums"] = {"net": 1}
    chunks[1]["sums"] = {"gross": 1}
    records = [check(Bill, None, json.dumps(chunk), part=True).record for chunk in chunks]
    found = merge(Bill, "auto", records, overlapping=False)
    assert isinstance(found, Merged), found
    assert json.loads(found.record_json)["total"] == 3
    wrong = merge(Bill, "auto", [*records, records[0]], overlapping=False)
    assert wrong.errors[0].startswith("merged record: the record: Value error, does not add up")


class Tree(BaseModel):
    name: str
    weight: int = 0
    main: "Tree | None" = None
    others: list["Tree"] = []

    @model_validator(mode="after")
    def _heavy(self):
        if self.weight < 1:
            raise ValueError("too light")
        return self


def test_a_model_of_itself_has_parts_too():
    """The same model is a part where it is joined, and whole where it is an item."""
    light, heavy = {"name": "a"}, {"name": "a", "weight": 1}
    read = part_validator(Tree).validate_json
    assert read(json.dumps({**light, "main": {**light, "main": light}, "others": [heavy]})).main.main.weight == 0
    with pytest.raises(ValidationError, match="too light"):
        read(json.dumps({**light, "others": [light]}))
    with pytest.raises(ValidationError, match="too light"):
        read(json.dumps({**light, "main": {**light, "others": [{**heavy, "main": light}]}}))


def test_a_model_without_such_rules_is_judged_by_itself():
    class Plain(BaseModel):
        lines: list[Line] = []
        name: Annotated[str, AfterValidator(str.strip)] = ""

    assert part_validator(Plain) is None
    Bill.model_validate({"lines": [line()]})
    with pytest.raises(ValidationError):
        Bill.model_validate({"total": 7})  # and no class is changed by the look at it
