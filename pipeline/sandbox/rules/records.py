"""A shape and a reading → a record that fits the shape. Pure, total and bounded.

What was found goes where it fits; where nothing does: null, or nothing, or the least that the schema takes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.sandbox.rules.fillers import empty, least, least_array
from pipeline.sandbox.rules.meanings import LISTS, PARTIES, ROOTS, Scope, meaning_of, scope_of_entries, scope_of_root
from pipeline.sandbox.rules.reading import Reading
from pipeline.sandbox.rules.shapes import ENDLESS, Field, Option, Shape
from pipeline.sandbox.rules.values import NOTHING, fitted

MAX_NESTING = 30  # of objects and lists, while there is something to put in
MAX_VALUES = 20_000  # of one record; then only the least that fits
MAX_ENTRIES = 1_000  # of a list
MAX_PAIRS = 20  # of a map
# What stands for an entry where one value is asked for.
MAIN = ("description", "name", "what", "label", "value", "date")
LISTED = re.compile(r"\s*[,;•·]\s*|\s+/\s+")
NO_CURRENCY = "XXX"  # ISO 4217

Facts = Callable[[str], Any]
Found = tuple[Any, int]  # a value, and how much of it was in the document
MISSED: Found = (NOTHING, 0)


class Place(NamedTuple):
    """Where a value goes, and what is known there."""

    words: tuple[str, ...]  # of the property's name
    meaning: str | None
    scope: Scope  # of the object that has the property
    facts: Facts

    @property
    def at_root(self) -> bool:
        return self.scope in ROOTS


class Writer:
    """Fills one record."""

    def __init__(self, reading: Reading, scope: Scope) -> None:
        self._reading = reading
        self._scope = scope
        self._left = MAX_VALUES
        self._room = ENDLESS
        self._path: list[int] = []

    def record(self, shape: Shape) -> dict[str, Any]:
        """The root's value; one that can be no object is wrapped in one."""
        place = Place((), None, self._scope, self._root_fact)
        objects = [option for option in shape.options if option.kind == "object" and option.choices is None]
        if objects:
            records = [self._filled(option, place) for option in objects]
            return max(records, key=lambda found: found[1])[0]
        value: Any = self._value(shape, None, place)[0]
        return {"value": value}

    def _root_fact(self, meaning: str) -> Any:  # noqa: ANN401 (facts are texts, numbers, dates, lists)
        return self._reading.fact(self._scope, meaning)

    def _value(self, shape: Shape, fact: Any, place: Place) -> Found:  # noqa: ANN401 (as above)
        self._left -= 1
        if self._left < 0 or len(self._path) > MAX_NESTING:
            return self._least(shape), 0
        best = MISSED
        for option in shape.real:
            found = self._option(option, fact, place)
            if found[1] > best[1]:
                best = found
                if option.kind != "object":
                    break
        if best[1]:
            return best
        if shape.nullable:
            return None, 0
        value = fitted(shape.lowest, NO_CURRENCY) if place.meaning == "currency" else NOTHING
        return self._least(shape) if value is NOTHING else value, 0

    def _least(self, shape: Shape) -> Any:  # noqa: ANN401 (as above)
        size = shape.lowest.size
        self._room -= size if size < ENDLESS else 1
        return least(shape) if self._room > 0 else empty(shape)

    def _option(self, option: Option, fact: Any, place: Place) -> Found:  # noqa: ANN401 (as above)
        if option.choices is None and option.kind == "object":
            return self._object(option, fact, place)
        if option.choices is None and option.kind == "array":
            return self._array(option, fact, place)
        if isinstance(fact, list | dict):
            fact = _main(fact)
        value = NOTHING if fact is None else fitted(option, fact)
        if value is NOTHING and place.words and place.at_root:
            beside = self._reading.beside(place.words, option)
            value = NOTHING if beside is None else fitted(option, beside)
        return MISSED if value is NOTHING else (value, 1)

    def _object(self, option: Option, fact: Any, place: Place) -> Found:  # noqa: ANN401 (as above)
        inner = _inside(fact, place)
        if option.identity in self._path or inner is None:
            return MISSED
        found = self._filled(option, inner)
        return found if found[1] else MISSED

    def _filled(self, option: Option, place: Place) -> tuple[dict[str, Any], int]:
        self._path.append(option.identity)
        found = self._fields(option, place) if option.fields else self._map(option, place)
        self._path.pop()
        return found

    def _fields(self, option: Option, place: Place) -> tuple[dict[str, Any], int]:
        out: dict[str, Any] = {}
        count = 0
        scope, facts = place.scope, place.facts
        for field in option.fields:
            meaning = meaning_of(scope, field.words)
            fact = facts(meaning) if meaning is not None else None
            value, found = self._value(field.shape, fact, Place(field.words, meaning, scope, facts))
            if found or field.required or value is None:
                out[field.name] = value
                count += found
        return out, count

    def _map(self, option: Option, place: Place) -> tuple[dict[str, Any], int]:
        """Labels of the document and what stands beside them."""
        out: dict[str, Any] = {}
        if option.values is None or not place.at_root:
            return out, 0
        most = MAX_PAIRS if option.most is None else min(option.most, MAX_PAIRS)
        for label, beside in self._reading.page.pairs:
            if len(out) >= most:
                break
            key = label.strip() if option.names is None else fitted(option.names.lowest, label.strip())
            for inner in option.values.real if isinstance(key, str) and key not in out else ():
                fact = self._reading.read_as(inner, beside)
                value = NOTHING if fact is None else fitted(inner, fact)
                if value is not NOTHING:
                    out[key] = value
                    break
        return out, len(out) if len(out) >= option.least else 0

    def _array(self, option: Option, fact: Any, place: Place) -> Found:  # noqa: ANN401 (as above)
        items = option.items
        if option.prefix or items is None:
            return MISSED
        most = MAX_ENTRIES if option.most is None else min(option.most, MAX_ENTRIES)
        values: list[Any] = []
        count = 0
        for entry, inner in self._entries(items, fact, place):
            if len(values) >= most:
                break
            value, found = self._value(items, entry, inner)
            if found and not (option.unique and value in values):
                values.append(value)
                count += found
        if not values:
            return MISSED
        return (values if len(values) >= option.least else least_array(option, values)), count

    def _entries(self, items: Shape, fact: Any, place: Place) -> Iterator[tuple[Any, Place]]:  # noqa: ANN401 (as above)
        """What goes into a list: (fact, the place of an entry)."""
        fields = next((option.fields for option in items.real if option.fields), ())
        if fact is None and place.at_root and fields:
            yield from self._objects(fields, place)
            return
        if fact is None and place.at_root and place.words and items.real:
            beside = self._reading.beside(place.words, TEXT)
            fact = [part for part in LISTED.split(beside) if part] if isinstance(beside, str) else None
        scope = LISTS.get(place.meaning or "", Scope.OTHER)
        inner = Place((), None, scope, _nothing)
        for one in fact if isinstance(fact, list) else () if fact is None else (fact,):
            yield one, inner

    def _objects(self, fields: Sequence[Field], place: Place) -> Iterator[tuple[Any, Place]]:
        """Entries of a list whose name says nothing: by what its objects are."""
        names = [field.words for field in fields]
        if {field.name for field in fields} == {"key", "value"}:
            for key, value in self._reading.page.pairs[:MAX_PAIRS]:
                yield {"key": key.strip(), "value": value}, Place((), None, Scope.PAIR, _nothing)
            return
        scope = scope_of_entries(names)
        meaning = next((meaning for meaning, one in LISTS.items() if one is scope), None)
        if meaning is not None:
            inner = Place((), None, scope, _nothing)
            yield from ((entry, inner) for entry in self._root_fact(meaning) or ())
        elif scope_of_root(names) is Scope.INVOICE:
            yield None, place  # a list of documents: this one


TEXT = Option({}, "string", None)


def _nothing(_: str) -> None:
    return None


def _main(fact: Any) -> Any:  # noqa: ANN401 (as above)
    """The one value that stands for a list or an entry."""
    if isinstance(fact, list):
        fact = fact[0] if fact else None
    if isinstance(fact, Mapping):
        return next((fact[name] for name in MAIN if fact.get(name) is not None), None)
    return fact


def _inside(fact: Any, place: Place) -> Place | None:  # noqa: ANN401 (as above)
    """The place that an object is for its properties; None where there is nothing to put in."""
    if isinstance(fact, list):
        fact = fact[0] if fact else None
    if isinstance(fact, Mapping):
        scope = LISTS.get(place.meaning or "", place.scope)
        return Place((), None, scope, fact.get)
    if fact is None:
        return place if place.at_root and place.meaning not in PARTIES else None
    if isinstance(fact, Decimal):
        return Place((), None, Scope.MONEY, {"value": fact, "currency": place.facts("currency")}.get)
    if isinstance(fact, date):
        return Place((), None, Scope.DAY, {"date": fact}.get)
    return Place((), None, Scope.PARTY, {"name": fact}.get)
