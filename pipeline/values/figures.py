"""Numbers and dates as people print them, in nine languages, with signs and OCR noise. Pure, in linear time."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

APART = str.maketrans("", "", " '’")  # between thousands, whatever the decimal mark
MAX_DIGITS = 18  # what is longer is a number of an account, not of money
DIGIT_LIKE = str.maketrans("OoIl", "0011")
MISREAD = re.compile(r"(?<![^\W_])[0-9OoIl](?:[0-9OoIl]|[.,/:'-](?=[0-9OoIl]))*(?![^\W_])")
SPLIT_SEPARATOR = re.compile(r"(?<=\d) ,(?=\d)")
CODES = "EUR|USD|GBP|CHF|PLN|JPY|SEK|NOK|DKK|CZK|HUF|CAD|AUD|INR"
FIGURES = r"[0-9]{0,2}(?:(?: [0-9]{3})+|(?:[.,'’][0-9]{3})+)(?:[.,][0-9]{1,6})?(?![0-9'’])|[0-9]*(?:[.,][0-9]{1,6})?"
AFTER = r"(?![A-Za-z0-9/:]|[.,][0-9])(?P<percent> ?[%‰])?(?P<trailing>-(?![\w-]))?"
NUMBER = re.compile(rf"(?P<digits>[0-9](?:{FIGURES})){AFTER}")
BEFORE_CHARS = 8
BEFORE = re.compile(  # a minus on either side of a currency
    rf"(?P<free>(?<![^ (;|\t\n])[-−–])?(?P<mark>(?:(?<![A-Za-zÀ-ž])(?:{CODES})|US\$|[€$£¥]) ?)?(?P<minus>[-−–])?\Z"
)
PART_OF_WORD = re.compile(r"[A-Za-zÀ-ž0-9_.,/:#]\Z")
MARK_AFTER = re.compile(rf" ?(?:{CODES}|US\$|[€$£¥]|zł|kr\b|円|Euro\b|Fr\.)")
TRAILING_MINUS = re.compile(r"-(?![\w-])")
CENTS = re.compile(r"[0-9]([.,])[0-9][0-9](?![0-9]|[.,][0-9])")

MONTHS = (
    "january jan januar janeiro janvier gennaio gen enero ene januari stycznia styczen",
    "february feb februar fevereiro fevrier fev febbraio febrero februari lutego luty",
    "march mar maerz marz mrz mars marzo maart mrt marca marzec marco",
    "april apr avril avr aprile abril abr kwietnia kwiecien",
    "may mai maggio mag mayo mei maja maj maio",
    "june jun juni juin giugno giu junio junho czerwca czerwiec",
    "july jul juli juillet juil luglio lug julio julho lipca lipiec",
    "august aug aout agosto ago augustus augusti sierpnia sierpien",
    "september sep sept septembre settembre setembro set septiembre wrzesnia wrzesien",
    "october oct oktober okt octobre ottobre ott octubre outubro pazdziernika",
    "november nov novembro novembre noviembre listopada listopad",
    "december dec dezember dezembro dez decembre dicembre dic diciembre grudnia grudzien",
)
MONTH_NUMBERS = {name: number for number, names in enumerate(MONTHS, start=1) for name in names.split()}
PLAIN_LETTERS = str.maketrans("äáàâãåöóòôõøüúùûéèêëíìîïçñńśźżłąęć", "aaaaaaoooooouuuueeeeiiiicnnszzlaec")
MONTH = "|".join(sorted({name[:3] for name in MONTH_NUMBERS} | {"jän", "fév", "mär", "aoû", "paź", "déc"}))
REIWA = 2018  # its year 1 is 2019
DATE = re.compile(  # begins with a digit, which is what makes a search fast; what stands before is looked at afterwards
    rf"""(?P<a>[0-9元][0-9]{{0,3}}+)(?![0-9])(?:
      (?:(?P<sep>[./-])(?P<b>[0-9]{{1,2}})(?P=sep)(?P<c>[0-9]{{4}}|[0-9]{{1,2}})
      | (?:st|nd|rd|th|er|[.º])?[ -]{{0,2}}(?:de\ |of\ |day\ of\ )?(?P<month>(?i:{MONTH})[^\W\d_]{{0,9}})
        \.?,?[ -](?:del?\ )?(?P<y1>[0-9]{{4}}|[0-9]{{2}})
      | (?:st|nd|rd|th)?,?\ (?P<y2>[0-9]{{4}})
      )(?![0-9/]|[.,-][0-9])
    | \ ?年\ ?(?P<cjk_month>[0-9]{{1,2}})\ ?月\ ?(?P<cjk_day>[0-9]{{1,2}})\ ?日)""",
    re.VERBOSE,
)
NOT_BEFORE = re.compile(r"[.,/_\w-]\Z")
MONTH_BEFORE = re.compile(r"(?<![^\W_])([^\W\d_]{3,12})\.? \Z")
MONTH_CHARS = 15


class Number(Struct, frozen=True):
    value: Decimal
    start: int
    end: int
    decimals: int
    percent: bool = False
    marked: bool = False  # a currency stands beside it
    grouped: bool = False  # it has separators of thousands


def mended(text: str) -> str:
    """The text with O, l and I read as digits where they stand among digits, and `65 ,00` closed up."""
    return SPLIT_SEPARATOR.sub(",", with_digits(text))


def with_digits(text: str) -> str:
    """The first half of it: as long as the text."""
    return MISREAD.sub(_digits_of, text)


def decimal_mark(text: str) -> str:
    """Which of `.` and `,` stands before cents in this text; "" where nothing has cents (yen)."""
    votes = CENTS.findall(text)
    return "" if not votes else "," if votes.count(",") > votes.count(".") else "."


def numbers(text: str, mark: str) -> list[Number]:
    """All numbers of a text, percentages too; a single blank may separate thousands."""
    return [number for match in NUMBER.finditer(text) if (number := _number(match, text, mark)) is not None]


def _number(match: re.Match[str], text: str, mark: str) -> Number | None:
    digits, start, end = match["digits"], match.start(), match.end()
    before = BEFORE.search(text, max(0, start - BEFORE_CHARS), start)
    value, decimals = _value(digits, mark)
    if before is None or value is None:
        return None
    alone = not before[0]  # no sign of any kind
    if (alone and PART_OF_WORD.search(text, max(0, start - 1), start)) or before[0] == before["minus"] != "":
        return None  # the last part of A17, A-17 or 551-0099812
    percent = match["percent"] is not None
    marked = before["mark"] is not None or MARK_AFTER.match(text, match.end("digits")) is not None
    brackets = text.endswith("(", 0, before.start()) and text.startswith(")", end) and not percent
    negative = before["free"] or before["minus"] or match["trailing"] or (brackets and (decimals or marked))
    grouped = any(one in digits for one in " '’") or (decimals == 0 and not digits.isdigit())
    return Number(-value if negative else value, start, end, decimals, percent, marked, grouped)


def _value(digits: str, mark: str) -> tuple[Decimal | None, int]:
    """(the value, how many decimals it has)."""
    bare = digits.translate(APART)
    if len(bare) > MAX_DIGITS:
        return None, 0
    at = max(bare.rfind("."), bare.rfind(","))
    last, tail = bare[at], len(bare) - at - 1
    other = "," if last == "." else "."
    thousands = bare.count(last) > 1 or (tail == 3 and other not in bare and last != mark and not bare.startswith("0"))
    if at < 0 or thousands:
        return Decimal(bare.replace(".", "").replace(",", "")), 0
    return Decimal(bare[:at].replace(other, "") + "." + bare[at + 1 :]), tail


@lru_cache(maxsize=4096)
def readings(digits: str) -> tuple[Decimal, ...]:
    """All that figures with their separators may mean, whatever the rest of a text is like: 1.234 is two numbers.

    >>> readings("1.234,50"), readings("12,34,567.00"), readings("1,234")
    ((Decimal('1234.50'),), (Decimal('1234567.00'),), (Decimal('1234'), Decimal('1.234')))
    """
    said = (_value(digits, mark)[0] for mark in (("", digits[-4]) if len(digits) > 4 else ("",)))
    return tuple(dict.fromkeys(one for one in said if one is not None))


def minus_at(text: str, start: int, end: int) -> tuple[int, int] | None:
    """From where to where a number at these places stands with its minus or its brackets; None where it has none."""
    before = BEFORE.search(text, max(0, start - BEFORE_CHARS), start)
    if before is not None and (before["free"] or (before["minus"] and before[0] != before["minus"])):
        return before.start(), end
    if TRAILING_MINUS.match(text, end):
        return start, end + 1
    brackets = before is not None and text.endswith("(", 0, before.start()) and text.startswith(")", end)
    return (before.start() - 1, end + 1) if before is not None and brackets else None


def _digits_of(match: re.Match[str]) -> str:
    return match[0].translate(DIGIT_LIKE) if any(one.isdigit() for one in match[0]) else match[0]


class Dated(Struct, frozen=True):
    day: date
    start: int
    end: int


def dates(text: str, *, dollars: bool | None) -> list[Dated]:
    """All dates of a text. 03/04/2026 is read as the text's other dates are, or as people who pay in dollars do.

    With None for `dollars`, where no other date tells, both readings are given.
    """
    matches = list(DATE.finditer(text))
    slashed = [(int(match["a"]), int(match["b"])) for match in matches if match["sep"] == "/" and match["a"].isdigit()]
    clear = [second > 12 for first, second in slashed if first <= 31 and max(first, second) > 12]
    orders = (clear[0],) if clear else (False, True) if dollars is None and slashed else (bool(dollars),)
    found = (
        _dated(match, text[max(0, match.start() - MONTH_CHARS) : match.start()], month_first)
        for match in matches
        for month_first in orders
    )
    return list(dict.fromkeys(one for one in found if one is not None))


def blanked(text: str, found: Sequence[Dated]) -> str:
    """The text with blanks where its dates were, so that they are not read as numbers."""
    for one in found:
        text = text[: one.start] + " " * (one.end - one.start) + text[one.end :]
    return text


def _dated(match: re.Match[str], before: str, month_first: bool) -> Dated | None:  # noqa: FBT001 (one of two orders)
    start, first = match.start(), match["a"]
    if match["cjk_month"]:
        base = REIWA if before.rstrip().endswith("令和") else 0
        return _made(base + (1 if first == "元" else int(first)), match["cjk_month"], match["cjk_day"], match)
    if first.startswith("元") or NOT_BEFORE.search(before):
        return None
    if match["sep"] and len(first) == 4:
        return _made(first, match["b"], match["c"], match)
    if len(first) > 2:
        return None
    if match["sep"]:
        day, month = (match["b"], first) if match["sep"] == "/" and month_first else (first, match["b"])
        return _made(match["c"], month, day, match) if len(match["c"]) > 1 else None
    if match["month"]:
        return _made(match["y1"], match["month"], first, match)
    named = MONTH_BEFORE.search(before)
    return _made(match["y2"], named[1], first, match, start - len(named[0])) if named else None


def _made(year: str | int, month: str, day: str, match: re.Match[str], start: int | None = None) -> Dated | None:
    number = int(month) if month.isdigit() else MONTH_NUMBERS.get(month.lower().translate(PLAIN_LETTERS), 0)
    century = 2000 if isinstance(year, str) and len(year) == 2 else 0
    try:
        return Dated(
            date(century + int(year), number, int(day)), match.start() if start is None else start, match.end()
        )
    except ValueError:
        return None
