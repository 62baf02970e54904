"""How well the words beside a place are a field's: of its name, title, description, and what others call it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pipeline.extraction.evidence.cleaned import plain
from pipeline.extraction.evidence.index import Index, Span
from pipeline.extraction.evidence.leaves import Field
from pipeline.extraction.field_names import name_of, names_of
from pipeline.extraction.invoice_names import BUYERS, HEAD, SELLERS
from pipeline.values import words
from pipeline.values.labels import kind_of

NAMED, PART, TOLD, KIND = (
    1.0,
    0.45,
    0.12,
    0.8,
)  # what words weigh: a whole name, a part of one, of a description, a kind
ABOVE, RIGHT, FOREIGN, AGAINST = 0.5, 0.3, 0.3, -0.5
FAR_CHARS = 200
LEAST_CHARS, LEAST_TOLD_CHARS = 4, 6
COLUMN_CHARS = 12
BARE = frozenset(["total", "amount", "number", "name", "date", "value", "code", "type", "text", "item", "line", "none"])
KINDS: Mapping[str, tuple[str, ...]] = {  # a fact → kinds of words that say so, the surest first
    "net": ("net",), "line_total": ("net",), "tax": ("tax",), "gross": ("gross", "total", "left"),
    "payable": ("left", "total", "gross"), "due_on": ("due",), "issued_on": ("date",),
}  # fmt: skip
TWO_DATES = frozenset(["issued_on", "due_on"])
AMOUNTS = tuple(re.compile(plain(one.pattern), one.flags) for one in (words.AMOUNT_LABELS, words.CJK_AMOUNT_LABELS))
DUE, DATED = re.compile(plain(words.DUE.pattern)), re.compile(plain(words.DATE_WORD.pattern))
LAST_AMOUNT = re.compile(r".*\d[.,]\d\d(?!\d)", re.DOTALL)

Phrase = tuple[str, ...]


class Hit(Struct, frozen=True):
    """Words of fields in a line: by field, what they weigh."""

    start: int
    end: int
    weights: Mapping[str, float]


class Phrases(Struct, frozen=True):
    """All that is looked for, by its first word, the longest first; and which fact of an invoice a field is."""

    by_word: Mapping[str, Sequence[tuple[Phrase, Mapping[str, float]]]]
    facts: Mapping[str, str]
    places: frozenset[str]  # of all fields


def phrases_of(fields: Mapping[str, Field]) -> Phrases:
    weights: dict[Phrase, dict[str, float]] = {}
    facts = {place: fact for place, field in fields.items() if (fact := _fact(place, field))}
    for place, field in fields.items():
        for phrase, weight in _phrases(field, facts.get(place, "")):
            known = weights.setdefault(phrase, {})
            known[place] = max(weight, known.get(place, 0))
    by_word: dict[str, list[tuple[Phrase, Mapping[str, float]]]] = {}
    for phrase in sorted(weights, key=len, reverse=True):
        by_word.setdefault(phrase[0], []).append((phrase, weights[phrase]))
    return Phrases(by_word, facts, frozenset(fields))


def _fact(place: str, field: Field) -> str:
    """Which term of an invoice it surely is, as `invoice_names` has it; "" of others, and within lists."""
    if "[]" in place:
        return ""
    *_, above = ("", *place.split(".")[:-1])
    within = name_of(above)
    who = "seller_" if within in SELLERS else "buyer_" if within in BUYERS else ""
    names = names_of(who + field.name if who else field.name, _schema(field))
    return next((HEAD[name].facts[0] for name in names if name in HEAD), "")


def _schema(field: Field) -> Mapping[str, Any]:
    return {"title": field.said[0], "description": field.said[-1]} if field.said else {}


def _phrases(field: Field, fact: str) -> Iterator[tuple[Phrase, float]]:
    names = [*names_of(field.name, _schema(field)), *(name for name in HEAD if fact and HEAD[name].facts[0] == fact)]
    parts = {part for name in names_of(field.name, {}) for part in name.split("_")}
    yield from ((phrase, NAMED) for name in names if (phrase := tuple(filter(None, name.split("_")))))
    yield from (((part,), PART) for part in parts if len(part) >= LEAST_CHARS and part not in BARE)
    told = {word for said in field.said for word in name_of(said).split("_")}
    yield from (((word,), TOLD) for word in told if len(word) >= LEAST_TOLD_CHARS)


class Labels:
    """The words of fields in one text; a line is looked at when it is asked for."""

    def __init__(self, phrases: Phrases, index: Index) -> None:
        self.phrases, self.index = phrases, index
        self.places = phrases.places
        self.hits: dict[int, list[Hit]] = {}
        self.above: dict[int, int | None] = {}

    def score(self, place: str, span: Span) -> float:
        """More than 0 where the words of the field at `place` stand to the left of a span, or over it."""
        number = self.index.line(span[0])
        if place not in self.places:
            return 0.0
        left, kind = self._left(place, span, number), self._kind(place, span, number)
        if left < 0 and kind <= 0:
            return left
        beside = max(left, self._right(place, span, number), kind)
        if beside > 0 or kind < 0:
            return beside or kind
        return self._above(place, span, number)

    def _left(self, place: str, span: Span, number: int) -> float:
        best, others = 0.0, 0
        hits = [one for one in self._in_line(number) if one.end <= span[0]]
        if hits and self._is_of_another_date(place, hits[-1], span):
            return AGAINST
        for hit in reversed(hits):
            weight = hit.weights.get(place)
            near = 1 - min(span[0] - hit.end, FAR_CHARS) / FAR_CHARS / 4
            best = max(best, (weight or 0) * near - FOREIGN * others)
            others += weight is None and max(hit.weights.values()) >= NAMED
        return best

    def _is_of_another_date(self, place: str, hit: Hit, span: Span) -> bool:
        if self.phrases.facts.get(place) not in TWO_DATES or place in hit.weights:
            return False
        named = {self.phrases.facts.get(name) for name, weight in hit.weights.items() if weight >= NAMED}
        return bool(named & TWO_DATES) and not any(map(str.isdigit, self.index.text[hit.end : span[0]]))

    def _right(self, place: str, span: Span, number: int) -> float:
        after = next((one for one in self._in_line(number) if one.start >= span[1]), None)
        return RIGHT * after.weights.get(place, 0) if after else 0.0

    def _above(self, place: str, span: Span, number: int) -> float:
        above = self._line_above(number)
        if above is None:
            return 0.0
        column, begin = span[0] - self.index.lines[number], self.index.lines[above]
        return max((_over(hit, place, column, begin) for hit in self._in_line(above)), default=0.0)

    def _kind(self, place: str, span: Span, number: int) -> float:
        """By the words that say what an amount or a date is: for the field, 0, or against it."""
        fact = self.phrases.facts.get(place, "")
        if fact not in KINDS:
            return 0.0
        before = self.index.lower[self.index.lines[number] : span[0]]
        if fact in TWO_DATES:
            said = _date_kind(before if before.strip() else self._over(span, number))
        else:
            before = LAST_AMOUNT.sub("", before, count=1) or before
            hits = [
                (one.start(), one.lastgroup or "")
                for label in AMOUNTS[: 2 - before.isascii()]
                for one in label.finditer(before)
            ]
            said = kind_of([kind for _, kind in sorted(hits)]) if hits else ""
        kinds = KINDS[fact]
        return 0.0 if not said else KIND - kinds.index(said) / 10 if said in kinds else AGAINST

    def _over(self, span: Span, number: int) -> str:
        """The words of the line above, up to a little behind the end of a span."""
        above = self._line_above(number)
        if above is None:
            return ""
        start, end = self.index.span_of_line(above)
        return self.index.lower[start : min(end, start + span[1] - self.index.lines[number] + COLUMN_CHARS)]

    def _line_above(self, number: int) -> int | None:
        if number not in self.above:
            before = range(number - 1, max(-1, number - 3), -1)
            self.above[number] = next((one for one in before if _has_words(self.index, one)), None)
        return self.above[number]

    def _in_line(self, number: int) -> list[Hit]:
        if number not in self.hits:
            self.hits[number] = list(self._found(*self.index.span_of_line(number)))
        return self.hits[number]

    def _found(self, start: int, end: int) -> Iterator[Hit]:
        found = self.index.words
        at, last = found.first_from(start), found.first_from(end)
        while at < last:
            options = self.phrases.by_word.get(found.words[at], ())
            taken = next((one for one in options if tuple(found.words[at : at + len(one[0])]) == one[0]), None)
            size = len(taken[0]) if taken else 1
            if taken and at + size <= last:
                yield Hit(found.starts[at], found.end(at + size - 1), taken[1])
            at += size


def _over(hit: Hit, place: str, column: int, begin: int) -> float:
    """What words in the line above weigh: the more, the nearer they begin to where the value does."""
    away = min(abs(hit.start - begin - column), abs(hit.end - begin - column))
    return ABOVE * hit.weights.get(place, 0) * (1 - away / 2 / COLUMN_CHARS) if away <= COLUMN_CHARS else 0.0


def _date_kind(text: str) -> str:
    return "due" if DUE.search(text) else "date" if DATED.search(text) else ""


def _has_words(index: Index, number: int) -> bool:
    start, end = index.span_of_line(number)
    return not index.text[start:end].isspace() and end > start
