"""Numbers as people print them → Decimal: 1.234,56 and 1,234.56 and 1'234.56 and 1 234,56, with signs and OCR noise.

Pure, and linear in the length of a line: no pattern here can backtrack over more than one number.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

MAX_DIGITS = 18  # what is longer is a number of an account, not of money
DIGIT_LIKE = str.maketrans("OoIl", "0011")
MISREAD = re.compile(r"(?<![^\W_])[0-9OoIl](?:[0-9OoIl]|[.,/:'-](?=[0-9OoIl]))*(?![^\W_])")
LITRES = re.compile(r"\d+l\Z")
SPLIT_SEPARATOR = re.compile(r"(?<=\d) ,(?=\d)")
CURRENCY_MARK = r"(?:EUR|USD|GBP|CHF|PLN|JPY|SEK|US\$|[€$£¥])"
PLAIN = r"\d{1,3}(?:[.,'’]\d{3})+(?:[.,]\d{1,6})?(?![\d'’])|\d+(?:[.,]\d{1,6})?"
SPACED = r"\d{1,3}(?: \d{3})+(?:[.,]\d{1,6})?(?![\d'’])|" + PLAIN
LATIN = "A-Za-zÀ-ž"
AROUND = rf"(?P<sign>[-−–])?(?:(?<![{LATIN}])(?P<mark>{CURRENCY_MARK}\s?)|(?<![{LATIN}_\d.,/:#]))(?P<inner>[-−–])?"  # noqa: RUF001 (minus signs)
AFTER = r"(?![A-Za-z0-9/:]|[.,]\d)(?P<percent>\s?[%‰])?(?P<trailing>-(?![\w-]))?"
TIGHT_NUMBER = re.compile(rf"{AROUND}(?P<digits>{PLAIN}){AFTER}")
SPACED_NUMBER = re.compile(rf"{AROUND}(?P<digits>{SPACED}){AFTER}")
MARK_AFTER = re.compile(r"\s?(?:" + CURRENCY_MARK + r"|zł|kr\b|円|Euro\b|Fr\.)")
CENTS = re.compile(r"\d([.,])\d\d(?!\d|[.,]\d)")


@dataclass(frozen=True, slots=True)
class Number:
    value: Decimal
    start: int
    end: int
    decimals: int
    percent: bool = False
    marked: bool = False  # a currency stands beside it
    grouped: bool = False  # it has separators of thousands


def mended(line: str) -> str:
    """The line with O, l and I read as digits where they stand among digits, and `65 ,00` closed up."""
    if not any(letter in line for letter in "OolI"):
        return SPLIT_SEPARATOR.sub(",", line)
    return SPLIT_SEPARATOR.sub(",", MISREAD.sub(_digits_of, line))


def decimal_mark(lines: Iterable[str]) -> str:
    """Which of `.` and `,` stands before cents in these lines; "" where nothing has cents (yen)."""
    votes = [found for line in lines for found in CENTS.findall(line)]
    points, commas = votes.count("."), votes.count(",")
    if not votes:
        return ""
    return "," if commas > points else "."


def numbers(line: str, mark: str, *, spaced: bool) -> list[Number]:
    """All numbers of a line, percentages too. `spaced`: a single blank may separate thousands."""
    found = []
    for match in (SPACED_NUMBER if spaced else TIGHT_NUMBER).finditer(line):
        number = _number(match, line, mark)
        if number is not None:
            found.append(number)
    return found


def plain(value: Decimal) -> str:
    """Without an exponent, as a schema for decimal text wants it."""
    return format(value, "f")


def _number(match: re.Match[str], line: str, mark: str) -> Number | None:
    digits, start = match["digits"], match.start("digits")
    sign = match["sign"]
    if (
        sign
        and match.start() > 0
        and (before := line[match.start() - 1]) != "("
        and not before.isspace()
        and before not in ";|\t"
    ):
        if match["mark"] is None:
            return None  # the last part of A-17 or 551-0099812
        sign = None
    value, decimals = _value(digits, mark)
    if value is None:
        return None
    brackets = line[match.start() - 1 : match.start()] == "(" and line[match.end() : match.end() + 1] == ")"
    marked = match["mark"] is not None or MARK_AFTER.match(line, match.end("digits")) is not None
    if sign or match["inner"] or match["trailing"] or (brackets and (decimals or marked) and not match["percent"]):
        value = -value
    grouped = any(one in digits for one in " '’") or (decimals == 0 and not digits.isdigit())
    return Number(value, start, match.end(), decimals, match["percent"] is not None, marked, grouped)


def _value(digits: str, mark: str) -> tuple[Decimal | None, int]:
    bare = digits.replace(" ", "").replace("'", "").replace("’", "")
    if len(bare) > MAX_DIGITS:
        return None, 0
    at = max(bare.rfind("."), bare.rfind(","))
    if at < 0:
        return Decimal(bare), 0
    last, tail = bare[at], len(bare) - at - 1
    other = "," if last == "." else "."
    thousands = bare.count(last) > 1 or (tail == 3 and other not in bare and last != mark and not bare.startswith("0"))
    if thousands:
        return Decimal(bare.replace(".", "").replace(",", "")), 0
    return Decimal(bare[:at].replace(other, "") + "." + bare[at + 1 :]), tail


def _digits_of(match: re.Match[str]) -> str:
    token = match.group()
    if not any(one.isdigit() for one in token) or LITRES.match(token):
        return token
    return token.translate(DIGIT_LIKE)
