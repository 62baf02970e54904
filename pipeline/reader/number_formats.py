"""Numbers of a worksheet as their formats show them: dates in ISO, decimals, percents, currencies. Pure.

Built-in formats: ECMA-376 part 1, 18.8.30 (5th edition, 2016).
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache, partial

BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm",
    17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0", 38: "#,##0",
    39: "#,##0.00", 40: "#,##0.00", 44: "#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
}  # fmt: skip
ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
UNIT = re.compile(r'\[\$([^\]-]*)[^\]]*\]|"([^"]*)"|\\(.)|([€$£¥%])')
LITERAL = re.compile(r'\[[^\]]*\]|"[^"]*"|\\.|_.|\*.')
DIGITS = re.compile(r"[0#?][0#?,]*(?:\.([0#?]+))?")
SPLIT_SECONDS = re.compile(r"s\.0+", re.IGNORECASE)
MOST_DAYS = 2_958_465  # 9999-12-31
DAY_S = 86_400

Shown = Callable[[str], str]


@lru_cache(maxsize=4096)
def shown_by(code: str, *, from_1904: bool = False) -> Shown:
    """A format's code, such as `0.00 "kg"` → what turns a cell's number, as it is stored, into what the cell shows."""
    section = code.split(";", maxsplit=1)[0]
    bare = SPLIT_SECONDS.sub("s", LITERAL.sub("", ELAPSED.sub("hms", section)))
    letters = set(bare.lower().replace("general", ""))
    if letters & set("ymdhs") and not letters & set("0#?"):
        return partial(_moment, marks="".join(letters), elapsed=bool(ELAPSED.search(section)), late=from_1904)
    digits = DIGITS.search(bare)
    if not digits or "/" in bare or "e" in letters:
        return plain
    places = sum(char == "0" for char in digits[1] or ""), len(digits[1] or "")
    before, after = _units(section)
    return partial(_number, places=places, percent="%" in bare, around=(before, after))


def plain(text: str) -> str:
    """Up to 15 digits, which is what a worksheet has, and no exponent."""
    try:
        number = Decimal(f"{float(text):.15g}")
    except (ValueError, OverflowError, ArithmeticError):
        return text
    return f"{number:f}" if number.is_finite() and abs(number.adjusted()) < 30 else text


def _number(text: str, places: tuple[int, int], *, percent: bool, around: tuple[str, str]) -> str:
    least, most = places
    try:
        number = Decimal(plain(text)).scaleb(2 if percent else 0)
        number = number.quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP)
    except ArithmeticError:
        return text
    shown = f"{number:f}"
    if least < most:
        whole, _, part = shown.partition(".")
        shown = f"{whole}.{part[:least]}{part[least:].rstrip('0')}".rstrip(".")
    return f"{around[0]}{shown}{'%' if percent else ''}{around[1]}"


def _units(section: str) -> tuple[str, str]:
    """What is written before and after the number: currencies and words."""
    found = DIGITS.search(section)
    first = found.start() if found else 0
    before = "".join(_unit(match) for match in UNIT.finditer(section) if match.start() < first).strip()
    after = "".join(_unit(match) for match in UNIT.finditer(section) if match.start() >= first).strip()
    return f"{before} " if before else "", f" {after}" if after else ""


def _unit(match: re.Match[str]) -> str:
    said = next((group for group in match.groups() if group), "")
    return "" if said == "%" else said


def _moment(text: str, *, marks: str, elapsed: bool, late: bool) -> str:
    """`marks`: the letters of the format, of y m d h s."""
    try:
        serial = float(text)
    except ValueError:
        return text
    if not 0 <= serial <= MOST_DAYS:
        return text
    seconds = round(serial * DAY_S)
    if elapsed:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    first = (1904, 1, 1) if late else (1899, 12, 30 if serial >= 60 else 31)  # 1900 had a 29 February there
    moment = datetime(*first) + timedelta(seconds=seconds)  # noqa: DTZ001 (a worksheet knows no zones)
    shown = moment.strftime("%H:%M:%S").removesuffix(":00")
    if not set(marks) & set("hs"):
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d} {shown}" if set(marks) & set("yd") else shown
