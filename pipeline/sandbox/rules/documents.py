"""The facts of a contract, lease, report or minutes, or of a part of one, by meaning. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any

from pipeline.sandbox.rules.page import COLUMNS, Page
from pipeline.values import figures, words

HEAD_LINES = 10
MOST = 30  # entries of one list
MAX_TITLE_CHARS = 120
MAX_TEXT_CHARS = 240
MAX_NAME_CHARS = 60
MAX_SENTENCES = 2_000
KIND = re.compile(  # by the words of a title
    r"(?P<minutes>\bminutes\b|protokoll|\bverbale\b|procès-verbal|compte rendu|notulen)"
    r"|(?P<incident_report>incident|accident|unfall|schaden(?:s?meldung|bericht)|ongeval)"
    r"|(?P<inspection_report>inspection|prüfbericht|\bsurvey\b|ispezione|inspectie|keuring|audit report)"
    r"|(?P<lease>\blease\b|mietvertrag|\bbail\b|huurovereenkomst|locazione|tenancy)"
    r"|(?P<invoice>\binvoice\b|rechnung\b|\bfacture\b|\bfattura\b|\bfactura\b|factuur)"
    r"|(?P<contract>agreement|contract\b|vertrag\b|\bcontrato?\b|contratto|overeenkomst|vereinbarung|amendment)"
)
DATED = re.compile(r"\bdated?\b|made on|made the|\bvom\b|\bden\b|fait à|\bdatum\b|\bdata\b|\bdel\b|\bissue\b|report")
MODAL = re.compile(
    r"\b(?:shall(?: not)?|must(?: not)?|(?:is|are) to|undertakes? to|agrees? to|will ensure|muss|müssen"
    r"|verpflichtet sich|s'engage à|doit|doivent|devra|deve|devono|si impegna a|moet|moeten|dient)\b"
)
SENTENCE_END = re.compile(r"(?<=[a-zß-ž)\"”»][.;!?])\s+(?=[A-ZÀ-Ž(\"“«0-9§*])")
PARAGRAPH_END = re.compile(r"\n\s*\n|\n(?=\s*(?:\d{1,2}(?:\.\d{1,2})*[.)]?\s|\([a-z0-9]{1,3}\)|[-*•#|§]))")
CLAUSE_NUMBER = re.compile(r"^\W*(?:\d{1,2}(?:\.\d{1,2})*[.)]?|[a-z]\))\s+", re.IGNORECASE)
BEFORE_LABEL = re.compile(r"[.;:,(]\s|\d[\d.,]*")


def _heading(page: Page) -> tuple[str | None, str | None]:
    """The heading that says what the document is, and that; else the first line: a part from the middle has none."""
    heads = [COLUMNS.split(line.clean.strip("#* _"), maxsplit=1)[0] for line in page.lines[:HEAD_LINES]]
    for text in heads:
        match = KIND.search(text.lower()[:50])
        if match is not None and (_is_heading(text) or text[: match.end()].isupper()):
            return text[:MAX_TITLE_CHARS], match.lastgroup
    return (heads[0] if heads and _is_heading(heads[0]) else None), None


def _is_heading(text: str) -> bool:
    return text[:1].isalpha() and len(text) <= MAX_TITLE_CHARS and not text.endswith((".", ",", ";", ":"))


def _dated(page: Page) -> date | None:
    """The date that a word for it stands before, near the start or the end."""
    lines = (*page.lines[: 2 * HEAD_LINES], *page.lines[-2 * HEAD_LINES :])
    first = ((line.folded[: one.start - line.start], one.day) for line in lines for one in line.dated[:1])
    return next((day for before, day in first if DATED.search(before)), None)


def _sentences(page: Page) -> Iterator[str]:
    for paragraph in PARAGRAPH_END.split(page.text)[:MAX_SENTENCES]:
        for sentence in SENTENCE_END.split(paragraph):
            yield " ".join(CLAUSE_NUMBER.sub("", sentence.strip()).split())


def _obligations(page: Page) -> list[dict[str, Any]]:
    """Who has to do what, by the verb between them."""
    found = []
    for text in _sentences(page):
        who, verb, what = MODAL.sub("\0", text, count=1).partition("\0")
        if verb and what.strip(" .;:,"):
            due = next((one.day for one in figures.dates(text, dollars=page.currency == "USD")), None)
            named = who.strip(" ,;:") if len(who) <= MAX_NAME_CHARS else None
            found.append({"who": named or None, "what": what.strip(" .;:,")[:MAX_TEXT_CHARS], "due": due})
    return found[:MOST]


def _summary(page: Page) -> str | None:
    """The first sentences that are prose, if there is a title: a part from the middle has neither."""
    prose = (text[:MAX_TEXT_CHARS] for text in _sentences(page) if text.count(" ") > 5 and text.endswith((".", ";")))
    return " ".join(islice(prose, 2)) or None if _heading(page)[0] else None


def _amounts(page: Page) -> list[dict[str, Any]]:
    """Sums with a currency, and the words before them on the line."""
    found = []
    for number in page.numbers:
        if number.marked and not number.percent and number.decimals <= 2:
            line = page.lines[page.line_at(number.start)]
            before = line.clean[: number.start - line.start]
            label = BEFORE_LABEL.split(before)[-1].strip(" .,;:-–(€$£¥|*")[-MAX_NAME_CHARS:]
            mark = words.MARK.search(page.folded[max(0, number.start - 4) : number.end + 6])
            currency = words.MARKS[mark[0]] if mark else page.currency
            found.append({"label": label or None, "value": number.value, "currency": currency})
    return found[:MOST]


FACTS: Mapping[str, Callable[[Page], Any]] = {  # by meaning; None or an empty list where a part does not say it
    "title": lambda page: _heading(page)[0], "kind": lambda page: _heading(page)[1],
    "dated": _dated, "dates": lambda page: list(dict.fromkeys(one.day for one in page.dated))[:MOST],
    "obligations": _obligations, "amounts": _amounts, "summary": _summary,
}  # fmt: skip
