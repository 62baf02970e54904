"""Two values are the same when they mean the same, by the type of the field."""

import datetime as dt
from decimal import Decimal

import pytest
from each_case import each_case

from pipeline.commands.evaluate.meanings import (
    Fields,
    Items,
    Kind,
    Leaf,
    meaning_of,
    misfit,
    only_in,
    shared,
)

DAY = dt.date(2026, 5, 14)
NOON = dt.datetime(2026, 5, 14, 12, tzinfo=dt.UTC)
SAME = [
    (Kind.NUMBER, Decimal("428.40"), "428.4"),
    (Kind.NUMBER, Decimal("428.40"), 428.4),
    (Kind.NUMBER, Decimal("1234.50"), "1.234,50 €"),
    (Kind.NUMBER, 3, 3.0),
    (Kind.NUMBER, Decimal("-25.00"), "-25"),
    (Kind.FLOAT, 0.1 + 0.2, "0.3"),
    (Kind.FLOAT, float("nan"), float("nan")),
    (Kind.DAY, DAY, "2026-05-14"),
    (Kind.DAY, DAY, "2026-05-14T00:00:00"),
    (Kind.DAY, DAY, "14.05.2026"),
    (Kind.DAY, DAY, dt.datetime(2026, 5, 14)),  # noqa: DTZ001 (as a Parquet file may have it)
    (Kind.MOMENT, NOON, "2026-05-14T14:00:00+02:00"),
    (Kind.MOMENT, NOON, "2026-05-14T12:00:00Z"),
    (Kind.MOMENT, NOON, "2026-05-14 12:00"),
    (Kind.TIME, dt.time(9, 30), "09:30"),
    (Kind.SPAN, dt.timedelta(hours=1), "PT1H"),
    (Kind.SPAN, dt.timedelta(hours=1), 3600),
    (Kind.BOOL, True, "true"),
    (Kind.TEXT, "Öl  12 kg ", "O\u0308l 12\u00a0kg"),
    (Kind.TEXT, "１２", "12"),
    (Kind.TEXT, "12", 12),
    (Kind.BYTES, b"ab", "ab"),
    (Kind.JSON, '{"a": "1.50", "b": [1]}', {"b": [1.0], "a": 1.5}),
]
DIFFERENT = [
    (Kind.NUMBER, Decimal("1.00"), "1.01"),
    (Kind.NUMBER, 1, True),
    (Kind.NUMBER, Decimal(1234), "1,234"),  # or one and a bit: not guessed
    (Kind.DAY, DAY, "2026-05-15"),
    (Kind.DAY, DAY, "05/14/2026"),
    (Kind.TEXT, "12", "012"),
    (Kind.TEXT, "Acorn", "acorn"),
    (Kind.BOOL, False, "no"),
    (Kind.JSON, '"007"', 7),
    (Kind.JSON, "9007199254740993", 9007199254740992),
]


@each_case(("kind", "found", "known"), SAME)
def test_the_same_by_value(kind, found, known):
    assert meaning_of(Leaf(kind))(found) == meaning_of(Leaf(kind))(known)


@each_case(("kind", "found", "known"), DIFFERENT)
def test_not_the_same(kind, found, known):
    assert meaning_of(Leaf(kind))(found) != meaning_of(Leaf(kind))(known)


LINES = Fields(
    {"lines": Items(Fields({"amount": Leaf(Kind.NUMBER), "what": Leaf(Kind.TEXT)})), "more": Leaf(Kind.JSON)}
)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"lines": [{"amount": 1}], "more": {"x": [1]}}, None),
        ({"lines": None, "more": None}, None),
        ({"lines": [{"amonut": 1}]}, ("lines[].amonut", "")),
        ({"lines": {"amount": 1}}, ("lines", "is {'amount': 1}, and not a list")),
        ({"lines": [3]}, ("lines[]", "is 3, and not an object")),
        ({"lines": [{"amount": [1]}]}, ("lines[].amount", "is a list, and not a number")),
    ],
)
def test_what_has_no_place_in_the_schema_is_named(record, told):
    assert misfit(LINES, record) == told


def test_a_model_that_is_one_value_is_known_as_that_value():
    shape = Fields({"root": Items(Leaf(Kind.NUMBER))})
    assert misfit(shape, [1, 2]) is None
    assert meaning_of(shape)(["1.0", 2]) == meaning_of(shape)({"root": [1, 2]})


def test_of_two_schemas_what_both_have_is_compared():
    other = Fields({"lines": Items(Fields({"amount": Leaf(Kind.TEXT), "tax": Leaf(Kind.NUMBER)}))})
    both = shared(LINES, other)
    assert both == Fields({"lines": Items(Fields({"amount": Leaf(Kind.NUMBER)}))})
    assert only_in(LINES, other) == ["more", "lines[].what"]
    assert only_in(other, LINES) == ["lines[].tax"]
