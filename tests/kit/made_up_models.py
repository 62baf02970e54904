"""Pydantic models made up by hypothesis: nested, recursive, with unions, tuples, maps, patterns and limits."""

import enum
import uuid
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, Union

from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, create_model


def one_of(words):
    return st.sampled_from(words.split())


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    value: int
    children: list["Node"] = []
    parent: Optional["Node"] = None


class Leaf(BaseModel):
    kind: Literal["leaf"]
    number: int


class Tree(BaseModel):
    name: str
    left: Union["Tree", Leaf]
    right: Union["Tree", Leaf]


class Cat(BaseModel):
    animal: Literal["cat"]
    lives: int


class Dog(BaseModel):
    animal: Literal["dog"]
    bark: str


class Zoo(BaseModel):
    best: Annotated[Cat | Dog, Field(discriminator="animal")]
    pets: list[Annotated[Cat | Dog, Field(discriminator="animal")]]


NAMES = one_of(
    "title kind total date lines amount supplier customer tags status email isPaid parties price value fooBar currency"
    " number quantity description weight x"
)
PATTERNS = [
    r"^[A-Z]{3}$",
    r"^\d{4}-\d{2}$",
    r"^(foo|bar)-\d+$",
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^#?[a-f0-9]{6}$",
    r"\d",
]
PLAIN = [str, int, float, bool, Decimal, date, datetime, clock, timedelta, uuid.UUID, Colour, AnyUrl, Any]
LISTED = [
    set[str],
    frozenset[date],
    dict[str, Any],
    dict[str, int],
    list[Any],
    Annotated[set[int], Field(min_length=3)],
]
LOWS = st.integers(-100, 100).filter(bool)


def _scalars():
    return st.one_of(
        st.sampled_from([*PLAIN, *LISTED, Literal["a", "b"], Literal[1, 2], Node, Tree, Zoo]),
        st.sampled_from(PATTERNS).map(lambda pattern: Annotated[str, Field(pattern=pattern)]),
        st.builds(
            lambda low, more: Annotated[str, Field(min_length=low, max_length=low + more)],
            st.integers(1, 12),
            st.integers(0, 30),
        ),
        st.builds(lambda low, more: Annotated[int, Field(ge=low, le=low + more + 101)], LOWS, st.integers(0, 20)),
        st.builds(lambda low, more: Annotated[float, Field(gt=low, lt=low + more)], LOWS, st.sampled_from([0.5, 1.5])),
        st.builds(lambda low, step: Annotated[int, Field(ge=low, multiple_of=step)], LOWS, st.integers(1, 9)),
        LOWS.map(lambda low: Annotated[Decimal, Field(ge=low)]),
    )


def _compounds(inner):
    pairs = st.tuples(inner, inner)
    return st.one_of(
        inner.map(lambda one: one | None),
        inner.map(lambda one: list[one]),
        inner.map(lambda one: dict[str, one]),
        inner.map(lambda one: tuple[one, ...]),
        pairs.map(lambda two: tuple[two[0], two[1]]),
        pairs.map(lambda two: two[0] | two[1]),
        st.builds(lambda one, n: Annotated[list[one], Field(min_length=n, max_length=n + 2)], inner, st.integers(1, 3)),
        models_of(inner),
    )


def models_of(inner):
    fields = st.tuples(NAMES, inner, st.booleans())
    return st.lists(fields, min_size=1, max_size=5, unique_by=lambda one: one[0]).map(_model)


def _model(fields):
    listed = {name: (kind, ...) if required else (kind | None, None) for name, kind, required in fields}
    return create_model(f"Model{next(COUNT)}", **listed)


COUNT = iter(range(10**9))
TYPES = st.recursive(_scalars(), _compounds, max_leaves=6)
MODELS = models_of(TYPES)
