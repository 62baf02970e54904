"""Values that are not printed and follow from others that are: sums, differences, a date and its term of days. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations

from pipeline.extraction.evidence.cleaned import plain
from pipeline.extraction.evidence.find import date_of
from pipeline.extraction.evidence.index import Index, Span
from pipeline.extraction.evidence.leaves import Value
from pipeline.values import words

TERMS = re.compile(plain(words.TERMS.pattern))
MOST_PARTS = 40  # of which any two are tried


class Grounds:
    """What was found of a record."""

    def __init__(self, values: Sequence[Value], found: Mapping[str, Span], index: Index) -> None:
        self.index = index
        self.sums: dict[str, Decimal | None] = {}  # of a field over all items of a list; None where one was not found
        self.parts: dict[str, list[Decimal]] = {}  # by group
        self.days: list[date] = []
        for value in values:
            if value.kind == "date" and value.path in found and (day := date_of(value.value)):
                self.days.append(day)
            elif value.kind == "number":
                self._add(value, value.path in found)

    def _add(self, value: Value, found: bool) -> None:  # noqa: FBT001 (a fact of the value)
        number = value.number
        if "]" in value.path:
            before = self.sums.get(value.place, Decimal(0))
            self.sums[value.place] = None if before is None or number is None or not found else before + number
        if found and number:
            self.parts.setdefault(value.group, []).append(number)

    def derived(self, value: Value) -> tuple[bool, Span | None]:
        """Whether a value that was not found follows; and where the words of its term stand."""
        if value.kind == "number":
            return self._follows(value), None
        day = date_of(value.value) if value.kind == "date" else None
        span = self._term(day) if day else None
        return span is not None, span

    def _follows(self, value: Value) -> bool:
        number = value.number
        if not number or "]" in value.path:
            return False
        if number in self.sums.values():
            return True
        parts = self.parts.get(value.group, [])[:MOST_PARTS]
        return any(number in {one + other, one - other, other - one} for one, other in combinations(parts, 2))

    def _term(self, day: date) -> Span | None:
        wanted = {str((day - one).days) for one in self.days if day > one}
        terms = TERMS.finditer(self.index.lower) if wanted else ()
        return next((match.span() for match in terms if wanted & set(match.groups())), None)
