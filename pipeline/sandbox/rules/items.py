"""The positions of an invoice, in detail: what, how many, at which price. Pure."""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations

from msgspec import Struct

from pipeline.sandbox.rules import amounts, words
from pipeline.sandbox.rules.amounts import Number
from pipeline.sandbox.rules.page import Line, Page
from pipeline.sandbox.rules.totals import Row, Solution

TOLERANCE = Decimal("0.02")
PER = (1, 10, 100, 1000)  # a price may be for so many
MAX_ABOVE = 3  # lines of description above an amount
MAX_CHARS = 200
MAX_NUMBERS = 8  # of a line that are tried as quantity and price
LETTER = re.compile(r"[^\W\d_]")
CODE = re.compile(r"(?:[A-Z0-9]{1,6}[-/.]?)?[A-Z]{0,3}\d[A-Z0-9/.-]*|\d+")
LEADING_COUNT = re.compile(r"^\W*-?\d+(?:[.,]\d+)? ?(?:[x×]|st|stk|pcs|ea|rol|pkg)\b\W*", re.IGNORECASE)
EDGES = re.compile(r"^[\s.,;:•*|-]+|[\s.:;,=@à×|(-]+$|\s(?:x|à|at|@|=|per)\s*$", re.IGNORECASE)


class Item(Struct, frozen=True):
    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal

    def turned(self) -> "Item":
        """Given back instead of charged."""
        return Item(self.description, None if self.quantity is None else -self.quantity, self.unit_price, -self.amount)


def items_of(page: Page, solution: Solution) -> list[Item]:
    numbers: dict[int, list[Number]] = {row.line: [] for row in solution.items.rows}
    for number in page.spaced_numbers if solution.spaced else page.tight_numbers:
        line = page.line_at(number.start)
        if line in numbers:
            numbers[line].append(number)
    return [_item(page, row, solution.items.column, numbers[row.line]) for row in solution.items.rows]


def money(page: Page, cents: int) -> Decimal:
    """As a decimal with as many places as the page prints."""
    return Decimal(cents).scaleb(-2) if page.mark else Decimal(cents // 100)


def _item(page: Page, row: Row, column: int, numbers: Sequence[Number]) -> Item:
    line = page.lines[row.line]
    amount = money(page, row.amount(column))
    field = words.FIELD_LINE.match(line.folded)
    if field is not None:
        return _from_fields(page, row.line, amount)
    quantity, unit_price = _factors(numbers, amount)
    return Item(_description(page, row.line, numbers), quantity, unit_price, amount)


def _factors(numbers: Sequence[Number], amount: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """The two numbers of a line that make its amount, in the order printed."""
    values = [one.value for one in numbers if not one.percent]
    ends = [place for place, value in enumerate(values) if value == amount]
    before = (values[: ends[-1]] if ends else values)[:MAX_NUMBERS]
    for quantity, price in sorted(combinations(before, 2), key=lambda pair: pair[0] * pair[1] != amount):
        for per in PER:
            fits = abs(abs(quantity * price) / per - abs(amount)) <= TOLERANCE < abs(amount)
            if fits and (per == 1 or Decimal(per) in before):
                return quantity, price.scaleb(-PER.index(per))
    return None, None


def _description(page: Page, number: int, numbers: Sequence[Number]) -> str:
    line = page.lines[number]
    cells = [cell.strip() for cell in line.cells]
    told = [cell for cell in cells if _letters(cell) > 2 and not CODE.fullmatch(cell)]
    if len(cells) < 3 or not told:
        text = _prose(line, numbers)
    else:
        text = max(told[:2], key=_letters) if _letters(told[0]) <= 5 else told[0]
        text = _without_figures(text)
    if _letters(text) < 3 or words.COLUMN_WORDS.match(text.lower()):
        text = _above(page, number) or text
    return text[:MAX_CHARS] or line.text.strip()[:MAX_CHARS]


def _prose(line: Line, numbers: Sequence[Number]) -> str:
    """What stands before the first amount, without the quantity."""
    ends = [one.start - line.start for one in numbers if one.decimals == 2 or one.marked or one.grouped]
    text = line.clean[: min(ends)] if ends else line.clean
    shorter = _without_figures(text)
    return shorter if _letters(shorter) > 2 else _without_figures(line.clean)


def _without_figures(text: str) -> str:
    text = LEADING_COUNT.sub("", text.strip())
    for code in ("EUR", "USD", "GBP", "CHF", "SEK", "JPY", "PLN", *"€$£¥"):
        text = text.removesuffix(code).rstrip()
    return EDGES.sub("", EDGES.sub("", text)).strip()


def _above(page: Page, number: int) -> str:
    """The first of the lines right above that hold neither an amount nor a heading."""
    found = ""
    for above in range(number - 1, max(-1, number - 1 - MAX_ABOVE), -1):
        line = page.lines[above]
        folded = line.folded.strip()
        if words.COLUMN_WORDS.match(folded) or words.MARK.search(folded) or not LETTER.search(folded):
            break
        found = line.text.strip()
        if page.numbered[above][0] - page.numbered[above - 1][0] > 1:
            break  # a blank line
    return found


def _from_fields(page: Page, number: int, amount: Decimal) -> Item:
    """A position printed as lines of its own: Description:, Quantity:, Price:, Amount:."""
    told: dict[str, str] = {}
    for above in range(number - 1, max(-1, number - 5), -1):
        line = page.lines[above]
        match = words.FIELD_LINE.match(line.folded)
        if match is None or match["amount"]:
            break
        name = next(name for name in ("what", "quantity", "price") if match[name])
        told.setdefault(name, line.clean[match.start("value") : match.end("value")].strip())
    quantity, price = (_first_number(told.get(name, ""), page.mark) for name in ("quantity", "price"))
    return Item(told.get("what", "")[:MAX_CHARS], quantity, price, amount)


def _first_number(text: str, mark: str) -> Decimal | None:
    return next((one.value for one in amounts.numbers(text, mark, spaced=True)), None)


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))
