"""All that is known of one document: facts by meaning, and what stands beside a property's name. Pure.

Nothing is looked for before it is asked for.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from pipeline.sandbox.rules import amounts, dates
from pipeline.sandbox.rules.documents import document_of
from pipeline.sandbox.rules.invoices import Invoice, invoice_of
from pipeline.sandbox.rules.meanings import Scope
from pipeline.sandbox.rules.page import Page
from pipeline.sandbox.rules.parties import customer_of
from pipeline.sandbox.rules.shapes import Option, words_of
from pipeline.sandbox.rules.values import ALIASES, FORMATS, likeness

SMALL_WORDS = frozenset({"of", "the", "is", "has", "are", "was", "in", "on", "at", "a", "an", "for", "to"})
YES = frozenset({"yes", "true", "ja", "oui", "si", "sí", "y", "x", "included", "done"})
NO = frozenset({"no", "false", "nein", "non", "nee", "n", "none", "not", "without"})
BEFORE_CHARS = 12
MAX_TEXT_CHARS = 300
SEARCHED = ("email", "uri", "uuid", "ipv4")  # formats that show themselves


class Reading:
    """One document, read for one answer."""

    def __init__(self, text: str, *, mend: bool = False) -> None:
        self.page = Page(text)
        self._mend = mend

    @cached_property
    def invoice(self) -> Invoice:
        found = invoice_of(self.page)
        return found.consistent() if self._mend else found

    @cached_property
    def invoice_facts(self) -> Mapping[str, Any]:
        found = self.invoice
        lines = [
            {
                "description": one.description,
                "quantity": one.quantity,
                "unit_price": one.unit_price,
                "amount": one.amount,
                "currency": found.currency,
            }
            for one in found.items
        ]
        return {
            "kind": found.kind, "supplier": found.supplier, "number": found.number, "issued_on": found.issued_on,
            "due_on": found.due_on, "currency": found.currency, "includes_tax": found.includes_tax, "lines": lines,
            "net": found.net, "tax": found.tax, "gross": found.gross, "tax_rate": found.tax_rate,
        }  # fmt: skip

    @cached_property
    def document_facts(self) -> Mapping[str, Any]:
        return document_of(self.page)

    def fact(self, scope: Scope, meaning: str) -> Any:  # noqa: ANN401 (facts are texts, numbers, dates, lists)
        """What the document says; None when it says nothing."""
        if meaning == "customer":
            return customer_of(self.page)
        if scope is Scope.INVOICE:
            return self.invoice_facts[meaning] if meaning in self.invoice_facts else self.document_facts.get(meaning)
        return self.document_facts[meaning] if meaning in self.document_facts else self.invoice_facts.get(meaning)

    def beside(self, words: Sequence[str], option: Option) -> Any:  # noqa: ANN401 (as above)
        """What stands beside these words, as far as it is of the option's kind; None when nothing does."""
        wanted = tuple(word for word in words if word not in SMALL_WORDS)
        if not wanted:
            return None
        value = self._labelled(wanted)
        if option.choices is None and option.is_number:
            return self._number(wanted, value)
        if option.choices is None and option.kind == "boolean":
            return self._truth(wanted, value)
        return self.read_as(option, value)

    def read_as(self, option: Option, value: str | None) -> Any:  # noqa: ANN401 (as above)
        """What stands beside a label, as a fact of the option's kind."""
        if option.choices is not None:
            return self._choice(option.choices, value)
        if option.is_number:
            return None if value is None else self._first_number(value)
        if option.kind == "boolean":
            return None if value is None else self._truth((), value)
        return self._text(option, value) if option.kind in {"string", "any"} else None

    @cached_property
    def _labels(self) -> dict[str, list[tuple[frozenset[str], str]]]:
        """Labels and what stands beside them, by each of the label's words."""
        index: dict[str, list[tuple[frozenset[str], str]]] = {}
        for key, value in self.page.pairs:
            entry = frozenset(words_of(key)), value
            for word in entry[0]:
                index.setdefault(word, []).append(entry)
        return index

    def _labelled(self, wanted: Sequence[str]) -> str | None:
        lists = [self._labels.get(word, []) for word in wanted]
        fitting = [entry for entry in min(lists, key=len) if entry[0].issuperset(wanted)]
        return min(fitting, key=lambda entry: len(entry[0]))[1] if fitting else None

    def _choice(self, choices: Sequence[Any], value: str | None) -> Any:  # noqa: ANN401 (as above)
        """The choice that stands beside the words; else the one that the text names most often."""
        texts = [one for one in choices if isinstance(one, str) and likeness(one)]
        if value is not None:
            begun = likeness(value)
            found = next((one for one in texts if begun.startswith(likeness(one))), None)
            if found is not None:
                return found
        counts = {one: self.page.folded.count(" ".join(words_of(one)) or one.lower()) for one in texts}
        best = max(counts, key=lambda one: counts[one], default=None)
        return best if best is not None and counts[best] else None

    def _number(self, wanted: Sequence[str], value: str | None) -> Decimal | None:
        if value is not None:
            return self._first_number(value)
        phrase = " ".join(wanted)
        at = self.page.folded.find(phrase)
        return self._first_number(self.page.clean[at + len(phrase) :].split("\n", 1)[0]) if at >= 0 else None

    def _first_number(self, text: str) -> Decimal | None:
        found = amounts.numbers(amounts.mended(text[:MAX_TEXT_CHARS]), self.page.mark, spaced=True)
        return found[0].value if found else None

    def _truth(self, wanted: Sequence[str], value: str | None) -> bool | None:
        first = likeness(value.split()[0]) if value and value.strip() else ""
        if first in YES or first in NO:
            return first in YES
        at = self.page.folded.find(" ".join(wanted)) if wanted else -1
        if at < 0:
            return None
        before = self.page.folded[max(0, at - BEFORE_CHARS) : at].split()
        return not NO & set(before)

    def _text(self, option: Option, value: str | None) -> str | date | None:
        name = ALIASES.get(option.format, option.format)
        if name in {"date", "date-time"}:
            return self._day(value)
        if name in SEARCHED:
            match = FORMATS[name][0].search(value or "") or FORMATS[name][0].search(self.page.text)
            return match[0].rstrip(".,)") if match else None
        return value[:MAX_TEXT_CHARS] if value else None

    def _day(self, value: str | None) -> date | None:
        if value is None:
            return None
        found = dates.find(value[:MAX_TEXT_CHARS], dollars=self.page.currency == "USD")
        return found[0].day if found else None
