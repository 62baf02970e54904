"""DOCX: all that a reader of the document sees, once; bombs are refused."""

import re

import pytest
from each_case import each_case
from office_files import LAUGHS, docx, paragraph, table, zipped
from pictures import png

from pipeline.reader.kinds import read_bytes
from pipeline.reader.package import MAX_INFLATED
from pipeline.reader.read import DAMAGED, ONLY_SCANS, PASSWORD, TOO_LARGE, ReadOptions, Unreadable


def text_of(data):
    return read_bytes(data, "a.docx", ReadOptions()).pieces[0].pages[0].text


def refused(data):
    with pytest.raises(Unreadable) as caught:
        text_of(data)
    return caught.value


def run(text, properties=""):
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t xml:space='preserve'>{text}</w:t></w:r>"


SEEN_AGAIN = '<w:vanish w:val="0"/>'
BOX = f"<w:txbxContent>{paragraph('box')}</w:txbxContent>"
TABS = "<w:pPr><w:tabs><w:tab/></w:tabs></w:pPr>"
MOVED = "<w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom>"
CHOICE = f"<mc:Choice>{BOX}</mc:Choice><mc:Fallback>{BOX}</mc:Fallback>"


@each_case(
    ("body", "text"),
    [
        (paragraph("One") + paragraph("two"), "One\ntwo"),
        (f"<w:p>{run('split ')}{run('run')}</w:p>", "split run"),
        (table(("Item", "Price"), ("Desk", "5.00")) + paragraph("after"), "Item | Price\nDesk | 5.00\nafter"),
        (f"<w:p>{TABS}<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r></w:p>", "a\tb\nc"),
        (f"<w:p><w:del>{run('old')}</w:del><w:ins>{run('new')}</w:ins></w:p>", "new"),
        (f"<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del>{MOVED}</w:p>{paragraph('x')}", "x"),
        ("<w:p><w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:t>7</w:t></w:r></w:p>", "7"),
        (f"<w:p>{run('unseen', '<w:vanish/>')}{run('seen', SEEN_AGAIN)}</w:p>", "seen"),
        (f"<w:p><w:r><mc:AlternateContent xmlns:mc='m'>{CHOICE}</mc:AlternateContent></w:r></w:p>", "box"),
        ("<w:p><w:hyperlink><w:r><w:t>a link</w:t></w:r></w:hyperlink></w:p>", "a link"),
        (f"<w:sdt><w:sdtPr><w:alias w:val='no'/></w:sdtPr><w:sdtContent>{paragraph('x')}</w:sdtContent></w:sdt>", "x"),
        (f"<w:tbl><w:tr><w:tc>{table(('a', 'b'), ('c', 'd'))}</w:tc></w:tr></w:tbl>", "a | b\nc | d"),
    ],
)
def test_what_is_seen_is_read_once(body, text):
    assert text_of(docx(body)) == text


def test_headers_come_first_notes_and_footers_last_and_each_once():
    line = f'<w:footnote w:type="separator">{paragraph("---")}</w:footnote>'
    notes = f"{line}<w:footnote>{paragraph('a note')}</w:footnote>"
    head, foot = paragraph("head"), paragraph("foot")
    data = docx(paragraph("body"), header1=head, header2=head, footer1=foot, footnotes=notes)
    assert text_of(data) == "head\n\nbody\n\na note\n\nfoot"


def test_hidden_text_is_counted():
    data = docx(f"<w:p>{run('un seen', '<w:vanish/>')}{run('seen')}</w:p>")
    assert read_bytes(data, "a", ReadOptions()).pieces[0].pages[0].facts.hidden_chars == 6


@pytest.mark.parametrize("dtd", [LAUGHS, '<!DOCTYPE x SYSTEM "file:///etc/hostname">'])
def test_a_dtd_is_refused(dtd):
    error = refused(docx(paragraph("x"), before=dtd))
    assert (error.reason, "DTD" in error.told) == (DAMAGED, True)


def test_a_bomb_is_refused_before_it_fills_the_memory():
    data = docx(f"<w:p><w:r><w:t>{' ' * (MAX_INFLATED + 1)}</w:t></w:r></w:p>")
    assert len(data) < 1_000_000
    error = refused(data)
    assert (error.reason, "200 MB" in error.told) == (TOO_LARGE, True)


def test_elements_without_end_are_refused():
    error = refused(docx("<w:p>" * 1000 + "</w:p>" * 1000))
    assert (error.reason, "deep" in error.told) == (DAMAGED, True)


def test_more_parts_than_any_document_has_are_refused():
    error = refused(zipped({"word/document.xml": "", **{str(i): "" for i in range(20_001)}}))
    assert error.reason == TOO_LARGE


@pytest.mark.parametrize("xml", ["<w:document", "", "not xml", "<?xml version='1.0' encoding='no-such'?><a/>"])
def test_a_broken_part_is_damage(xml):
    assert refused(zipped({"word/document.xml": xml})).reason == DAMAGED


def test_a_wrong_checksum_is_damage():
    data = bytearray(docx(paragraph("x" * 50)))
    data[data.index(b"word/document.xml") + 30] ^= 0xFF
    assert refused(bytes(data)).reason == DAMAGED


def test_a_zip_with_a_password_says_so():
    data = bytearray(docx(paragraph("x")))
    for found in re.finditer(rb"PK\x01\x02", data):
        data[found.start() + 8] |= 1
    assert refused(bytes(data)).reason == PASSWORD


def test_pictures_without_text_are_said_to_be_scans():
    parts = {"word/document.xml": "<document><body><p/></body></document>", "word/media/image1.png": png()}
    error = refused(zipped(parts))
    assert (error.reason, "1 pictures" in error.told) == (ONLY_SCANS, True)
