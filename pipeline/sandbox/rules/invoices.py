"""An invoice's facts: who it is from, its number, dates, and the amounts that add up. Pure."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pipeline.sandbox.rules.page import Page
from pipeline.sandbox.rules.totals import Solution, items_of, money, solved
from pipeline.values import words

NEAR_CHARS = 60  # how far before a date its word may stand
TOLERANCE = Decimal("0.02")
MAX_CHARS = 120
HEAD_LINES = 6  # among which a letterhead stands
AFTER_FORM = ("株式会社", "有限会社", "合同会社")  # forms that stand before the name, too
CELL_BREAK = re.compile(r" {2,}|\t| \| | · ")
NAME_BREAK = re.compile(r" {2,}|\t| ?\||\s[·–—-]\s| ?\(|,|[:;]\s")
AROUND = " \t*_#>•-,;:."
NO_NAME = re.compile(r"[.!?,:]\s*$|:|@|\b(?:we|you|our|your|please|bitte|tel|fax|vat|iban)\b|\d{4,}")
TITLE_CHARS = 90  # of a line that may say what the document is


def invoice_of(page: Page, *, mend: bool) -> Mapping[str, Any]:
    """The facts by meaning; amounts are negative where money is given back."""
    found = solved(page)
    kind = _kind(page, found)
    issued_on, due_on = _dates(page)
    turn = -1 if kind == "credit_note" and (found.gross or 0) > 0 else 1
    net, tax, gross = (one if one is None else turn * money(page, one) for one in (found.net, found.tax, found.gross))
    facts = {
        "kind": kind, "supplier": _supplier(page), "number": _number(page), "issued_on": issued_on,
        "due_on": due_on, "currency": page.currency, "includes_tax": found.includes_tax, "net": net, "tax": tax,
        "gross": gross, "lines": items_of(page, found, turn),
    }  # fmt: skip
    return {**facts, **_consistent(facts)} if mend else facts


def _consistent(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Totals that follow from each other, and no items that do not add up to them.

    Two that agree are believed: the items and the net total, else the gross total and the taxes.
    """
    net, tax, gross, items = facts["net"], facts["tax"] or Decimal(0), facts["gross"], facts["lines"]
    charged = sum((item["amount"] for item in items), Decimal(0))
    if gross is not None and not (items and net is not None and abs(charged - net) <= TOLERANCE):
        net = gross - tax
    net = charged if net is None else net
    fit = abs(charged - net - (tax if facts["includes_tax"] else 0)) <= TOLERANCE
    return {"net": net, "tax": tax, "gross": net + tax, "lines": items if fit else []}


def _kind(page: Page, solution: Solution) -> str:
    items = {row.line for row in solution.rows}
    lines = {page.line_at(match.start()) for match in words.CREDIT.finditer(page.folded)} - items
    if (solution.gross or 0) < 0 or any(len(page.lines[line].folded) <= TITLE_CHARS for line in lines):
        return "credit_note"
    return "receipt" if words.TENDERED.search(page.folded) else "invoice"


def _dates(page: Page) -> tuple[date | None, date | None]:
    """(issued on, due on), each by the word before it; the second also from a term of payment."""
    issued: dict[bool, date] = {}  # by whether a word for a date stands before it
    due_on = None
    for one in page.dated:
        label = _label(page, one.start)
        if words.DUE.search(label):
            due_on = due_on or one.day
        else:
            issued.setdefault(words.DATE_WORD.search(label) is not None, one.day)
    issued_on = issued.get(True, issued.get(False))
    term = words.TERMS.search(page.folded)
    if due_on is None and issued_on is not None and term is not None and issued_on.year < date.max.year:
        due_on = issued_on + timedelta(days=int(term[1] or term[2] or term[3]))
    return issued_on, due_on


def _label(page: Page, at: int) -> str:
    """The words before a date, from the date before it on: on its line, else on the line above."""
    number = page.line_at(at)
    line = page.lines[number]
    begin = max([line.start, *(one.end for one in line.dated if one.end <= at)])
    label = page.folded[max(begin, at - NEAR_CHARS) : at]
    if not label.strip() and number and not page.lines[number - 1].dated:
        label = page.lines[number - 1].folded[-NEAR_CHARS:]
    return label


def _supplier(page: Page) -> str | None:
    """By a word such as `Seller`; else the letterhead or the first company that is not the buyer."""
    for match in words.SELLER.finditer(page.folded):
        name = name_in(page.clean[match.start("name") : match.end("name")])
        if name and "@" not in name:
            return name
    found = [one for one in (_letterhead(page), _company(page)) if one is not None]
    return min(found)[1] if found else None


def _number(page: Page) -> str | None:
    """The document's own number: one with a word for number before it, else one right after the document's name."""
    matches = list(words.NUMBERED.finditer(page.folded))
    best = next((match for match in matches if match["word"]), matches[0] if matches else None)
    if best is not None:
        return page.clean[best.start("number") : best.end("number")].rstrip(".,-/")
    bare = words.BARE_NUMBER.search(page.mended)  # here dates count, too: a number may look like one
    return bare["number"].rstrip(".,-/") if bare else None


def _company(page: Page) -> tuple[int, str] | None:
    """The first name with a company's form that is not the buyer's, and its line."""
    for match in words.COMPANY.finditer(page.clean):
        number = page.line_at(match.start())
        line = page.lines[number]
        start, end = match.start() - line.start, match.end() - line.start
        begin = max((one.end() for one in CELL_BREAK.finditer(line.clean, 0, start)), default=0)
        above = page.lines[number - 1].folded.strip(" :") if number else ""
        is_buyer = words.BUYER.search(line.folded, 0, end) or words.BUYER.fullmatch(above) or "御中" in line.clean
        name = name_in(line.clean[begin:])
        if name and not is_buyer and not line.clean[begin:start].rstrip()[-1:].isdigit():  # 20 KG
            return number, name
    return None


def _letterhead(page: Page) -> tuple[int, str] | None:
    """The first line that is no title, if a name is what it is."""
    for number, line in enumerate(page.lines[:HEAD_LINES]):
        folded = line.folded.strip()
        if not folded or words.TITLE.match(folded):
            continue
        cell = CELL_BREAK.split(line.clean.strip(), maxsplit=1)[0]
        other = (words.GREETING, words.NUMBERED, words.BUYER)
        if line.dated or any(one.search(folded) for one in other) or NO_NAME.search(cell.lower()):
            return None
        name = name_in(cell)
        return (number, name) if name else None
    return None


def name_in(text: str) -> str | None:
    """A name without what stands around it: address, register number, emphasis."""
    text = text.strip(AROUND[:-1]).lstrip(AROUND)
    form = words.COMPANY.search(text)
    if form is not None and form.start() > 0 and form[0] not in AFTER_FORM:
        text = text[: form.end()]
    else:
        text = NAME_BREAK.split(text, maxsplit=1)[0].rstrip(AROUND)
    return text[:MAX_CHARS] if sum(map(str.isalpha, text)) > 1 else None
