"""Pydantic models of all kinds, nested, with values that fit them: what the round-trip property is tried on."""

import datetime as dt
import enum
import string
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from pydantic import (
    AnyUrl,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NaiveDatetime,
    RootModel,
    create_model,
)
from typing_extensions import NotRequired, TypedDict  # noqa: UP035 (Pydantic wants these two together)

NUMBERS = count(1)
T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    ONE = 1
    TRUE = True
    HALF = 0.5


class Pair(enum.Enum):
    """Constants that are no plain values."""

    AB = ("a", "b")
    CD = ("c", "d")


class Empty(BaseModel):
    pass


class Box(BaseModel, Generic[T]):
    value: T


class Names(RootModel[dict[str, int]]):
    pass


class Point(NamedTuple):
    x: int
    label: str
    note: str = "none"


class Bag(TypedDict):
    size: int
    of: NotRequired[dict[str, bool]]


class Node(BaseModel):
    value: int
    children: list["Node"] = []
    named: dict[str, "Node"] = {}
    other: "Node | None" = None


class Left(BaseModel):
    tag: Literal["left"] = "left"
    right: "Right | None" = None


class Right(BaseModel):
    tag: Literal["right"] = "right"
    lefts: list[Left] = Field(default_factory=list)


@dataclass(frozen=True)
class Spec:
    """A type annotation, and JSON-like values that validate as it."""

    annotation: Any
    values: st.SearchStrategy
    nullable: bool = False


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(-1e6, 1e6)
    | TEXT
    | st.sampled_from(["1", "null", '"x"', "[]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
FLAGS = st.dictionaries(TEXT, st.booleans(), max_size=2)
MONEY = st.decimals(-(10**6), 10**6, places=2).map(str)


def _nodes(depth):
    inner = st.lists(_nodes(depth - 1), max_size=2) if depth else st.just([])
    named = st.dictionaries(TEXT, _nodes(depth - 1), max_size=1) if depth else st.just({})
    other = st.none() | _nodes(depth - 1) if depth else st.none()
    return st.fixed_dictionaries({"value": st.integers(0, 9), "children": inner, "named": named, "other": other})


def _lefts(depth):
    right = {"tag": st.just("right"), "lefts": st.lists(_lefts(depth - 1), max_size=1) if depth else st.just([])}
    return st.fixed_dictionaries({"tag": st.just("left"), "right": st.none() | st.fixed_dictionaries(right)})


SCALARS = [
    Spec(str, TEXT),
    Spec(int, st.integers(-(10**12), 10**12)),
    Spec(Annotated[int, Field(ge=0, lt=100)], st.integers(0, 99)),
    Spec(float, st.floats(-1e9, 1e9)),
    Spec(Annotated[float, Field(gt=0, le=1)], st.floats(0.001, 1)),
    Spec(bool, st.booleans()),
    Spec(Decimal, MONEY),
    Spec(Annotated[Decimal, Field(max_digits=9, decimal_places=2, ge=0)], MONEY.map(lambda one: one.lstrip("-"))),
    Spec(Annotated[str, Field(pattern=r"^[A-Z]{3}$")], st.text(string.ascii_uppercase, min_size=3, max_size=3)),
    Spec(Annotated[str, Field(pattern=r"^(?:a|b)+$", max_length=5)], st.text("ab", min_size=1, max_size=5)),
    Spec(dt.date, st.dates().map(dt.date.isoformat)),
    Spec(dt.time, st.times().map(dt.time.isoformat)),
    Spec(dt.timedelta, st.sampled_from(["P1D", "PT90S", "P1DT2H3M4S", "-PT5M"])),
    Spec(AwareDatetime, st.datetimes(timezones=st.just(dt.UTC)).map(dt.datetime.isoformat)),
    Spec(NaiveDatetime, st.datetimes().map(dt.datetime.isoformat)),
    Spec(UUID, st.uuids().map(str)),
    Spec(AnyUrl, st.sampled_from(["https://example.org/", "ftp://example.org/a"])),
    Spec(bytes, st.text(string.ascii_letters, max_size=4)),
    Spec(Literal["a"], st.just("a")),
    Spec(Literal["a", "b", "1"], st.sampled_from(["a", "b", "1"])),
    Spec(Literal["a", 1, None, True], st.sampled_from(["a", 1, None, True]), nullable=True),  # noqa: PYI061 (mixed)
    Spec(Colour, st.sampled_from([one.value for one in Colour])),
    Spec(Pair, st.sampled_from([list(one.value) for one in Pair])),
    Spec(type(None), st.none(), nullable=True),
]
WHOLES = [
    Spec(Any, JSON),
    Spec(JsonValue, JSON),
    Spec(dict, st.dictionaries(TEXT, JSON, max_size=2)),
    Spec(list, st.lists(JSON, max_size=2)),
    Spec(Empty, st.just({})),
    Spec(Names, st.dictionaries(TEXT, st.integers(0, 9), max_size=2)),
    Spec(Point, st.tuples(st.integers(0, 9), TEXT, TEXT).map(list)),
    Spec(Bag, st.fixed_dictionaries({"size": st.integers(0, 9)}, optional={"of": FLAGS})),
    Spec(Node, _nodes(5)),
    Spec(Left, _lefts(5)),
    Spec(set[int], st.sets(st.integers(0, 9), max_size=3).map(sorted)),
]  # fmt: skip


def specs(depth):
    """Any kind of field, nested up to `depth` levels."""
    leaf = st.sampled_from(SCALARS) | st.sampled_from(WHOLES)
    if not depth:
        return leaf
    inner = specs(depth - 1)
    return st.one_of(
        leaf,
        st.builds(_list, inner, st.integers(0, 2)),
        st.builds(_map, inner, st.sampled_from([str, int, Literal["a", "b"]])),
        st.builds(_tuple, st.lists(inner, min_size=1, max_size=3)),
        st.builds(_long_tuple, inner),
        st.builds(_optional, inner),
        st.builds(_union, st.lists(inner, min_size=2, max_size=3)),
        st.builds(_boxed, inner),
        models(depth - 1),
        st.builds(_tagged, models(depth - 1), models(depth - 1)),
    )


@st.composite
def models(draw, depth=2):
    """A model of a few fields. Their names, aliases, defaults and descriptions are of all sorts."""
    fields, required, optional = {}, {}, {}
    for number in range(draw(st.integers(1, 4))):
        spec = draw(specs(depth))
        name = f"f{number}"
        alias = draw(
            st.sampled_from(
                [
                    None,
                    None,
                    None,
                    f"Straße {number}",
                    f"請求{number}",
                    f"{'long_' * 15}{number}",
                    f"$ref{number}",
                    f"key{number}",
                ]
            )
        )
        default = draw(st.sampled_from(["none", "none", "value", "null", "factory"]))
        about = draw(st.sampled_from([None, "what it is"]))
        annotation = spec.annotation
        key = alias or name
        if default == "none":
            fields[name] = (annotation, Field(alias=alias, description=about))
            required[key] = spec.values
        elif default == "value" and not spec.nullable:
            value = draw(spec.values)
            fields[name] = (annotation, Field(default=value, validate_default=True, alias=alias, description=about))
            optional[key] = spec.values
        elif default == "factory":
            fields[name] = (list[annotation], Field(default_factory=list, alias=alias, description=about))
            optional[key] = st.lists(spec.values, max_size=2)
        else:
            fields[name] = (annotation | None, Field(default=None, alias=alias, description=about))
            optional[key] = st.none() | spec.values
    config = ConfigDict(extra=draw(st.sampled_from(["ignore", "forbid", "allow"])))
    model = create_model(
        f"Made{next(NUMBERS)}", __config__=config, __doc__=draw(st.sampled_from([None, "A made one."])), **fields
    )
    return Spec(model, st.fixed_dictionaries(required, optional=optional))


def _list(inner, fewest):
    return Spec(
        Annotated[list[inner.annotation], Field(min_length=fewest, max_length=4)],
        st.lists(inner.values, min_size=fewest, max_size=3),
    )


def _map(inner, key):
    keys = {str: TEXT, int: st.integers(0, 99).map(str)}.get(key, st.sampled_from(["a", "b"]))
    return Spec(dict[key, inner.annotation], st.dictionaries(keys, inner.values, max_size=2))


def _tuple(inner):
    return Spec(tuple[tuple(one.annotation for one in inner)], st.tuples(*(one.values for one in inner)).map(list))


def _long_tuple(inner):
    return Spec(tuple[inner.annotation, ...], st.lists(inner.values, max_size=3))


def _optional(inner):
    return Spec(inner.annotation | None, st.none() | inner.values, nullable=True)


def _union(inner):
    annotation = inner[0].annotation
    for one in inner[1:]:
        annotation = annotation | one.annotation
    return Spec(annotation, st.one_of(one.values for one in inner), any(one.nullable for one in inner))


def _boxed(inner):
    return Spec(Box[inner.annotation], st.fixed_dictionaries({"value": inner.values}))


def _tagged(one, other):
    """A discriminated union of two models that have a field in common."""
    options = []
    for tag, inner in (("one", one), ("two", other)):
        model = create_model(f"Tagged{next(NUMBERS)}", kind=(Literal[tag], ...), inside=(inner.annotation, ...))
        options.append((model, st.fixed_dictionaries({"kind": st.just(tag), "inside": inner.values})))
    annotation = Annotated[options[0][0] | options[1][0], Field(discriminator="kind")]
    return Spec(annotation, options[0][1] | options[1][1])
