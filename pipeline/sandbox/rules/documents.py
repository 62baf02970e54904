"""The facts of a contract, lease, report or minutes, or of a part of one. Pure.

Facts in lists are mappings by meaning, so that a schema may name its fields as it likes.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from pipeline.sandbox.rules import amounts, dates, words
from pipeline.sandbox.rules.page import COLUMNS, Page
from pipeline.sandbox.rules.parties import name_in

Fact = str | bool | int | Decimal | date
Entry = Mapping[str, Fact | None]

HEAD_LINES = 10
MOST = 30  # entries of one list
MAX_TITLE_CHARS = 120
MAX_TEXT_CHARS = 240
MAX_WHO_CHARS = 60
MAX_LABEL_CHARS = 60
MAX_SENTENCES = 2_000
MAX_PARTY_CHARS = 300  # between the start of a party's name and its role
EARLY_CHARS = 50  # of a heading, in which it says what the document is
KINDS = (  # by the words of a title, the surest first
    ("minutes", r"\bminutes\b|protokoll|\bverbale\b|procès-verbal|compte rendu|notulen|ordine del giorno"),
    ("incident_report", r"incident|accident|unfall|schaden(?:s?meldung|bericht)|ongeval"),
    ("inspection_report", r"inspection|prüfbericht|\bsurvey\b|ispezione|inspectie|keuring|audit report"),
    ("lease", r"\blease\b|mietvertrag|\bbail\b|huurovereenkomst|locazione|tenancy"),
    ("invoice", r"\binvoice\b|rechnung\b|\bfacture\b|\bfattura\b|\bfactura\b|factuur"),
    (
        "contract",
        r"agreement|contract\b|vertrag\b|\bcontrat\b|contratto|overeenkomst|vereinbarung|convention|amendment",
    ),
)
KIND_WORDS = re.compile("|".join(f"(?P<{kind}>{those})" for kind, those in KINDS))
ROLE = re.compile(
    r"[(\-–,] ?(?:hereinafter |nachfolgend |ci-après |the |di seguito |hierna (?:te noemen )?)*[\"“„«']"
    r" ?(?:the |le |la |l')?"
    r"(?P<role>[^\"“”„«»'\n]{3,30}?) ?[\"”“»']"
)
NAME_BEFORE_ROLE = re.compile(
    r"[.;:]\s|\b(?:between|and|und|et|e|en|die|der|the|de una parte|de otra parte|la société)\b,?|\(\d\)", re.IGNORECASE
)
PARTY_LINE = re.compile(
    r"^\W{0,6}(?P<role>customer|client|supplier|owner|hirer|landlord|tenant|lessor|lessee|company|contractor|inspector"
    r"|inspected by|prepared by|prepared for|written by|surveyors?|auftraggeber|auftragnehmer|prüfer|mieterin?"
    r"|vermieterin?|bailleur|preneur|opdrachtgever|inspecteur|committente|locatore|conduttore|chair|chairman|present"
    r"|secretary)\*{0,2} ?:\*{0,2} *(?P<name>[^\n]{2,120})$",
    re.MULTILINE | re.IGNORECASE,
)
PERSON_LINE = re.compile(
    r"^(?:[^\n:]{3,30}:)? *(?P<name>[A-ZÀ-Ž][\w'-]+(?: [A-ZÀ-Ž][\w'-]+){1,3}) \((?P<role>[a-z][^()\n]{3,60})\)$",
    re.MULTILINE,
)
DATED = re.compile(
    r"\bdated?\b|made on|made the|\bvom\b|\bden\b|fait à|\bdatum\b|\bdata\b|\bdate\b|\bdel\b|\bissue\b|report"
)
MODAL = re.compile(
    r"\b(?:shall(?: not)?|must(?: not)?|is to|are to|undertakes? to|agrees? to|is obliged to|will ensure"
    r"|muss|müssen|verpflichtet sich|ist verpflichtet|stellt bis|s'engage à|doit|doivent|devra|deve|devono|si impegna a"
    r"|moet|moeten|dient)\b"
)
SENTENCE_END = re.compile(
    r"(?:(?<=[a-zß-ž)\"”»][.;!?])|(?<=\d\d\d[.;]))(?<!\b[NnDM][or]\.)(?<!\bMs\.)(?<!\bArt\.)\s+(?=[A-ZÀ-Ž(\"“«0-9§*])"
)
CLAUSE_NUMBER = re.compile(
    r"^\W*(?:(?:§|article|clause|art\.)\s?)?(?:\d{1,2}(?:\.\d{1,2})*[.)]?|\([a-z0-9]{1,3}\)|[-*•])\s+", re.IGNORECASE
)
BEFORE_LABEL = re.compile(r"[.;:,(]\s|\d[\d.,]*")
LIST_START = re.compile(r"^\s*(?:\d{1,2}(?:\.\d{1,2})*[.)]?\s|\([a-z0-9]{1,3}\)|[-*•#|]|§)")


def document_of(page: Page) -> dict[str, object]:
    """The facts by meaning; what a part of a document does not say is None or an empty list."""
    title, kind = _title(page), _kind(page)
    dated = _dated(page)
    return {
        "title": title,
        "kind": kind,
        "parties": _parties(page),
        "dated": dated,
        "dates": [day for day in page.all_dates if day != dated][:MOST],
        "obligations": _obligations(page),
        "amounts": _amounts(page),
        "summary": _summary(page) if title else None,
    }


def _title(page: Page) -> str | None:
    """The first heading, if the text begins with one: a part from the middle has none."""
    heads = [line.clean.strip() for line in page.lines[:HEAD_LINES]]
    if not heads or (LIST_START.match(heads[0]) and not heads[0].startswith("#")):
        return None
    for text in heads:
        if _names_kind(text):
            return _heading(text)
    return _heading(heads[0]) if _is_heading(heads[0]) else None


def _names_kind(text: str) -> re.Match[str] | None:
    """The word for what the document is, where it stands early in a heading."""
    match = KIND_WORDS.search(text.lower(), 0, EARLY_CHARS)
    return match if match is not None and (_is_heading(text) or text[: match.end()].isupper()) else None


def _is_heading(text: str) -> bool:
    letters = [one for one in text if one.isalpha()]
    if not letters or len(text) > MAX_TITLE_CHARS:
        return False
    shouted = sum(one.isupper() for one in letters) > len(letters) // 2
    return text.startswith("#") or shouted or not text.endswith((".", ",", ";", ":"))


def _heading(text: str) -> str:
    text = COLUMNS.split(text.strip("#* _"), maxsplit=1)[0].strip()
    return text if len(text) <= MAX_TITLE_CHARS else text[:MAX_TITLE_CHARS].rpartition(" ")[0]


def _kind(page: Page) -> str | None:
    matches = (_names_kind(line.clean.strip()) for line in page.lines[:HEAD_LINES])
    return next((match.lastgroup for match in matches if match is not None), None)


def _dated(page: Page) -> date | None:
    """The date that a word for it stands before, near the start or the end."""
    for line in (*page.lines[: 2 * HEAD_LINES], *page.lines[-2 * HEAD_LINES :]):
        begin = 0
        for one in line.dated:
            if DATED.search(line.folded[begin : one.start - line.start]):
                return one.day
            begin = one.end - line.start
    return None


def _parties(page: Page) -> list[Entry]:
    found: dict[str, Entry] = {}
    last = 0
    for match in ROLE.finditer(page.clean):
        before = page.clean[max(last, match.start() - MAX_PARTY_CHARS) : match.start()]
        companies = list(words.COMPANY.finditer(before))
        last = match.end()
        if not companies:
            continue
        starts = [one.end() for one in NAME_BEFORE_ROLE.finditer(before, 0, companies[-1].start())]
        _add(found, before[starts[-1] if starts else 0 :].replace("\n", " "), match["role"])
    for pattern in (PARTY_LINE, PERSON_LINE):
        for match in pattern.finditer(page.clean):
            _add(found, match["name"], match["role"])
    return list(found.values())[:MOST]


def _add(found: dict[str, Entry], text: str, role: str) -> None:
    name = name_in(text)
    if name and name[0].isupper() and len(name) <= MAX_WHO_CHARS and ";" not in name:
        found.setdefault(name.lower(), {"name": name, "role": role.strip().lower()})


def _sentences(page: Page) -> Iterator[str]:
    """Sentences over the ends of lines, and rows of tables each for itself."""
    lines: list[str] = []
    last = -1
    count = 0
    for number, row in page.numbered:
        if lines and (number > last + 1 or LIST_START.match(row) or "   " in row.strip()):
            for sentence in SENTENCE_END.split(" ".join(lines)):
                count += 1
                yield sentence
            lines = []
        lines.append(row.strip())
        last = number
        if count > MAX_SENTENCES:
            return
    yield from SENTENCE_END.split(" ".join(lines))


def _obligations(page: Page) -> list[Entry]:
    found: list[Entry] = []
    for sentence in _sentences(page):
        if len(found) >= MOST:
            break
        text = CLAUSE_NUMBER.sub("", sentence.strip())
        match = MODAL.search(text)
        entry = _duty(page, text, match) if match else _action(page, text)
        if entry is not None:
            found.append(entry)
    return found


def _duty(page: Page, text: str, match: re.Match[str]) -> Entry | None:
    who = text[: match.start()].strip(" ,;:")
    what = " ".join(text[match.end() :].split()).strip(" .;:,")
    if not what:
        return None
    short = who if 0 < len(who) <= MAX_WHO_CHARS else None
    return {"who": short, "what": what[:MAX_TEXT_CHARS], "due": _day_in(page, text)}


def _action(page: Page, text: str) -> Entry | None:
    """A row of a list of actions: what, who, by when."""
    cells = [cell.strip() for cell in COLUMNS.split(text) if cell.strip()]
    if len(cells) < 3:
        return None
    due = _day_in(page, cells[-1])
    told = [cell for cell in cells[:-1] if sum(one.isalpha() for one in cell) > 3]
    if due is None or len(cells[-1]) > 24 or len(told) < 2:
        return None
    return {"who": told[-1][:MAX_WHO_CHARS], "what": told[0][:MAX_TEXT_CHARS], "due": due}


def _day_in(page: Page, text: str) -> date | None:
    return next((one.day for one in dates.find(text, dollars=page.currency == "USD")), None)


def _amounts(page: Page) -> list[Entry]:
    found: dict[tuple[str | None, Decimal], Entry] = {}
    for number in page.spaced_numbers:
        if not number.marked or number.percent or number.decimals > 2 or len(found) >= MOST:
            continue
        line = page.lines[page.line_at(number.start)]
        label = _label(line.clean, number.start - line.start)
        mark = words.MARK.search(page.folded[max(0, number.start - 4) : number.end + 6])
        currency = words.MARKS[mark[0]] if mark else page.currency
        found.setdefault((label, number.value), {"label": label, "value": number.value, "currency": currency})
    return list(found.values())


def _label(line: str, at: int) -> str | None:
    """The words before an amount: the first cell of a row, or the end of the clause that leads to it."""
    cells = COLUMNS.split(line[:at].strip())
    first = CLAUSE_NUMBER.sub("", cells[0]).strip() if len(cells) > 1 else ""
    text = first or BEFORE_LABEL.split(line[:at])[-1]
    text = text.strip(" .,;:-–(€$£¥|*")
    for code in amounts.CODES:
        text = text.removesuffix(code).strip()
    if len(text) > MAX_LABEL_CHARS:
        text = text[-MAX_LABEL_CHARS:].partition(" ")[2]
    return text if any(one.isalpha() for one in text) else None


def _summary(page: Page) -> str | None:
    """The first sentences that are prose."""
    told: list[str] = []
    for sentence in _sentences(page):
        text = " ".join(CLAUSE_NUMBER.sub("", sentence).split())
        if len(text) > 40 and text.endswith((".", ";")) and text.count(" ") > 5:
            told.append(text[:MAX_TEXT_CHARS])
        if len(told) == 2:
            break
    return " ".join(told) or None
