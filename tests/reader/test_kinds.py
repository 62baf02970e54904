"""The kind is told by the bytes; every file is read, or says why not with the contract's reason first."""

import contextlib
import subprocess
import sys

import pytest
from each_case import each_case
from hypothesis import example, given
from hypothesis import strategies as st
from office_files import docx, mail, paragraph, xlsx, zipped
from pictures import gif, jpeg, png, webp

from pipeline.reader import media_types as m
from pipeline.reader.kinds import kind_of, read_bytes
from pipeline.reader.read import (
    DAMAGED,
    EMPTY,
    NOT_A_PDF,
    PASSWORD,
    TOO_LARGE,
    TOO_MANY_PAGES,
    UNSUPPORTED,
    PageFacts,
    ReadOptions,
    Unreadable,
)  # fmt: skip

OLE = bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 504
DOCUMENT = docx(paragraph("Contract"))
MBOX = b"From x Mon Nov 30 10:00:00 2026\nFrom: a\n"
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


def read(data, name="file", **options):
    return read_bytes(data, name, ReadOptions(**options))


def text_of(data, name="file"):
    return read(data, name).pieces[0].pages[0].text


def refused(data, name="file", **options):
    with pytest.raises(Unreadable) as caught:
        read(data, name, **options)
    return caught.value


@each_case(
    ("data", "name", "kind"),
    [
        (b"%PDF-1.7\n", "a.txt", m.PDF),
        (b"junk\r\n" * 100 + b"%PDF-1.4\n1 0 obj\n", "a", m.PDF),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.4\n1 0 obj", "a", m.PDF),
        (b"A file begins with %PDF-1.4, says the standard.", "a.txt", m.PLAIN),
        (png(), "a.jpg", m.PNG),
        (jpeg(), "a.png", m.JPEG),
        (gif(), "a", m.GIF),
        (webp(), "a", m.WEBP),
        (b"II*\x00\x08\x00\x00\x00", "a", m.TIFF),
        (b"MM\x00*\x00\x00\x00\x08", "a", m.TIFF),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a", m.HEIC),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf", "a", m.AVIF),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00mp41isom", "film.heic", m.UNKNOWN),
        (DOCUMENT, "a.xlsx", m.DOCX),
        (xlsx({"a": ""}), "a.docx", m.XLSX),
        (zipped({"ppt/presentation.xml": ""}), "a", m.PPTX),
        (zipped({"a.txt": "x"}), "a.docx", m.ZIP),
        (OLE + "WordDocument".encode("utf-16-le"), "a.docx", m.DOC),
        (OLE + "Workbook".encode("utf-16-le"), "a", m.XLS),
        (OLE + "__properties_version1.0".encode("utf-16-le"), "a", m.MSG),
        (rb"{\rtf1 hello}", "a.doc", m.RTF),
        (HTML, "a.txt", m.HTML),
        (b"\xef\xbb\xbf  <html><p>x", "a", m.HTML),
        ("<html><p>x".encode("utf-16"), "a", m.HTML),
        (b"<!-- saved from url -->\n<html>", "a", m.HTML),
        (b"<!-- -->" * 5000 + b"x", "a", m.PLAIN),  # told at once
        (b"<p>no head</p>", "a.html", m.HTML),
        (b"<div>x</div>", "a", m.HTML),
        (b"# Title\n", "a.md", m.MARKDOWN),
        (b"# Title\n", "a", m.PLAIN),
        (b"<b>bold</b> words", "a.md", m.MARKDOWN),
        (b"<?xml version='1.0'?><Invoice/>", "a.xml", m.XML),
        (b'{"a": 1}', "a.json", m.PLAIN),
        (mail().as_bytes(), "a.txt", m.MAIL),  # it has a MIME-Version, which nobody writes by hand
        (b"From: a@b\nSubject: x\n\nhello", "a.eml", m.MAIL),
        (b"From: a@b\nSubject: x\n\nhello", "a.txt", m.PLAIN),
        (b"From: a@b\nSubject: x", "a", m.MAIL),
        (b"Total: 5\nDate: today\n\n", "a", m.PLAIN),
        (b"%sTo: b\n\nx\n\n%sTo: c\n" % (MBOX, MBOX), "a", m.MAILBOX),
        ("größer".encode("cp1252"), "a", m.PLAIN),
        (bytes(range(256)), "a.txt", m.UNKNOWN),
        (b"\x00" * 100, "a.txt", m.UNKNOWN),
    ],
)  # fmt: skip
def test_the_kind_is_told_by_the_bytes(data, name, kind):
    assert kind_of(data, name) == kind


@each_case(
    ("data", "name", "reason", "told"),
    [
        (b"", "a.pdf", EMPTY, "0 bytes"),
        (HTML, "a.pdf", NOT_A_PDF, "it is HTML"),
        (b"Forbidden", "A.PDF", NOT_A_PDF, "it is plain text"),
        (b"<?xml version='1.0'?><Error/>", "a.pdf", NOT_A_PDF, "it is XML"),
        (b"\x00" * 900, "a.pdf", NOT_A_PDF, "zero bytes alone"),
        (bytes(range(256)), "a.pdf", NOT_A_PDF, "without %PDF-"),
        (bytes(range(256)), "a.bin", UNSUPPORTED, "no kind that is known"),
        (DOCUMENT[:-60], "a.docx", DAMAGED, "cut off"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx", PASSWORD, "without one"),
        (OLE + "WordDocument".encode("utf-16-le"), "a.doc", UNSUPPORTED, "save it as DOCX"),
        (zipped({"META-INF/manifest.xml": "", "content.xml": ""}), "a.odt", UNSUPPORTED, "OpenDocument"),
        (b"\x78\x9f\x3e\x22rest", "winmail.dat", UNSUPPORTED, "winmail.dat"),
        (b"a\f" * 1001, "a.txt", TOO_MANY_PAGES, "1001, where documents.max_pages allows 1000"),
    ],
)
def test_what_cannot_be_read_says_why_the_reason_first(data, name, reason, told):
    error = refused(data, name)
    assert str(error).startswith(f"{reason}: ")
    assert error.reason == reason
    assert told in error.told
    assert len(error.digest) == 64


def test_a_whole_document_named_pdf_is_read_as_what_it_is():
    """It is told by the bytes; what a failed download leaves in a PDF's place is another matter."""
    found = read(DOCUMENT, "contract.pdf")
    assert (found.media_type, found.pieces[0].pages[0].text) == (m.DOCX, "Contract")
    assert read(png(), "scan.pdf").media_type == m.PNG


def test_bytes_over_the_limit_are_not_looked_at():
    error = refused(b"x" * 101, max_bytes=100)
    assert str(error).startswith(f"{TOO_LARGE}: ")
    assert "documents.max_mb" in error.told


def test_facts_of_a_page_are_counted():
    page = read(b"ab 12\x07 \xef\xbf\xbd", "a.txt").pieces[0].pages[0]
    assert (page.text, page.facts) == ("ab 12 \ufffd", PageFacts(chars=5, bad_chars=2, letters=2, digits=2))


SEEDS = [DOCUMENT, xlsx({"a": "<row><c><v>1</v></c></row>"}), png(), jpeg(), gif(), webp(), HTML, mail().as_bytes()]


@given(
    st.sampled_from(SEEDS), st.integers(0, 10**6), st.binary(max_size=6), st.booleans(), st.sampled_from(["a", "a.pdf"])
)
@example(SEEDS[0], 30, b"\xff\xff", False, "a")
def test_any_damage_ends_in_text_or_in_a_reason(data, place, more, cut, name):
    at = place % (len(data) + 1)
    require_text_or_reason(data[:at] + more + (b"" if cut else data[at + len(more) :]), name)


@given(st.binary(max_size=200), st.sampled_from(["a", "a.pdf", "a.html", "a.eml"]))
def test_any_bytes_end_in_text_or_in_a_reason(data, name):
    require_text_or_reason(data, name)


def require_text_or_reason(data, name):
    with contextlib.suppress(Unreadable):
        found = read(data, name)
        assert found.size == len(data)
        assert all("\f" not in page.text and "\r" not in page.text for piece in found.pieces for page in piece.pages)


def test_it_starts_without_what_few_files_need():
    """A reader is a process that is started often."""
    code = "import sys, pipeline.reader.kinds; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pyarrow", "pydantic", "PIL", "email", "html.parser", "pypdfium2", "pipeline.job", "orjson", "click"}
    assert heavy & set(loaded) == set()
