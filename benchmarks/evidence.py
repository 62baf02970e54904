"""How well values are found in their texts: `python benchmarks/evidence.py FOLDER`, best with ZUGFeRD/corpus.

True values: the XML in an e-invoice, against the text of its page; `sample_data/` with its records; and made-up invoices
whose places are known. False ones: one digit, letter, word or date of a true value changed, one value at a time.
A value counts as printed where a looser look than the aligner's finds its digits or all of its words.
"""

import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from pipeline.extraction.evidence import Leaf, Source, align, prepared
from pipeline.reader.einvoice import facts_of
from pipeline.reader.pool import Readers
from pipeline.reader.read import Read, ReadOptions

FOUND = {"exact", "normalised", "fuzzy", "derived"}
NUMBER = {"type": "string", "format": "decimal"}
DAY = {"type": "string", "format": "date"}
TEXT = {"type": "string"}
PARTY = {"type": "object", "properties": dict.fromkeys(("name", "vat_id", "street", "postcode", "city"), TEXT)}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "number": TEXT, "issued_on": DAY, "due_on": DAY, "delivered_on": DAY, "currency": TEXT, "order_number": TEXT,
        "seller": PARTY, "buyer": PARTY, "seller_iban": TEXT,
        "line_total": NUMBER, "net": NUMBER, "tax": NUMBER, "gross": NUMBER, "payable": NUMBER,
        "taxes": {"type": "array", "items": {"type": "object", "properties": dict.fromkeys(("rate", "net", "tax"), NUMBER)}},
        "lines": {"type": "array", "items": {"type": "object", "properties": {
            "description": TEXT, **dict.fromkeys(("quantity", "unit_price", "net", "tax_rate"), NUMBER)}}},
    },
}  # fmt: skip
IDS = {"number", "order_number", "vat_id", "seller_iban", "postcode"}
SMALL = {"quantity", "rate", "tax_rate"}


class Document(Struct, frozen=True):
    name: str
    text: str
    record: Mapping[str, Any]


class Tally(Struct):
    """By kind of value."""

    values: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    printed: Counter[str] = field(default_factory=Counter)
    printed_found: Counter[str] = field(default_factory=Counter)
    several: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)  # accepted, and printed: of another value


def main(folder: Path) -> None:
    documents = list(_invoices(folder))
    ready = prepared(SCHEMA)
    _table(f"{len(documents)} invoices with XML", documents, ready)
    _speed(documents, ready)


def _invoices(folder: Path) -> Iterator[Document]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".pdf")
    with Readers(ReadOptions()) as readers:
        for path, read in zip(paths, readers.read_many([(str(path), "") for path in paths]), strict=True):
            facts = (
                next((one for xml in read.embedded if (one := facts_of(xml.xml))), None)
                if isinstance(read, Read)
                else None
            )
            text = "\f".join(page.text for piece in read.pieces for page in piece.pages) if facts else ""
            if facts and len(text) > 200:
                yield Document(path.name, text, _record(facts))


def _record(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without codes of units, kinds and countries, which pages have words for."""
    party = {
        who: {key.removeprefix(f"{who}_"): value for key, value in facts.items() if key.startswith(f"{who}_")}
        for who in ("seller", "buyer")
    }
    return {
        key: party[key] and {one: value for one, value in party[key].items() if one in PARTY["properties"]}
        if key in party
        else [{one: value for one, value in item.items() if one not in {"unit", "category"}} for item in facts[key]]
        if key in {"taxes", "lines"}
        else facts[key]
        for key in SCHEMA["properties"]
        if key in party or facts.get(key)
    }


def _table(title: str, documents: list[Document], ready) -> None:
    tally = Tally()
    for number, document in enumerate(documents):
        _judge(document, ready, tally, random.Random(number))
    print(title)
    print(
        f"{'':10}{'values':>7}{'found':>8}{'printed':>9}{'of these':>10}{'several':>9}{'false':>7}{'accepted':>10}{'elsewhere':>11}"
    )
    for kind in ("amounts", "small", "dates", "names", "ids", "currency", ""):
        _line(kind, tally)


def _line(kind: str, tally: Tally) -> None:
    def of(counter: Counter[str]) -> int:
        return counter[kind] if kind else sum(count for name, count in counter.items() if name != "currency")

    def share(part: int, whole: int) -> str:
        return f"{100 * part / (whole or 1):.1f}%"

    values, printed, false = of(tally.values), of(tally.printed), of(tally.false)
    print(
        f"{kind or 'all':10}{values:7}{share(of(tally.found), values):>8}{share(printed, values):>9}"
        f"{share(of(tally.printed_found), printed):>10}{share(of(tally.several), of(tally.found)):>9}{false:7}"
        f"{share(of(tally.accepted), false):>10}{of(tally.elsewhere):11}"
    )


def _judge(document: Document, ready, tally: Tally, chance: random.Random) -> None:
    squeezed = re.sub(r"\s", "", document.text).casefold()
    words = set(re.findall(r"[^\W_]+", document.text.casefold()))
    true = {
        re.sub(r"\W", "", str(leaf.value)).casefold() for leaf in align(ready, document.record, Source(document.text))
    }
    for leaf in align(ready, document.record, Source(document.text)):
        kind, is_found = _kind(leaf), leaf.status in FOUND
        is_printed = _is_printed(leaf, document.text, squeezed, words)
        tally.values[kind] += 1
        tally.found[kind] += is_found
        tally.printed[kind] += is_printed
        tally.printed_found[kind] += is_printed and is_found
        tally.several[kind] += is_found and leaf.places > 1
        if VERBOSE and not is_found:
            print(
                "MISS" if is_printed else "miss",
                document.name[:50],
                leaf.path,
                repr(leaf.value),
                leaf.status,
                leaf.places,
            )
        false = _falsified(leaf, chance)
        if false is None or kind == "currency":
            continue
        record = _with(document.record, leaf.path, false)
        judged = next(one for one in align(ready, record, Source(document.text)) if one.path == leaf.path)
        tally.false[kind] += 1
        if judged.status in FOUND:
            tally.accepted[kind] += 1
            tally.elsewhere[kind] += re.sub(r"\W", "", false).casefold() in true
            if VERBOSE:
                print(
                    "FALSE",
                    document.name[:50],
                    leaf.path,
                    repr(leaf.value),
                    "->",
                    repr(false),
                    judged.status,
                    repr(judged.quote),
                )


def _kind(leaf: Leaf) -> str:
    name = leaf.path.rpartition(".")[2]
    if leaf.kind != "text":
        return "dates" if leaf.kind == "date" else "small" if name in SMALL else "amounts"
    return "currency" if name == "currency" else "ids" if name in IDS else "names"


def _is_printed(leaf: Leaf, text: str, squeezed: str, words: set[str]) -> bool:
    if leaf.kind == "number":
        whole, _, part = f"{abs(float(leaf.value)):.6f}".rstrip("0").partition(".")
        separated = r"[.,'’ \u00a0]?".join(whole)
        return bool(
            re.search(rf"(?<!\d){separated}" + (rf" ?[.,] ?{part}0*(?!\d)" if part else r"(?:[.,]0+)?(?!\d)"), text)
        )
    if leaf.kind == "date":
        day = date.fromisoformat(leaf.value)
        marked = (
            "%d.%m.%Y",
            "%d.%m.%y",
            "%Y-%m-%d",
            "%d/%m/%Y",
            "%m/%d/%Y",
            "%d-%m-%Y",
            "%Y/%m/%d",
            "%Y%m%d",
            "%d/%m/%y",
        )
        plain = {f"{day.day}.{day.month}.{day.year}", f"{day.day}/{day.month}/{day.year}"}
        worded = re.search(rf"(?<!\d){day.day}\W?\w{{0,4}}(?:{day:%b}|[a-zäéû]{{3,9}})\W?{day.year}", squeezed)
        return bool(worded) or any(form in squeezed for form in {*plain, *(day.strftime(one) for one in marked)})
    said = str(leaf.value).casefold()
    return re.sub(r"\s", "", said) in squeezed or set(re.findall(r"[^\W_]+", said)) <= words


def _falsified(leaf: Leaf, chance: random.Random) -> str | None:
    """One digit, letter, word or date changed."""
    said = str(leaf.value)
    if leaf.kind == "date":
        return str(date.fromisoformat(said) + timedelta(days=chance.choice([-30, -7, -1, 1, 7, 30])))
    digits = [place for place, char in enumerate(said) if char.isdigit()]
    if leaf.kind == "number":
        digits = [place for place in digits if "." not in said or place <= said.index(".") + 2] or digits
    letters = [place for place, char in enumerate(said) if char.isalpha()]
    spots = digits if leaf.kind == "number" or (digits and _kind(leaf) == "ids") else letters or digits
    if not spots:
        return None
    words = said.split()
    if leaf.kind == "text" and len(words) > 1 and _kind(leaf) == "names" and chance.random() < 0.3:
        place = chance.randrange(len(words))
        return " ".join([*words[:place], chance.choice(["Falsum", "Other", "Neumann"]), *words[place + 1 :]])
    place = chance.choice(spots)
    others = "0123456789" if said[place].isdigit() else "abcdefghijklmnopqrstuvwxyz"
    other = chance.choice([one for one in others if one != said[place].lower()])
    return said[:place] + other + said[place + 1 :]


def _with(record: Any, path: str, value: str) -> Any:
    head, _, rest = path.replace("[", ".[").lstrip(".").partition(".")
    if head.startswith("["):
        place = int(head[1:-1])
        return (
            [_with(one, rest, value) if number == place else one for number, one in enumerate(record)]
            if rest
            else value
        )
    return {**record, head: _with(record[head], rest, value) if rest else value}


def _speed(documents: list[Document], ready) -> None:
    size = sum(len(document.text.encode()) for document in documents) / 1024
    leaves = 0
    began = time.process_time()
    for document in documents:
        leaves += len(align(ready, document.record, Source(document.text)))
    spent = (time.process_time() - began) * 1000
    print(
        f"{spent / size:.2f} ms of CPU a KB, {spent / len(documents):.1f} ms a document, {spent / leaves * 1000:.0f} us a leaf; 0 tokens"
    )


VERBOSE = "-v" in sys.argv
if __name__ == "__main__":
    main(Path(sys.argv[1]))
