"""How well and how fast PDFs are read: `python benchmarks/reading.py FOLDER`, best with the invoices of ZUGFeRD/corpus.

The XML inside an e-invoice says what its page says: values of its head that are found in the text, and line items whose
name and amount stand in one line of it, by our rows and by pdfium's own order. Then pages per CPU second, children
included; start and memory of a reader; drawing and cutting.
"""

import os
import re
import resource
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from xml.etree import ElementTree as ET

from common import peak_mb
from msgspec import Struct

from pipeline.parts import FilePart
from pipeline.reader.pool import Readers
from pipeline.reader.read import Read, ReadOptions

PAGES_TIMED = 2000
NAME_CHARS = 12  # of an item's name: the rest may be wrapped
AMOUNT = re.compile(r"\d[\d.,' \u00a0\u202f]*\d|\d")
HEAD = (
    "ExchangedDocument/ID",
    "HeaderExchangedDocument/ID",
    "ExchangedDocument/IssueDateTime/DateTimeString",
    "SellerTradeParty/Name",
    "BuyerTradeParty/Name",
    "BuyerTradeParty/PostalTradeAddress/CityName",
    "SellerTradeParty/PostalTradeAddress/CityName",
    "SpecifiedTradeSettlementHeaderMonetarySummation/GrandTotalAmount",
    "SpecifiedTradeSettlementHeaderMonetarySummation/TaxBasisTotalAmount",
    "SpecifiedTradeSettlementMonetarySummation/GrandTotalAmount",
    "SpecifiedTradeSettlementMonetarySummation/TaxBasisTotalAmount",
    "PayeePartyCreditorFinancialAccount/IBANID",
)


class Found(Struct):
    """Of what is labelled, what was found."""

    head: int = 0
    head_found: int = 0
    items: int = 0
    items_whole: int = 0


def main(folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".pdf")
    with Readers(ReadOptions()) as readers:
        began = time.perf_counter()
        reads = readers.read_many([(str(path), "") for path in paths])
        print(f"{len(paths)} files in {time.perf_counter() - began:.1f} s")
        good = [(path, read) for path, read in zip(paths, reads, strict=True) if isinstance(read, Read)]
        for path, read in zip(paths, reads, strict=True):
            if not isinstance(read, Read):
                print(f"  {path.relative_to(folder)}: {read}")
    _quality(good)
    _speed([path for path, read in good if read.pages == 1 and read.pieces[0].pages[0].facts.chars > 300])
    _start(paths[0])
    _pictures(good)


def _quality(good: list[tuple[Path, Read]]) -> None:
    ours, plain = Found(), Found()
    for path, read in good:
        for embedded in read.embedded[:1]:
            _judge(embedded.xml, "\n".join(page.text for page in read.pieces[0].pages), ours)
            _judge(embedded.xml, _plain(path), plain)
    for name, found in (("rows", ours), ("pdfium's order", plain)):
        head, items = 100 * found.head_found / (found.head or 1), 100 * found.items_whole / (found.items or 1)
        print(f"{name}: {head:.1f} % of {found.head} head values, {items:.1f} % of {found.items} items whole")


def _judge(xml: bytes, text: str, found: Found) -> None:
    try:
        root = ET.fromstring(xml)
    except ET.ParseError:
        return
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    squeezed, amounts = _squeezed(text), _amounts(text)
    for value in {node.text.strip() for path in HEAD for node in root.iterfind(f".//{path}") if node.text}:
        found.head += 1
        found.head_found += any(form in squeezed for form in _forms(value)) or _amount(value) in amounts
    lines = [(_squeezed(line), _amounts(line)) for line in text.split("\n")]
    for name, amount in _items(root):
        found.items += 1
        found.items_whole += any(name in line and amount in numbers for line, numbers in lines)


def _items(root: ET.Element) -> Iterator[tuple[str, float]]:
    for item in root.iter("IncludedSupplyChainTradeLineItem"):
        name = item.findtext(".//SpecifiedTradeProduct/Name") or ""
        amount = _amount(item.findtext(".//LineTotalAmount") or "")
        if name.strip() and amount is not None:
            yield _squeezed(name)[:NAME_CHARS], amount


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def _forms(value: str) -> Iterator[str]:
    yield _squeezed(value)
    if re.fullmatch(r"\d{8}", value):
        year, month, day = value[:4], value[4:6], value[6:]
        yield from (
            f"{day}.{month}.{year}",
            f"{day}/{month}/{year}",
            f"{year}-{month}-{day}",
            f"{day}.{month}.{year[2:]}",
        )


def _amount(text: str) -> float | None:
    digits = re.sub(r"[' \u00a0\u202f]", "", text.strip())
    if match := re.fullmatch(r"([\d.,]*?)[.,](\d{2,4})|([\d.,]+)", digits):
        whole, cents, alone = match.groups()
        number = re.sub(r"\D", "", alone) if alone else f"{re.sub(r'[.,]', '', whole) or 0}.{cents}"
        return round(float(number), 2) if number else None
    return None


def _amounts(text: str) -> set[float | None]:
    return {_amount(piece) for match in AMOUNT.findall(text) for piece in (match, *match.split(" "))} - {None}


def _plain(path: Path) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    return "\n".join(page.get_textpage().get_text_bounded() for page in document).replace("\r\n", "\n")


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _speed(paths: list[Path]) -> None:
    files = [(str(path), "") for path in islice(cycle(paths), PAGES_TIMED)]
    before, began = _cpu(), time.perf_counter()
    with Readers(ReadOptions()) as readers:
        readers.read_many(files)
    cpu, wall = _cpu() - before, time.perf_counter() - began
    print(f"{len(files)} pages: {len(files) / cpu:.0f} a CPU second, {len(files) / wall:.0f} a second")


def _start(path: Path) -> None:
    before, began = _cpu(), time.perf_counter()
    with Readers(ReadOptions()) as readers:
        readers.read(str(path))
        wall = time.perf_counter() - began
        peak = max(peak_mb(process.pid) for process in readers._alive)  # noqa: SLF001
    print(f"a reader: first file after {wall:.2f} s, {_cpu() - before:.2f} s of CPU, {peak:.0f} MB")


def _pictures(good: list[tuple[Path, Read]]) -> None:
    with Readers(ReadOptions()) as readers:
        parts = [_part(path, read) for path, read in good if read.pages > 1][:20]
        for name, forms in (
            ("drawn at 1300 px", [_part(path, read, px=1300) for path, read in good[:40]]),
            ("cut out, one page", parts),
        ):
            readers.load(forms[0])
            began = time.perf_counter()
            sizes = [len(readers.load(part)) for part in forms]
            each = (time.perf_counter() - began) / len(sizes)
            print(f"{name}: {each * 1000:.1f} ms, {sum(sizes) / len(sizes) / 1000:.0f} KB")


def _part(path: Path, read: Read, px: int = 0) -> FilePart:
    return FilePart("application/pdf", read.digest, "document", 0, first=1, last=1, px=px, path=os.fspath(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
