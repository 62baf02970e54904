"""Dates as people print them, in nine languages → datetime.date. Pure; each pattern is bounded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = (
    "january jan januar janvier gennaio gen enero ene januari stycznia styczen jaenner",
    "february feb februar fevrier fev febbraio febrero februari lutego luty",
    "march mar maerz marz mrz mars marzo maart mrt marca marzec",
    "april apr avril avr aprile abril abr kwietnia kwiecien",
    "may mai maggio mag mayo mei maja maj",
    "june jun juni juin giugno giu junio czerwca czerwiec",
    "july jul juli juillet juil luglio lug julio lipca lipiec",
    "august aug aout agosto ago augustus augusti sierpnia sierpien",
    "september sep sept septembre settembre set septiembre wrzesnia wrzesien",
    "october oct oktober okt octobre ottobre ott octubre pazdziernika pazdziernik",
    "november nov novembre noviembre listopada listopad",
    "december dec dezember dez decembre dicembre dic diciembre grudnia grudzien",
)
MONTH_NUMBERS = {name: number for number, names in enumerate(MONTHS, start=1) for name in names.split()}
PLAIN_LETTERS = str.maketrans("äáàâãåöóòôõøüúùûéèêëíìîïçñńśźżłąęć", "aaaaaaoooooouuuueeeeiiiicnnszzlaec")
REIWA = 2018  # its year 1 is 2019
DATE = re.compile(
    r"""(?<![\w.,/-])(?:
      (?P<y1>\d{4})[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})
    | (?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})(?P=sep)(?P<y2>\d{4}|\d\d)
    | (?P<d3>\d{1,2})(?:st|nd|rd|th|er|[.º])?[\s-]{0,2}(?:de\s)?(?P<m3>[^\W\d_]{3,12})\.?,?[\s-](?:de\s)?(?P<y3>\d{4}|\d\d)
    | (?P<m4>[^\W\d_]{3,12})\.?\s(?P<d4>\d{1,2})(?:st|nd|rd|th)?,?\s(?P<y4>\d{4})
    )(?![\d/]|[.,-]\d)
    | (?:(?P<y5>\d{4})|令和\s?(?P<r5>\d{1,2}|元))\s?年\s?(?P<m5>\d{1,2})\s?月\s?(?P<d5>\d{1,2})\s?日""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Dated:
    day: date
    start: int
    end: int


def find(line: str, *, month_first: bool) -> list[Dated]:
    """All dates of a line. `month_first` decides 03/04/2026, where the slashes leave it open."""
    if not any(one.isdigit() for one in line):
        return []
    found = []
    for match in DATE.finditer(line):
        day = _day(match, month_first=month_first)
        if day is not None:
            found.append(Dated(day, match.start(), match.end()))
    return found


def month_comes_first(lines: Sequence[str], *, dollars: bool) -> bool:
    """How this document writes 03/04/2026: by a date that can be read only one way, else by its currency."""
    for line in lines:
        for match in DATE.finditer(line):
            if match["sep"] == "/" and int(match["b"]) > 12:
                return True
            if match["sep"] == "/" and int(match["a"]) > 12:
                return False
    return dollars


def blanked(line: str, found: Sequence[Dated]) -> str:
    """The line with blanks where its dates were, so that they are not read as numbers."""
    for one in found:
        line = line[: one.start] + " " * (one.end - one.start) + line[one.end :]
    return line


def later(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _day(match: re.Match[str], *, month_first: bool) -> date | None:
    if match["y1"]:
        parts = match["y1"], match["m1"], match["d1"]
    elif match["a"]:
        swap = month_first and match["sep"] == "/"
        parts = match["y2"], match["a" if swap else "b"], match["b" if swap else "a"]
    elif match["m3"]:
        parts = match["y3"], _month(match["m3"]), match["d3"]
    elif match["m4"]:
        parts = match["y4"], _month(match["m4"]), match["d4"]
    else:
        year = match["y5"] or str(REIWA + (1 if match["r5"] == "元" else int(match["r5"])))
        parts = year, match["m5"], match["d5"]
    try:
        year, month, day = map(int, parts)
        return date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def _month(name: str) -> str:
    return str(MONTH_NUMBERS.get(name.lower().translate(PLAIN_LETTERS), 0))
