"""Which of a page's amounts are its totals and which are its items: the ones that add up. Pure.

Words say what an amount may be; arithmetic decides. All amounts are whole hundredths ("cents") of the currency.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.sandbox.rules import words
from pipeline.sandbox.rules.amounts import Number
from pipeline.sandbox.rules.page import Page

TOLERANCE = 2  # cents: suppliers round
COLUMNS = 3  # from the right, in which the amount of an item may stand
MAX_OPTIONS = 6  # of one total; what a page has more of is a list, not totals
MAX_LABEL_CHARS = 40  # of a label that stands alone on its line
Label = tuple[int, str]  # (where, what it says an amount is)
ITEMS_FIT, ADDS_UP, GROSS_PRINTED, NET_PRINTED, TAX_CERTAIN = 16, 8, 4, 2, 1  # of a rank
CERTAIN = ITEMS_FIT + ADDS_UP + GROSS_PRINTED + TAX_CERTAIN
KINDS_BY_RANK = ("none", "item", "left", "gross", "incl", "net", "tax", "total")


class Sum(Struct, frozen=True):
    """An amount with a word of totals before it."""

    kind: str
    cents: int
    line: int


class Row(Struct, frozen=True):
    """A line that may be an item, with its amounts from left to right."""

    line: int
    cents: tuple[int, ...]

    def amount(self, column: int) -> int:
        return self.cents[-min(column, len(self.cents))]


class Items(Struct, frozen=True):
    rows: tuple[Row, ...] = ()
    column: int = 1


class Amounts(Struct):
    sums: list[Sum] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    _runs: dict[int, Items | None] = field(default_factory=dict)  # found before, by what they add up to

    def of(self, *kinds: str) -> list[int]:
        return list(dict.fromkeys(one.cents for kind in kinds for one in self.sums if one.kind == kind))[:MAX_OPTIONS]

    def items(self, target: int) -> Items | None:
        """The longest run of rows whose amounts in one column add up to `target`."""
        if target not in self._runs:
            self._runs[target] = _items(self.rows, target)
        return self._runs[target]

    def before(self) -> Items:
        """All rows above the first total."""
        first = min((one.line for one in self.sums if one.kind != "none"), default=None)
        return Items(tuple(row for row in self.rows if first is None or row.line < first))


class Solution(Struct, frozen=True):
    net: int | None
    tax: int | None
    gross: int | None
    items: Items
    includes_tax: bool = False
    rank: int = 0  # the higher, the more of it is printed and adds up
    spaced: bool = True  # whether blanks were read as separators of thousands


def solved(page: Page) -> Solution:
    """The totals and items of a page; read with and without blanks as separators of thousands, if it has to be."""
    best = _solved(page, page.spaced_numbers)
    if best.rank < CERTAIN and len(page.tight_numbers) != len(page.spaced_numbers):
        best = max(best, replace(_solved(page, page.tight_numbers), spaced=False), key=lambda one: one.rank)
    return best


def _solved(page: Page, numbers: Sequence[Number]) -> Solution:
    found = amounts_of(page, numbers)
    taxes = _tax_options(found.of("tax"), [one.cents for one in found.sums if one.kind == "tax"])
    nets = found.of("net")[::-1]
    printed = found.of("gross", "total", "left")
    best: Solution | None = None
    for gross in (*printed, *(() if printed else _unlabelled(found, nets, taxes))):
        for net, tax in _parts(gross, nets, taxes):
            solution = _ranked(found, (net, tax, gross), nets, taxes, printed)
            if best is None or solution.rank > best.rank:
                best = solution
            if best.rank >= CERTAIN:
                return best
    doubtful = best is None or (nets and not best.rank & (ITEMS_FIT | NET_PRINTED))
    return _as_printed(found, nets, taxes, printed) if best is None or doubtful else best


def _parts(gross: int, nets: Sequence[int], taxes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Every (net, tax) that makes up `gross`, printed ones first."""
    for tax in taxes:
        for net in nets:
            if abs(net + tax - gross) <= TOLERANCE:
                yield net, tax
    for tax in taxes:
        yield gross - tax, tax


def _ranked(
    found: Amounts, total: tuple[int, int, int], nets: Sequence[int], taxes: Sequence[int], printed: Sequence[int]
) -> Solution:
    net, tax, gross = total
    items, includes_tax = found.items(net), False
    if items is None and tax:
        items = found.items(gross)
        includes_tax = items is not None
    rank = ADDS_UP + ITEMS_FIT * (items is not None) + GROSS_PRINTED * (gross in printed)
    rank += NET_PRINTED * (net in nets) + TAX_CERTAIN * (tax == taxes[0])
    return Solution(net, tax, gross, items or found.before(), includes_tax, rank)


def _as_printed(found: Amounts, nets: Sequence[int], taxes: Sequence[int], printed: Sequence[int]) -> Solution:
    """The totals do not go together: the first of each, so that whoever checks them sees it."""
    net = nets[0] if nets else None
    gross = printed[0] if printed else None
    return Solution(net, taxes[0] if found.of("tax") else None, gross, found.before())


def _tax_options(distinct: Sequence[int], taxes: Sequence[int]) -> list[int]:
    """What the taxes may come to: of several, one that is the sum of the others; else all of them together."""
    if not distinct:
        return [0]
    total = sum(distinct)
    sums = [one for one in distinct if len(distinct) > 2 and abs(2 * one - total) <= TOLERANCE]
    return list(dict.fromkeys((*sums, sum(taxes), total, *reversed(distinct))))


def _unlabelled(found: Amounts, nets: Sequence[int], taxes: Sequence[int]) -> list[int]:
    """What the gross total may be where no word says so."""
    derived = [net + taxes[0] for net in nets]
    rows = found.rows
    last = [rows[-1].amount(1), sum(row.amount(1) for row in rows)] if rows else []
    return list(dict.fromkeys((*derived, *last)))


def _items(rows: Sequence[Row], target: int) -> Items | None:
    for column in range(1, COLUMNS + 1):
        run = _run([row.amount(column) for row in rows], target)
        if run is not None:
            return Items(tuple(rows[run[0] : run[1]]), column)
    return None


def _run(cents: Sequence[int], target: int) -> tuple[int, int] | None:
    reached = {0: 0}  # sum of the first n amounts → the least n
    sums = [0]
    for one in cents:
        sums.append(sums[-1] + one)
        reached.setdefault(sums[-1], len(sums) - 1)
    for delta in (0, 1, -1, 2, -2):
        runs = [(reached[at - target + delta], end) for end, at in enumerate(sums) if at - target + delta in reached]
        runs = [(begin, end) for begin, end in runs if begin < end]
        if runs:
            return max(runs, key=lambda run: run[1] - run[0])
    return None


def amounts_of(page: Page, numbers: Sequence[Number]) -> Amounts:
    """Every amount of a page, told apart by the words before it."""
    told = {page.line_at(match.start()) for match in words.FIELD_LINE.finditer(page.folded) if not match["amount"]}
    found = Amounts()
    for line, here in _by_line(page, numbers).items():
        money = [number for number in here if page.is_money(number)]
        if line in told or not money:
            continue
        groups = _groups(_labels(page, line) or _label_above(page, line, money), money)
        if not groups or any(kind == "item" for kind, _ in groups) or _multiplies(here, money):
            found.rows.append(Row(line, tuple(map(_cents, money))))
        else:
            found.sums += [Sum("gross" if kind == "incl" else kind, cents, line) for kind, cents in groups]
    return found


def _by_line(page: Page, numbers: Sequence[Number]) -> dict[int, list[Number]]:
    lines: dict[int, list[Number]] = {}
    for number in numbers:
        lines.setdefault(page.line_at(number.start), []).append(number)
    return lines


def _labels(page: Page, number: int) -> list[Label]:
    line = page.lines[number]
    begin, end = line.start, line.start + len(line.folded)
    matches = list(words.AMOUNT_LABELS.finditer(page.folded, begin, end))
    if page.has_cjk:
        matches += words.CJK_AMOUNT_LABELS.finditer(page.folded, begin, end)
    return sorted((match.start(), match.lastgroup or "") for match in matches)


def _label_above(page: Page, number: int, money: Sequence[Number]) -> list[Label]:
    """The label that stands alone on the line before an amount that stands alone."""
    alone = page.lines[number].clean.strip()
    if number == 0 or len(money) > 1 or len(alone) > money[0].end - money[0].start + len("EUR  "):
        return []
    above = page.lines[number - 1].clean.strip()
    if len(above) > MAX_LABEL_CHARS or above[-1:].isdigit():
        return []
    return [(page.lines[number].start, kind) for _, kind in _labels(page, number - 1)]


def _groups(labels: Sequence[Label], money: Sequence[Number]) -> list[tuple[str, int]]:
    """(what it is, its cents) for every label or run of labels; of several amounts after it, the last."""
    groups: list[tuple[str, int]] = []
    kinds: list[str] = []
    rest = list(money)
    for number, (_, kind) in enumerate(labels):
        kinds.append(kind)
        end = labels[number + 1][0] if number + 1 < len(labels) else None
        here = [one for one in rest if one.start > labels[number][0] and (end is None or one.start < end)]
        if here:
            groups.append((_kind(kinds), _cents(here[-1])))
            kinds, rest = [], [one for one in rest if one.start > here[-1].start]
    if kinds and not groups:  # the amount stands before its word
        groups.append((_kind(kinds), _cents(money[-1])))
    return groups


def _kind(kinds: Sequence[str]) -> str:
    if kinds[0] == "tax" and not {"none", "item", "incl"} & set(kinds):
        return "tax"
    return min(kinds, key=KINDS_BY_RANK.index)


def _multiplies(here: Sequence[Number], money: Sequence[Number]) -> bool:
    """Whether a line has a quantity and a price that make its amount, whatever its words are."""
    if len(money) < 2:
        return False
    amount, price = money[-1].value, money[-2].value
    factors = [one.value for one in here if one.start < money[-2].start and not one.percent]
    return any(factor not in {0, 1} and factor * price == amount for factor in factors)


def _cents(number: Number) -> int:
    return int(number.value.scaleb(2))
