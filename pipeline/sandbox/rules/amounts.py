"""Numbers as people print them → Decimal: 1.234,56 and 1,234.56 and 1'234.56 and 1 234,56, with signs and OCR noise.

Pure, and linear in the length of a text: no pattern here can backtrack over more than one number. The patterns begin
with a digit, which is what makes a search fast; what stands before the digits is looked at afterwards.
"""

import re
from decimal import Decimal

from msgspec import Struct

MAX_DIGITS = 18  # what is longer is a number of an account, not of money
DIGIT_LIKE = str.maketrans("OoIl", "0011")
MISREAD = re.compile(r"(?<![^\W_])[0-9OoIl](?:[0-9OoIl]|[.,/:'-](?=[0-9OoIl]))*(?![^\W_])")
MIXED = re.compile(r"[0-9OoIl](?:(?<=[0-9])[.,/:'-]?[OoIl]|(?<=[OoIl])[.,/:'-]?[0-9])")
LITRES = re.compile(r"\d+l\Z")
SPLIT_SEPARATOR = re.compile(r"(?<=\d) ,(?=\d)")
CODES = frozenset({"EUR", "USD", "GBP", "CHF", "PLN", "JPY", "SEK", "NOK", "DKK", "CZK", "HUF", "CAD", "AUD", "INR"})
SIGNS = "€$£¥"
MINUS = "-−–"
PLAIN = r"[0-9]{0,2}(?:[.,'’][0-9]{3})+(?:[.,][0-9]{1,6})?(?![0-9'’])|[0-9]*(?:[.,][0-9]{1,6})?"
SPACED = r"[0-9]{0,2}(?: [0-9]{3})+(?:[.,][0-9]{1,6})?(?![0-9'’])|" + PLAIN
AFTER = r"(?![A-Za-z0-9/:]|[.,][0-9])(?P<percent> ?[%‰])?(?P<trailing>-(?![\w-]))?"
TIGHT_NUMBER = re.compile(rf"(?P<digits>[0-9](?:{PLAIN})){AFTER}")
SPACED_NUMBER = re.compile(rf"(?P<digits>[0-9](?:{SPACED})){AFTER}")
MARK_AFTER = re.compile(rf" ?(?:{'|'.join(sorted(CODES))}|US\$|[{SIGNS}]|zł|kr\b|円|Euro\b|Fr\.)")
CENTS = re.compile(r"[0-9]([.,])[0-9][0-9](?![0-9]|[.,][0-9])")


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
    if MIXED.search(text):
        text = MISREAD.sub(_digits_of, text)
    return SPLIT_SEPARATOR.sub(",", text)


def decimal_mark(text: str) -> str:
    """Which of `.` and `,` stands before cents in this text; "" where nothing has cents (yen)."""
    votes = CENTS.findall(text)
    if not votes:
        return ""
    return "," if votes.count(",") > votes.count(".") else "."


def numbers(text: str, mark: str, *, spaced: bool) -> list[Number]:
    """All numbers of a text, percentages too. `spaced`: a single blank may separate thousands."""
    found = []
    for match in (SPACED_NUMBER if spaced else TIGHT_NUMBER).finditer(text):
        number = _number(match, text, mark)
        if number is not None:
            found.append(number)
    return found


def plain(value: Decimal) -> str:
    """Without an exponent, as a schema for decimal text wants it."""
    return format(value, "f")


def _number(match: re.Match[str], text: str, mark: str) -> Number | None:
    digits, start = match["digits"], match.start()
    before = _before(text, start)
    if before is None:
        return None
    negative, marked, begins = before
    value, decimals = _value(digits, mark)
    if value is None:
        return None
    percent = match["percent"] is not None
    marked = marked or MARK_AFTER.match(text, match.end("digits")) is not None
    brackets = text[begins - 1 : begins] == "(" and text[match.end() : match.end() + 1] == ")"
    if negative or match["trailing"] or (brackets and (decimals or marked) and not percent):
        value = -value
    grouped = any(one in digits for one in " '’") or (decimals == 0 and not digits.isdigit())
    return Number(value, start, match.end(), decimals, percent, marked, grouped)


def _before(text: str, start: int) -> tuple[bool, bool, int] | None:
    """(a minus, a currency, where they begin) before the digits at `start`; None when these are part of a word."""
    at = start
    negative = at > 0 and text[at - 1] in MINUS
    at -= negative
    signed, at = at, _before_mark(text, at)
    marked = at < signed
    if marked and at > 0 and text[at - 1] in MINUS and (at == 1 or text[at - 2] in " (;|\t\n"):
        negative, at = True, at - 1
    elif negative and not marked and at > 0 and text[at - 1] not in "( ;|\t\n":
        return None  # the last part of A-17 or 551-0099812
    if (
        not marked
        and not negative
        and at > 0
        and ((last := text[at - 1]) in "_.,/:#" or last.isdigit() or _latin(last))
    ):
        return None
    return negative, marked, at


def _before_mark(text: str, at: int) -> int:
    """Where a currency begins that ends at `at`, or one blank before; `at` when there is none."""
    end = at - (at > 0 and text[at - 1] == " ")
    if end > 0 and text[end - 1] in SIGNS:
        return end - 3 if text[max(0, end - 3) : end] == "US$" else end - 1
    code = text[max(0, end - 3) : end]
    if code in CODES and (end == 3 or not _latin(text[end - 4])):
        return end - 3
    return at


def _latin(one: str) -> bool:
    return "A" <= one <= "Z" or "a" <= one <= "z" or "À" <= one <= "ž"


def _value(digits: str, mark: str) -> tuple[Decimal | None, int]:
    if digits.isdigit():
        return (Decimal(digits), 0) if len(digits) <= MAX_DIGITS else (None, 0)
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
