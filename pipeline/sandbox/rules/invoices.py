"""An invoice's facts: from a page's words, dates and the amounts that add up. Pure."""

from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from pipeline.sandbox.rules import dates, words
from pipeline.sandbox.rules.items import Item, items_of, money
from pipeline.sandbox.rules.page import Page
from pipeline.sandbox.rules.parties import number_of, supplier_of
from pipeline.sandbox.rules.totals import Solution, solved

NEAR_CHARS = 60  # how far before a date its word may stand
TOLERANCE = Decimal("0.02")
TITLE_CHARS = 90  # of a line that may say what the document is


class Invoice(Struct, frozen=True):
    """What was found. Amounts are negative where money is given back."""

    kind: str  # invoice, credit_note or receipt
    supplier: str | None
    number: str | None
    issued_on: date | None
    due_on: date | None
    currency: str | None
    includes_tax: bool
    items: tuple[Item, ...]
    net: Decimal | None
    tax: Decimal | None
    gross: Decimal | None

    @property
    def tax_rate(self) -> Decimal | None:
        """In per cent, where it is a plain one."""
        if not self.net or self.tax is None:
            return None
        rate = 100 * self.tax / self.net
        rounded = rate.quantize(Decimal("0.1"))
        return rounded if abs(rate - rounded) < Decimal("0.03") else None

    def consistent(self) -> "Invoice":
        """With totals that follow from each other, and without items that do not add up to them.

        Two that agree are believed: the items and the net total, else the gross total and the taxes.
        """
        if self.net is None and self.gross is None and self.tax is None and not self.items:
            return self
        items = sum((item.amount for item in self.items), Decimal(0)) if self.items else None
        tax, net = self.tax or Decimal(0), self.net
        if self.gross is not None and (items is None or net is None or not _equal(items, net)):
            net = self.gross - tax
        if net is None:
            net = items or Decimal(0)
        target = net + tax if self.includes_tax else net
        kept = self.items if items is not None and _equal(items, target) else ()
        return replace(self, net=net, tax=tax, gross=net + tax, items=kept)


def _equal(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= TOLERANCE


def invoice_of(page: Page) -> Invoice:
    solution = solved(page)
    kind = _kind(page, solution)
    issued_on, due_on = _dates(page)
    turn = -1 if kind == "credit_note" and (solution.gross or 0) > 0 else 1
    net, tax, gross = (
        None if one is None else turn * money(page, one) for one in (solution.net, solution.tax, solution.gross)
    )
    items = tuple(one.turned() if turn < 0 else one for one in items_of(page, solution))
    return Invoice(
        kind,
        supplier_of(page),
        number_of(page),
        issued_on,
        due_on,
        page.currency,
        solution.includes_tax,
        items,
        net,
        tax,
        gross,
    )


def _kind(page: Page, solution: Solution) -> str:
    item_lines = {row.line for row in solution.items.rows}
    for match in words.CREDIT.finditer(page.folded):
        line = page.line_at(match.start())
        if line not in item_lines and len(page.lines[line].folded) <= TITLE_CHARS:
            return "credit_note"
    if (solution.gross or 0) < 0:
        return "credit_note"
    return "receipt" if words.TENDERED.search(page.folded) else "invoice"


def _dates(page: Page) -> tuple[date | None, date | None]:
    """(issued on, due on), each by the word before it; the second also from a term of payment."""
    issued: dict[int, date] = {}  # by how sure it is; 0 is surest
    due_on = None
    for day, label in _labelled(page):
        if words.DUE.search(label):
            due_on = due_on or day
        elif words.ISSUED.search(label):
            issued.setdefault(0, day)
        elif not words.NOT_ISSUED.search(label):
            issued.setdefault(1 if words.DATE_WORD.search(label) else 2, day)
    issued_on = issued[min(issued)] if issued else None
    if due_on is None and issued_on is not None:
        term = words.TERMS.search(page.folded)
        due_on = dates.later(issued_on, int(term[1] or term[2] or term[3])) if term else None
    return issued_on, due_on


def _labelled(page: Page) -> list[tuple[date, str]]:
    """Each date with the words before it: on its line, else on the line above."""
    found = []
    for number, line in enumerate(page.lines):
        begin = line.start
        for one in line.dated:
            label = page.folded[max(begin, one.start - NEAR_CHARS) : one.start]
            if not label.strip() and number and not page.lines[number - 1].dated:
                label = page.lines[number - 1].folded[-NEAR_CHARS:]
            found.append((one.day, label))
            begin = one.end
    return found
