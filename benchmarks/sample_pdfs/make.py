"""Writes `sample_data/invoices_pdf/`: a small accounts-payable folder with all that such folders hold, and its truth.

The same bytes every time (with the versions in constraints.txt). Needs reportlab, pypdf, cryptography and pillow.

python benchmarks/sample_pdfs/make.py [FOLDER]     FOLDER/invoices_pdf/… and FOLDER/invoices_pdf_expected.jsonl
"""

import hashlib
import io
import json
import sys
from itertools import count
from pathlib import Path
from unittest.mock import patch

import papers
from cii import XMP, xml_of
from layouts import first_of_two, one_after_another, second_of_two, three_columns
from others import docx, mail, xlsx
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject, StreamObject
from sheets import PdfSheet, Picture

FOLDER = Path(__file__).parents[2] / "sample_data"
USER_PASSWORD, OWNER_PASSWORD = "secret", "owner"


def drawn(paper, sheet=None, layout=one_after_another):
    sheet = sheet or PdfSheet(paper.language)
    layout(sheet, paper)
    return sheet.finished()


def joined(*pdfs, change=None):
    """One file of all pages, as pypdf writes it; `change` has the last word."""
    writer = PdfWriter()
    for pdf in pdfs:
        writer.append(io.BytesIO(pdf))
    writer.metadata = None
    if change:
        change(writer)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def e_invoice(paper, xml):
    """With factur-x.xml attached, named as an alternative to the page, and told of in the metadata."""

    def change(writer):
        attached = writer.add_attachment("factur-x.xml", xml)
        told = attached.pdf_object
        told[NameObject("/AFRelationship")] = NameObject("/Alternative")
        add = writer._add_object  # noqa: SLF001 (pypdf has no other way)
        writer.root_object[NameObject("/AF")] = ArrayObject([told.indirect_reference or add(told)])
        metadata = StreamObject()
        metadata.set_data(XMP.encode())
        metadata.update({NameObject("/Type"): NameObject("/Metadata"), NameObject("/Subtype"): NameObject("/XML")})
        writer.root_object[NameObject("/Metadata")] = add(metadata)

    return joined(drawn(paper), change=change)


def encrypted(paper, user):
    """AES-256. Its salts and vectors are no chance here, for the file protects nothing."""
    numbers = count()

    def token_bytes(size):
        return hashlib.shake_256(f"{paper.number} {next(numbers)}".encode()).digest(size)

    def change(writer):
        writer.encrypt(user, OWNER_PASSWORD, algorithm="AES-256")

    with patch("secrets.token_bytes", token_bytes), patch("os.urandom", token_bytes):
        return joined(drawn(paper), change=change)


def with_ocr(paper):
    """The words lie under the picture, unseen, where OCR found them."""
    scan = drawn(paper, Picture(askew=-0.4, specks=300))
    words = PdfReader(io.BytesIO(drawn(paper, PdfSheet(invisible=True)))).pages[0]
    return joined(scan, change=lambda writer: writer.pages[0].merge_page(words))


def half_scanned(paper):
    return joined(drawn(paper, layout=first_of_two), drawn(paper, Picture(askew=0.6, specks=200), layout=second_of_two))


def files():
    """Name → (bytes, the paper or why it cannot be read, what it is there for)."""
    p = papers
    yield "01-de.pdf", drawn(p.GERMAN), p.GERMAN, "text; due by a term, not a date"
    yield "02-en.pdf", drawn(p.ENGLISH), p.ENGLISH, "text; a discount line, two tax rates"
    yield "03-fr.pdf", drawn(p.FRENCH), p.FRENCH, "text; blanks between thousands, part of an hour"
    yield "04-es.pdf", drawn(p.SPANISH), p.SPANISH, "text; tax withheld below the total"
    yield "05-it.pdf", drawn(p.ITALIAN), p.ITALIAN, "text; two tax rates"
    yield "06-nl.pdf", drawn(p.DUTCH), p.DUTCH, "text; tax owed by the customer"
    yield "07-ja.pdf", drawn(p.JAPANESE), p.JAPANESE, "text in a font that is not embedded; no decimals"
    yield "08-two-pages.pdf", drawn(p.LONG), p.LONG, "a table over two pages, with a sum carried forward"
    yield "09-three-columns.pdf", drawn(p.PHONE, layout=three_columns), p.PHONE, "items down three columns"
    yield "10-on-its-side.pdf", drawn(p.TURNED, PdfSheet(rotate=90)), p.TURNED, "/Rotate 90, and lies on its side"
    yield "11-sideways.pdf", drawn(p.SIDEWAYS, PdfSheet(turned=True)), p.SIDEWAYS, "content turned, no /Rotate"
    yield (
        "12-landscape.pdf",
        drawn(p.LANDSCAPE, PdfSheet(turned=True, rotate=90)),
        p.LANDSCAPE,
        "turned both ways: upright",
    )
    yield "13-credit-note.pdf", drawn(p.CREDIT), p.CREDIT, "a credit note: amounts below zero"
    yield "14-zugferd.pdf", e_invoice(p.E_INVOICE, xml_of(p.E_INVOICE)), p.E_INVOICE, "XML inside, as the page"
    yield "15-xml-differs.pdf", e_invoice(p.DIFFERS, xml_of(p.XML_OF_DIFFERS)), p.DIFFERS, "XML unlike the page"
    yield "16-scan.pdf", drawn(p.SCAN, Picture(askew=0.7, specks=400)), p.SCAN, "a picture, gray and askew"
    yield "17-fax.pdf", drawn(p.FAX, Picture(dpi=200, askew=-0.3, black=True)), p.FAX, "a picture in two colours"
    yield "18-ocr-layer.pdf", with_ocr(p.OCR), p.OCR, "a scan with text that is not seen"
    yield (
        "19-half-scanned.pdf",
        half_scanned(p.HALF_SCANNED),
        p.HALF_SCANNED,
        "page 1 text, page 2 a scan with the sums",
    )
    yield "20-password.pdf", encrypted(p.LOCKED, USER_PASSWORD), "password", f"opens with `{USER_PASSWORD}` only"
    yield "21-owner-password.pdf", encrypted(p.OWNED, ""), p.OWNED, "encrypted, and opens without a password"
    yield "22-cut-off.pdf", drawn(p.CUT)[:900], "damaged", "the first 900 bytes of a file"
    yield "23-blank-last-page.pdf", blank_last(p.BLANK_LAST), p.BLANK_LAST, "an empty page at the end: no scan"
    yield "mixed/24-mail.eml", mail(p.MAILED, drawn(p.MAILED)), p.MAILED, "a mail with a PDF"
    yield "mixed/25-letter.docx", docx(p.WRITTEN), p.WRITTEN, "a text document"
    yield "mixed/26-sheet.xlsx", xlsx(p.SHEET), p.SHEET, "a spreadsheet"


def blank_last(paper):
    return joined(drawn(paper), change=lambda writer: writer.add_blank_page())


def truth(name, paper, about):
    """A line of invoices_pdf_expected.jsonl."""
    line = {"id": name, "about": about, "record": None, "reason": None}
    if isinstance(paper, str):
        return {**line, "reason": paper}
    differs = {"xml_conflicts": ["invoice_number", "due_on"]} if paper is papers.DIFFERS else {}
    return {**line, "record": paper.record(), **differs}


def main(folder):
    lines = []
    for name, content, paper, about in files():
        path = folder / "invoices_pdf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lines.append(json.dumps(truth(name, paper, about), ensure_ascii=False) + "\n")
    (folder / "invoices_pdf_expected.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
