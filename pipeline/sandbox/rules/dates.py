"""Dates as people print them, in nine languages → datetime.date. Pure; each pattern is bounded."""

import re
from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct

MONTHS = (
    "january jan januar janeiro janvier gennaio gen enero ene januari stycznia styczen jaenner",
    "february feb februar fevereiro fevrier fev febbraio febrero februari lutego luty",
    "march mar maerz marz mrz mars marzo maart mrt marca marzec marco",
    "april apr avril avr aprile abril abr kwietnia kwiecien",
    "may mai maggio mag mayo mei maja maj maio",
    "june jun juni juin giugno giu junio junho czerwca czerwiec",
    "july jul juli juillet juil luglio lug julio julho lipca lipiec",
    "august aug aout agosto ago augustus augusti sierpnia sierpien",
    "september sep sept septembre settembre setembro set septiembre wrzesnia wrzesien",
    "october oct oktober okt octobre ottobre ott octubre outubro pazdziernika pazdziernik",
    "november nov novembro novembre noviembre listopada listopad",
    "december dec dezember dezembro dez decembre dicembre dic diciembre grudnia grudzien",
)
MONTH_NUMBERS = {name: number for number, names in enumerate(MONTHS, start=1) for name in names.split()}
PLAIN_LETTERS = str.maketrans("äáàâãåöóòôõøüúùûéèêëíìîïçñńśźżłąęć", "aaaaaaoooooouuuueeeeiiiicnnszzlaec")
DIGIT = re.compile("[0-9元]")
REIWA = 2018  # its year 1 is 2019
MONTH = (
    "(?i:jan|jän|gen|ene|sty|feb|fév|fev|lut|mar|mär|maa|mrt|mrz|apr|avr|abr|kwi|may|mai|mag|mei|maj|jun|jui|giu|cze|jul|lug|lip"
    r"|aug|aou|aoû|ago|sie|sep|set|wrz|oct|okt|ott|out|paź|paz|nov|lis|dec|déc|dez|dic|gru)[^\W\d_]{0,9}"
)
DATE = re.compile(
    rf"""(?P<a>[0-9元][0-9]{{0,3}}+)(?![0-9])(?:
      (?:(?P<sep>[./-])(?P<b>[0-9]{{1,2}})(?P=sep)(?P<c>[0-9]{{4}}|[0-9]{{1,2}})
      | (?:st|nd|rd|th|er|[.º])?[ -]{{0,2}}(?:de\ |of\ |day\ of\ )?(?P<month>{MONTH})
        \.?,?[ -](?:del?\ )?(?P<y1>[0-9]{{4}}|[0-9]{{2}})
      | (?:st|nd|rd|th)?,?\ (?P<y2>[0-9]{{4}})
      )(?![0-9/]|[.,-][0-9])
    | \ ?年\ ?(?P<cjk_month>[0-9]{{1,2}})\ ?月\ ?(?P<cjk_day>[0-9]{{1,2}})\ ?日)""",
    re.VERBOSE,
)
NOT_BEFORE = ".,/-_"
MONTH_BEFORE = re.compile(r"(?<![^\W_])([^\W\d_]{3,12})\.? \Z")
MONTH_CHARS = 15


class Dated(Struct, frozen=True):
    day: date
    start: int
    end: int


class Found(Struct, frozen=True):
    """A date as printed: figures that may be a day or a month stay as they are."""

    first: int
    second: int
    year: int
    start: int
    end: int
    sep: str | None  # of figures alone, day or month first; None when there is no doubt about the order

    def day(self, *, month_first: bool) -> date | None:
        swap = self.sep == "/" and month_first
        day, month = (self.second, self.first) if swap else (self.first, self.second)
        try:
            return date(self.year, month, day)
        except ValueError:
            return None


def find(text: str, *, dollars: bool) -> list[Dated]:
    """All dates of a text. 03/04/2026 is read as the text's other dates are, or as people who pay in dollars do."""
    if not DIGIT.search(text):
        return []
    printed = [found for match in DATE.finditer(text) if (found := _found(match, text)) is not None]
    month_first = _month_comes_first(printed, dollars=dollars)
    dated = ((one.day(month_first=month_first), one) for one in printed)
    return [Dated(day, one.start, one.end) for day, one in dated if day is not None]


def blanked(text: str, found: Sequence[Dated]) -> str:
    """The text with blanks where its dates were, so that they are not read as numbers."""
    parts: list[str] = []
    at = 0
    for one in found:
        parts += text[at : one.start], " " * (one.end - one.start)
        at = one.end
    return "".join(parts) + text[at:]


def later(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _month_comes_first(printed: Sequence[Found], *, dollars: bool) -> bool:
    for one in printed:
        if one.sep == "/" and one.second > 12:
            return True
        if one.sep == "/" and one.first > 12:
            return False
    return dollars


def _found(match: re.Match[str], text: str) -> Found | None:
    start, end, first = match.start(), match.end(), match["a"]
    if match["cjk_month"]:
        era = text[max(0, start - 3) : start].rstrip().endswith("令和")
        year = REIWA + (1 if first == "元" else int(first)) if era else 0 if first == "元" else int(first)
        return Found(int(match["cjk_day"]), int(match["cjk_month"]), year, start, end, None) if year else None
    if first.startswith("元") or (start and ((last := text[start - 1]) in NOT_BEFORE or last.isalnum())):
        return None
    if match["sep"]:
        return _figures(match, first)
    if len(first) > 2:
        return None
    if match["month"]:
        return Found(int(first), _month(match["month"]), _year(match["y1"]), start, end, None)
    before = MONTH_BEFORE.search(text[max(0, start - MONTH_CHARS) : start])
    if before is None:
        return None
    return Found(int(first), _month(before[1]), int(match["y2"]), start - len(before[0]), end, None)


def _figures(match: re.Match[str], first: str) -> Found | None:
    second, third = match["b"], match["c"]
    if len(first) == 4 and len(third) <= 2:
        return Found(int(third), int(second), int(first), match.start(), match.end(), None)
    if len(first) > 2 or len(third) == 1:
        return None
    return Found(int(first), int(second), _year(third), match.start(), match.end(), match["sep"])


def _year(figures: str) -> int:
    return int(figures) + 2000 if len(figures) == 2 else int(figures)


def _month(name: str) -> int:
    return MONTH_NUMBERS.get(name.lower().translate(PLAIN_LETTERS), 0)
