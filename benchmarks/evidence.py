"""How well values are found in their texts: `python benchmarks/evidence.py FOLDER`, best with ZUGFeRD/corpus.

True values: the XML in an e-invoice, against the text of its page; `sample_data/` with its records; made-up invoices
whose places are known. False ones: one digit, letter, word or date of a true value changed, one value at a time.
A value counts as printed where a looser look than the aligner's finds its digits or all of its words.
"""

import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evidence_made import made
from evidence_places import RIGHT
from evidence_truth import falsified, is_printed, kind_of, with_value
from msgspec import Struct, field

from pipeline.extraction.evidence import Leaf, Prepared, Source, align, prepared, ungrounded
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
        "taxes": {"type": "array", "items": {"type": "object", "properties": {
            **dict.fromkeys(("rate", "net", "tax"), NUMBER)}}},
        "lines": {"type": "array", "items": {"type": "object", "properties": {
            "description": TEXT, **dict.fromkeys(("quantity", "unit_price", "net", "tax_rate"), NUMBER)}}},
    },
}  # fmt: skip
SAMPLE_NAMES = ("kind", "supplier", "invoice_number", "currency")
SAMPLES: dict[str, Any] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(SAMPLE_NAMES, TEXT), **dict.fromkeys(("issued_on", "due_on"), DAY),
        "kind": {"enum": ["invoice", "credit_note", "receipt"]}, "line_amounts": {"type": "array", "items": NUMBER},
        **dict.fromkeys(("net_total", "tax_total", "gross_total"), NUMBER), "prices_include_tax": {"type": "boolean"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {
            "description": TEXT, **dict.fromkeys(("quantity", "unit_price", "amount"), NUMBER)}}},
    },
}  # fmt: skip
SAMPLE_DATA = Path(__file__).parent.parent / "sample_data"
MADE, FEWEST_CHARS, TIMED = 300, 200, 5


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
    with Readers(ReadOptions()) as readers:
        documents = list(_invoices(folder, readers))
        samples = list(_samples(readers))
    ready = prepared(SCHEMA)
    _table(f"{len(documents)} invoices with XML", documents, ready)
    strangers = [one for one in documents if _of(one, ready, "number").status not in FOUND]
    _table(
        f"without {len(strangers)} whose XML has another number than the page",
        [one for one in documents if one not in strangers],
        ready,
    )
    _table(f"{len(samples)} samples", samples, prepared(SAMPLES))
    known = [one for one in documents if one not in strangers]
    _reviewed([*((one, ready) for one in known), *((one, prepared(SAMPLES)) for one in samples)])
    _made_places(ready)
    _checked_places(documents, ready)
    _speed(documents, ready)


def _invoices(folder: Path, readers: Readers) -> Iterator[Document]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".pdf")
    for path, read in zip(paths, readers.read_many([(str(path), "") for path in paths]), strict=True):
        embedded = read.embedded if isinstance(read, Read) else ()
        facts = next((one for xml in embedded if (one := facts_of(xml.xml))), None)
        text = _text(read)
        if facts and len(text) > FEWEST_CHARS:
            yield Document(path.name, text, _record(facts))


def _samples(readers: Readers) -> Iterator[Document]:
    texts = {row["id"]: row["text"] for row in _rows("invoices.jsonl")}
    for row in _rows("invoices_expected.jsonl"):
        yield Document(
            row["id"], str(texts.get(row["id"]) or ""), {key: value for key, value in row.items() if key != "id"}
        )
    for row in _rows("invoices_pdf_expected.jsonl"):
        path = SAMPLE_DATA / "invoices_pdf" / row["id"]
        text = _text(readers.read_many([(str(path), "")])[0]) if row["record"] and path.suffix == ".pdf" else ""
        if len(text) > FEWEST_CHARS:
            yield Document(row["id"], text, row["record"])


def _rows(name: str) -> Iterator[dict[str, Any]]:
    for line in (SAMPLE_DATA / name).read_bytes().split(b"\n"):
        with suppress(json.JSONDecodeError):  # one sample is broken, on purpose
            yield json.loads(line)


def _text(read: Any) -> str:
    return "\f".join(page.text for piece in read.pieces for page in piece.pages) if isinstance(read, Read) else ""


def _of(document: Document, ready: Prepared, path: str) -> Leaf:
    leaves = align(ready, document.record, Source(document.text))
    return next((one for one in leaves if one.path == path), leaves[0])


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


def _table(title: str, documents: list[Document], ready: Prepared) -> None:
    tally = Tally()
    for document in documents:
        _judge(document, ready, tally, random.Random(document.name))
    print(title)
    heads = ("values", "found", "printed", "of these", "several", "false", "accepted", "elsewhere")
    print(" " * 10 + "".join(head.rjust(len(head) + 2) for head in heads))
    for kind in ("amounts", "small", "dates", "names", "ids", "currency", ""):
        _line(kind, tally)


def _line(kind: str, tally: Tally) -> None:
    def of(counter: Counter[str]) -> int:
        return counter[kind] if kind else sum(count for name, count in counter.items() if name != "currency")

    def share(part: int, whole: int) -> str:
        return f"{100 * part / (whole or 1):.1f}%"

    values, printed, false = of(tally.values), of(tally.printed), of(tally.false)
    print(
        f"{kind or 'all':10}{values:8}{share(of(tally.found), values):>7}{share(printed, values):>9}"
        f"{share(of(tally.printed_found), printed):>10}{share(of(tally.several), of(tally.found)):>9}{false:7}"
        f"{share(of(tally.accepted), false):>10}{of(tally.elsewhere):11}"
    )


def _judge(document: Document, ready: Prepared, tally: Tally, chance: random.Random) -> None:
    squeezed = re.sub(r"\s", "", document.text).casefold()
    words = set(re.findall(r"[^\W_]+", document.text.casefold()))
    true = {
        re.sub(r"\W", "", str(leaf.value)).casefold() for leaf in align(ready, document.record, Source(document.text))
    }
    for leaf in align(ready, document.record, Source(document.text)):
        if leaf.kind in {"bool", "enum"}:
            continue
        kind, is_found = kind_of(leaf), leaf.status in FOUND
        printed = is_printed(leaf, document.text, squeezed, words)
        tally.values[kind] += 1
        tally.found[kind] += is_found
        tally.printed[kind] += printed
        tally.printed_found[kind] += printed and is_found
        tally.several[kind] += is_found and leaf.places > 1
        if VERBOSE and not is_found:
            print(
                "MISS" if printed else "miss",
                document.name[:50],
                leaf.path,
                repr(leaf.value),
                leaf.status,
                leaf.places,
            )
        if kind != "currency":
            _judge_false(document, leaf, (ready, tally, true), chance)


def _judge_false(document: Document, leaf: Leaf, held: tuple[Prepared, Tally, set[str]], chance: random.Random) -> None:
    """`held`: what it is held against; the last are all true values of the document."""
    ready, tally, true = held
    false, kind = falsified(leaf, chance), kind_of(leaf)
    if false is None:
        return
    record = with_value(document.record, leaf.path, false)
    judged = next(one for one in align(ready, record, Source(document.text)) if one.path == leaf.path)
    tally.false[kind] += 1
    if judged.status in FOUND:
        tally.accepted[kind] += 1
        tally.elsewhere[kind] += re.sub(r"\W", "", false).casefold() in true
        if VERBOSE:
            print("FALSE", document.name[:50], leaf.path, repr(leaf.value), "->", repr(false), repr(judged.quote))


def _reviewed(documents: list[tuple[Document, Prepared]]) -> None:
    """Whole records, right and with one value falsified: how many a person is asked to look at for their evidence."""
    chance, flagged, caught = random.Random(1), 0, 0
    for document, ready in documents:
        leaves = align(ready, document.record, Source(document.text))
        flagged += bool(ungrounded(leaves))
        judged = [leaf for leaf in leaves if leaf.status in FOUND and kind_of(leaf) != "currency"]
        changes = ((leaf.path, falsified(leaf, chance)) for leaf in chance.sample(judged, len(judged)))
        path, false = next((one for one in changes if one[1] is not None), ("", None))
        if false is not None:
            record = with_value(document.record, path, false)
            caught += bool(ungrounded(align(ready, record, Source(document.text))))
    rows, precision = len(documents), 100 * caught / ((caught + flagged) or 1)
    print(
        f"needs_review by evidence alone: {caught} of {rows} records with a false value ({100 * caught / rows:.1f}%), "
        f"{flagged} of {rows} right ones; precision {precision:.1f}% where every other record has a false value"
    )


def _made_places(ready: Prepared) -> None:
    """Of values that stand several times, how many have the place where we put them."""
    several, wrong = 0, Counter[str]()
    for number in range(MADE):
        text, record, places = made(number)
        for leaf in align(ready, record, Source(text)):
            start, end = places.get(leaf.path, (0, 0))
            if leaf.places > 1:
                several += 1
                is_right = leaf.start is not None and leaf.end is not None and leaf.start < end and start < leaf.end
                wrong[re.sub(r"\[\d+\]", "[]", leaf.path)] += not is_right
    _places(f"{MADE} made-up invoices", several, wrong)


def _checked_places(documents: list[Document], ready: Prepared) -> None:
    """The same of values whose place was checked by eye: what stands before them in their line."""
    several, wrong = 0, Counter[str]()
    for document in documents:
        leaves = align(ready, document.record, Source(document.text)) if document.name in RIGHT else ()
        for leaf in leaves:
            if (right := RIGHT[document.name].get(leaf.path)) is not None:
                before = document.text[: leaf.start or 0].rpartition("\n")[2]
                several += 1
                wrong[leaf.path] += not (
                    " ".join(before.split()).endswith(right) and bool(right) == bool(before.strip())
                )
    _places("checked by eye", several, wrong)


def _places(title: str, several: int, wrong: Counter[str]) -> None:
    causes = ", ".join(f"{path} {count}" for path, count in wrong.most_common() if count) or "none"
    share = 100 * (1 - wrong.total() / (several or 1))
    print(f"right place of several, {title}: {share:.1f}% of {several}; wrong: {causes}")


def _speed(documents: list[Document], ready: Prepared) -> None:
    size = sum(len(document.text.encode()) for document in documents) / 1024
    leaves, spent = 0, 0.0
    for document in documents:
        source, best = Source(document.text), 1e9
        for _ in range(TIMED):
            began = time.process_time()
            found = align(ready, document.record, source)
            best = min(best, time.process_time() - began)
        leaves, spent = leaves + len(found), spent + best * 1000
    each = f"{spent / len(documents):.1f} ms a document, {spent / leaves * 1000:.0f} us a leaf"
    print(f"{spent / size:.2f} ms of CPU a KB, {each}; 0 tokens")


VERBOSE = "-v" in sys.argv
if __name__ == "__main__":
    main(Path(sys.argv[1]))
