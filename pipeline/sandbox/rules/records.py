"""A document and a shape → a record that fits: what was found, else null, or the least that fits. Pure, bounded."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from pipeline.sandbox.rules.documents import FACTS
from pipeline.sandbox.rules.invoices import invoice_of
from pipeline.sandbox.rules.meanings import NAMES, ROOT, meaning_of
from pipeline.sandbox.rules.page import Page
from pipeline.sandbox.rules.schemas import Option, Shape, words_of
from pipeline.sandbox.rules.values import AT_MIDNIGHT, FOUND, MAX_ENTRIES, NOTHING, fitted, least, least_array, likeness
from pipeline.values import figures

YES = frozenset({"yes", "true", "ja", "oui", "si", "sí", "y", "x"})
MAX_TEXT_CHARS = 300
MAX_NESTING = 30  # of objects and lists, while there is something to put in
MAX_VALUES = 20_000  # of one record
MAIN = ("description", "name", "what", "label", "value")  # what stands for an entry where one value is asked for
LISTED = re.compile(r"\s*[,;•·]\s*|\s+/\s+")
ANY_TEXT = Option({}, "string")

Found = tuple[Any, int]  # a value, and how much of it was in the document
MISSED: Found = (NOTHING, 0)


class Reading:
    """One document, read for one answer."""

    def __init__(self, text: str, *, mend: bool = False) -> None:
        self.page = Page(text)
        self._mend = mend

    @cached_property
    def invoice(self) -> Mapping[str, Any]:
        return invoice_of(self.page, mend=self._mend)

    def fact(self, meaning: str) -> Any:  # noqa: ANN401 (facts are texts, numbers, dates, lists)
        """What the document says; None when it says nothing."""
        found = FACTS[meaning](self.page) if meaning in FACTS else None
        return self.invoice.get(meaning) if found is None or found == "invoice" else found

    def beside(self, words: Sequence[str], option: Option) -> Any:  # noqa: ANN401 (as above)
        """What stands beside these words, as far as it is of the option's kind; None when nothing does."""
        fitting = [entry for entry in self._labels if entry[0].issuperset(words)]
        value = min(fitting, key=lambda entry: len(entry[0]), default=(frozenset(), None))[1]
        if option.choices is not None:
            return self._choice(option.choices, value)
        if option.format in FOUND:
            match = FOUND[option.format].search(value or "") or FOUND[option.format].search(self.page.text)
            return match[0].rstrip(".") if match else None
        if value is None:
            return None
        if option.is_number:
            found = figures.numbers(figures.mended(value), self.page.mark)
            return found[0].value if found else None
        if option.kind == "boolean":
            return likeness(value.split()[0]) in YES
        days = figures.dates(value, dollars=self.page.currency == "USD") if option.format in AT_MIDNIGHT else ()
        return value if option.format not in AT_MIDNIGHT else days[0].day if days else None

    @cached_property
    def _labels(self) -> list[tuple[frozenset[str], str]]:
        """The words of a label, and what stands beside it."""
        return [(frozenset(words_of(key)), value[:MAX_TEXT_CHARS]) for key, value in self.page.pairs]

    def _choice(self, choices: Sequence[Any], value: str | None) -> str | None:
        """The choice that stands beside the words; else the one that the text names most often."""
        texts = [one for one in choices if isinstance(one, str) and likeness(one)]
        begun = [one for one in texts if likeness(value or "").startswith(likeness(one))]
        named = [(self.page.folded.count(" ".join(words_of(one))), one) for one in texts if words_of(one)]
        count, most = max(named, key=lambda one: one[0], default=(0, None))
        return begun[0] if begun else most if count else None


class Place(NamedTuple):
    """Where a value goes, and what is known there."""

    words: tuple[str, ...]  # of the property's name
    meaning: str | None
    scope: str  # of the object that has the property
    facts: Callable[[str], Any]


class Writer:
    """Fills one record."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._left = MAX_VALUES  # to be filled
        self._path: list[int] = []

    def record(self, shape: Shape) -> dict[str, Any]:
        """The root's value; one that can be no object is wrapped in one."""
        place = Place((), None, ROOT, self._reading.fact)
        objects = [option for option in shape.options if option.kind == "object" and option.choices is None]
        if objects:
            return max((self._fields(option, place) for option in objects), key=lambda found: found[1])[0]
        return {"value": self._value(shape, None, place)[0]}

    def _value(self, shape: Shape, fact: Any, place: Place) -> Found:  # noqa: ANN401 (facts are of any type)
        self._left -= 1
        if self._left < 0 or len(self._path) > MAX_NESTING:
            return least(shape), 0
        best = max(
            (self._option(option, fact, place) for option in shape.real), key=lambda found: found[1], default=MISSED
        )
        if best[1]:
            return best
        return None if shape.nullable else least(shape), 0

    def _option(self, option: Option, fact: Any, place: Place) -> Found:  # noqa: ANN401 (as above)
        if option.choices is None and option.kind in {"object", "array"}:
            return (self._object if option.kind == "object" else self._array)(option, fact, place)
        fact = _main(fact)
        value = NOTHING if fact is None else fitted(option, fact)
        if value is NOTHING and place.words and place.scope == ROOT:
            beside = self._reading.beside(place.words, option)
            value = NOTHING if beside is None else fitted(option, beside)
        return MISSED if value is NOTHING else (value, 1)

    def _object(self, option: Option, fact: Any, place: Place) -> Found:  # noqa: ANN401 (as above)
        inner = _inside(fact, place)
        if option.identity in self._path or inner is None:
            return MISSED
        found = self._fields(option, inner)
        return found if found[1] else MISSED

    def _fields(self, option: Option, place: Place) -> tuple[dict[str, Any], int]:
        self._path.append(option.identity)
        out: dict[str, Any] = {}
        count = 0
        for field in option.fields:
            meaning = meaning_of(place.scope, field.words)
            fact = place.facts(meaning) if meaning is not None else None
            value, found = self._value(field.shape, fact, place._replace(words=field.words, meaning=meaning))
            if found or field.required or value is None:
                out[field.name] = value
                count += found
        self._path.pop()
        return out, count

    def _array(self, option: Option, fact: Any, place: Place) -> Found:  # noqa: ANN401 (as above)
        if option.prefix or option.items is None:
            return MISSED
        most = min(option.count("max", MAX_ENTRIES), MAX_ENTRIES)
        inner = Place((), None, place.meaning or "", lambda _: None)
        values: list[Any] = []
        count = 0
        for entry in self._entries(option.items, fact, place):
            value, found = self._value(option.items, entry, inner)
            if found and len(values) < most and not (option.raw.get("uniqueItems") and value in values):
                values.append(value)
                count += found
        if not values:
            return MISSED
        return (values if len(values) >= option.count("min", 0) else least_array(option, values)), count

    def _entries(self, items: Shape, fact: Any, place: Place) -> list[Any]:  # noqa: ANN401 (as above)
        """What goes into a list: what is known, else the parts of what stands beside its name."""
        if fact is None and place.scope == ROOT and place.words and items.real and items.real[0].kind != "object":
            beside = self._reading.beside(place.words, ANY_TEXT)
            return [part for part in LISTED.split(beside) if part] if isinstance(beside, str) else []
        return fact if isinstance(fact, list) else [] if fact is None else [fact]


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
    if fact is None:
        return place if place.scope == ROOT and place.meaning != "supplier" else None
    if isinstance(fact, Mapping):
        scope = place.meaning if place.meaning in NAMES else place.scope
        return Place((), None, scope or "", fact.get)
    if isinstance(fact, Decimal):
        return Place((), None, "amounts", {"value": fact, "currency": place.facts("currency")}.get)
    return Place((), None, "dates" if isinstance(fact, date) else "parties", {"value": fact, "name": fact}.get)
