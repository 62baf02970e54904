"""Which of a page's amounts are its totals and its items: the ones that add up, in whole hundredths. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations, groupby
from typing import Any

from msgspec import Struct

from pipeline.sandbox.rules.page import Page
from pipeline.values import words
from pipeline.values.figures import CODES, Number
from pipeline.values.labels import kind_of

TOLERANCE = 2  # cents: suppliers round
COLUMNS = 3  # from the right, in which the amount of an item may stand
MAX_OPTIONS = 6  # of one total; what a page has more of is a list, not totals
ITEMS_FIT, ADDS_UP, GROSS_PRINTED, NET_PRINTED, TAX_CERTAIN = 16, 8, 4, 2, 1  # of a rank
CENTS = Decimal("0.02")  # the same as TOLERANCE
MAX_CHARS = 200
MAX_NUMBERS = 8  # of a line that are tried as quantity and price
CODE = re.compile(r"[\W\dA-Z]*\d[\W\dA-Z]*")  # an article's number
LEADING_COUNT = re.compile(r"^\W*-?\d+(?:[.,]\d+)? ?(?:[x×]|st|stk|pcs|ea)\b\W*", re.IGNORECASE)
EDGES = re.compile(rf"^[\s.,;:•*|-]+|(?:[\s.:;,=@à×|(€$£¥-]|\b(?:{CODES})|\s(?:x|at|per))+$")

Found = tuple[tuple["Row", ...], int]  # items, and in which column from the right their amounts stand


class Row(Struct, frozen=True):
    line: int  # that may be an item
    cents: tuple[int, ...]  # its amounts from left to right

    def amount(self, column: int) -> int:
        return self.cents[-min(column, len(self.cents))]


class Solution(Struct, frozen=True):
    net: int | None
    tax: int | None
    gross: int | None
    rows: tuple[Row, ...]
    column: int = 1
    includes_tax: bool = False
    rank: int = 0  # the higher, the more of it is printed and adds up


class Amounts:
    """Every amount of a page, told apart by the words before it."""

    def __init__(self, page: Page) -> None:
        self.sums: list[tuple[str, int]] = []  # what an amount is by its word, and its cents
        self.rows: list[Row] = []
        self.above: int | None = None  # how many rows stand above the first total
        for line, group in groupby(page.numbers, key=lambda number: page.line_at(number.start)):
            money = [number for number in group if page.is_money(number)]
            labelled = list(_labelled(page, line, money)) if money else []
            if money and (not labelled or any(kind == "item" for kind, _ in labelled)):
                self.rows.append(Row(line, tuple(map(_cents, money))))
            elif self.above is None and any(kind != "none" for kind, _ in labelled):
                self.above = len(self.rows)
            self.sums += labelled

    def of(self, *kinds: str) -> list[int]:
        return list(dict.fromkeys(cents for kind in kinds for one, cents in self.sums if one == kind))[:MAX_OPTIONS]

    def items(self, target: int) -> Found | None:
        """The longest run of rows whose amounts in one column add up to `target`."""
        columns = range(1, min(COLUMNS, max((len(row.cents) for row in self.rows), default=0)) + 1)
        runs = ((column, _run([row.amount(column) for row in self.rows], target)) for column in columns)
        return next(((tuple(self.rows[run]), column) for column, run in runs if run), None)


def solved(page: Page) -> Solution:
    """The best of all totals that may go together; where none do, what is printed, so that whoever checks sees it."""
    found = Amounts(page)
    taxes, nets, printed = _taxes(found), found.of("net")[::-1], found.of("gross", "total", "left")
    derived = [net + taxes[0] for net in nets] or [row.amount(1) for row in found.rows[-1:]]
    above = tuple(found.rows[: found.above])
    first_net, first_gross = (next(iter(one), None) for one in (nets, printed))
    as_printed = Solution(first_net, taxes[0] if found.of("tax") else None, first_gross, above)
    best = as_printed
    for gross in printed or derived:
        for net, tax in _parts(gross, nets, taxes):
            of_net = found.items(net)
            rows = of_net or (found.items(gross) if tax else None)
            rank = ADDS_UP + ITEMS_FIT * bool(rows) + GROSS_PRINTED * (gross in printed)
            rank += NET_PRINTED * (net in nets) + TAX_CERTAIN * (tax == taxes[0])
            if rank > best.rank:
                best = Solution(net, tax, gross, *(rows or (above, 1)), bool(rows and not of_net), rank)
    return as_printed if nets and not best.rank & (ITEMS_FIT | NET_PRINTED) else best


def _parts(gross: int, nets: Sequence[int], taxes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Every (net, tax) that makes up `gross`, printed ones first."""
    yield from ((net, tax) for tax in taxes for net in nets if abs(net + tax - gross) <= TOLERANCE)
    yield from ((gross - tax, tax) for tax in taxes)


def _taxes(found: Amounts) -> list[int]:
    """What the taxes may come to: of several, one that is the sum of the others; else all of them together."""
    distinct, total = found.of("tax"), sum(found.of("tax"))
    sums = [one for one in distinct if len(distinct) > 2 and abs(2 * one - total) <= TOLERANCE]
    every = sum(cents for kind, cents in found.sums if kind == "tax")
    return list(dict.fromkeys((*sums, every, total, *reversed(distinct))))


def _run(cents: Sequence[int], target: int) -> slice | None:
    """The longest run that adds up."""
    reached = {0: 0}  # sum of the first n amounts → the least n
    sums = [0]
    for one in cents:
        sums.append(sums[-1] + one)
        reached.setdefault(sums[-1], len(sums) - 1)
    for delta in sorted(range(-TOLERANCE, TOLERANCE + 1), key=abs):
        runs = ((reached.get(at - target + delta, end), end) for end, at in enumerate(sums))
        begin, end = max(runs, key=lambda run: run[1] - run[0])
        if begin < end:
            return slice(begin, end)
    return None


def _labelled(page: Page, number: int, money: Sequence[Number]) -> Iterator[tuple[str, int]]:
    """(what it is, its cents) for every word or run of words of totals; of several amounts after it, the last."""
    line = page.lines[number]
    end = line.start + len(line.folded)
    patterns = (words.AMOUNT_LABELS,) if page.text.isascii() else (words.AMOUNT_LABELS, words.CJK_AMOUNT_LABELS)
    matches = [match for pattern in patterns for match in pattern.finditer(page.folded, line.start, end)]
    labels = sorted((match.start(), match.lastgroup or "") for match in matches)
    kinds: list[str] = []
    for (start, kind), (stop, _) in zip(labels, [*labels[1:], (end, "")], strict=False):
        kinds.append(kind)
        here = [one for one in money if start < one.start < stop]
        if here or len(kinds) == len(labels):  # else the amount stands before its words
            yield kind_of(kinds), _cents((here or money)[-1])
            kinds = []


def _cents(number: Number) -> int:
    return int(number.value.scaleb(2))


def items_of(page: Page, solution: Solution, turn: int) -> list[dict[str, Any]]:
    """Each by meaning; `turn` is -1 where money is given back that is printed without a sign."""
    numbers: Mapping[int, list[Number]] = {row.line: [] for row in solution.rows}
    for number in page.numbers:
        numbers.get(page.line_at(number.start), []).append(number)
    return [_item(page, row, solution.column, numbers[row.line], turn) for row in solution.rows]


def money(page: Page, cents: int) -> Decimal:
    """As a decimal with as many places as the page prints."""
    return Decimal(cents).scaleb(-2) if page.mark else Decimal(cents // 100)


def _item(page: Page, row: Row, column: int, numbers: Sequence[Number], turn: int) -> dict[str, Any]:
    amount = money(page, row.amount(column))
    quantity, price = _factors([one.value for one in numbers if not one.percent], amount)
    return {
        "description": _description(page, row.line, numbers), "quantity": quantity and turn * quantity,
        "unit_price": price, "amount": turn * amount, "currency": page.currency,
    }  # fmt: skip


def _factors(values: list[Decimal], amount: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """The two numbers of a line that make its amount, in the order printed."""
    before = values[: len(values) - 1 - values[::-1].index(amount)] if amount in values else values
    pairs = sorted(combinations(before[:MAX_NUMBERS], 2), key=lambda pair: pair[0] * pair[1] != amount)
    fitting = (pair for pair in pairs if abs(abs(pair[0] * pair[1]) - abs(amount)) <= CENTS < abs(amount))
    return next(fitting, (None, None))


def _description(page: Page, number: int, numbers: Sequence[Number]) -> str:
    """The first cell that is no code; in a line without cells what stands before its amounts."""
    line = page.lines[number]
    told = [cell.strip() for cell in line.cells if _letters(cell) > 2 and not CODE.fullmatch(cell.strip())]
    text = told[0] if told else ""
    if len(line.cells) < 3 or not told:
        ends = [one.start - line.start for one in numbers if one.decimals == 2 or one.marked or one.grouped]
        before = line.clean[: min(ends, default=None)]
        text = before if _letters(before) > 2 else line.clean
    return (EDGES.sub("", LEADING_COUNT.sub("", text.strip())) or line.text.strip())[:MAX_CHARS]


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))
