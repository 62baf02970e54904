import math
import re
from pathlib import Path

import pytest
from small_pdfs import (
    filled_form,
    form,
    gray_image,
    looping_tree,
    one_page_often,
    pdf,
    picture,
    text,
    unicode_font,
    with_attachments,
)

from pipeline.reader.pdf import read_pdf
from pipeline.reader.progress import listen
from pipeline.reader.read import (
    DAMAGED,
    EMPTY,
    NOT_A_PDF,
    PASSWORD,
    TOO_MANY_PAGES,
    UNSUPPORTED,
    ReadOptions,
    Unreadable,
)

TABLE = text(50, 700, "Item") + text(300, 700, "Total") + text(50, 680, "Paper") + text(300, 680, "10,00")
READ_TABLE = "Item  Total\nPaper  10,00"


def pages(data, **options):
    return read_pdf(data, "one.pdf", ReadOptions(**options)).pieces[0].pages


def told(data, **options):
    (page,) = pages(data, **options)
    return page.text


def refused(data, **options):
    with pytest.raises(Unreadable) as error:
        read_pdf(data, "one.pdf", ReadOptions(**options))
    return error.value


def turned(degrees, *placed):
    """Words at places of a page that was turned as a whole, about the middle of one of 1,000 points square."""
    angle = math.radians(degrees)
    along, up = math.cos(angle), math.sin(angle)
    return pdf(
        "".join(
            text(
                500 + (x - 500) * along - (y - 500) * up,
                500 + (x - 500) * up + (y - 500) * along,
                words,
                turned=(along, up, -up, along),
            )
            for x, y, words in placed
        ),
        box=(0, 0, 1000, 1000),
    )


def test_each_page_has_its_text_and_facts():
    first, second = pages(pdf(TABLE, text(50, 700, "Page 2")))
    assert (first.text, second.text) == (READ_TABLE, "Page 2")
    assert (first.facts.chars, first.facts.letters, first.facts.digits) == (19, 14, 4)
    assert (first.facts.width_pt, first.facts.height_pt, first.facts.image_share) == (595, 842, 0)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_page_shown_turned_is_read_as_it_is_shown(degrees):
    (page,) = pages(pdf(TABLE, rotate=degrees))
    assert page.text == READ_TABLE
    assert (page.facts.width_pt, page.facts.height_pt) == ((595, 842) if degrees % 180 == 0 else (842, 595))


@pytest.mark.parametrize("degrees", [0.7, -2, 90, 91, 180, 179, 270, 268])
def test_turned_and_skewed_content_is_read_in_its_rows(degrees):
    rows = [(x, 700 - 14 * row, f"{name}{row}") for row in range(8) for x, name in ((100, "a"), (500, "b"), (800, "c"))]
    assert told(turned(degrees, *rows)) == "\n".join(f"a{row}  b{row}  c{row}" for row in range(8))


def test_text_in_several_directions_is_not_mixed():
    stamp = text(20, 100, "Filed by hand", turned=(0, 1, -1, 0))
    watermark = text(100, 100, "DRAFT", 60, turned=(0.7, 0.7, -0.7, 0.7))
    assert told(pdf(watermark + stamp + TABLE)).split("\n\n") == [READ_TABLE, "Filed by hand", "DRAFT"]


def test_what_is_drawn_by_column_is_read_by_row():
    columns = [text(x, 700 - 12 * row, f"{name}{row}") for x, name in ((300, "b"), (50, "a")) for row in range(5)]
    assert told(pdf("".join(columns))) == "\n".join(f"a{row}  b{row}" for row in range(5))


def test_a_gap_within_one_operator_is_a_gap():
    assert told(pdf("BT /F 10 Tf 50 700 Td [(Item) -20000 (10,00)] TJ ET")) == "Item  10,00"
    assert told(pdf("BT /F 10 Tf 300 700 Td [(B) 20000 (A)] TJ ET")) == "A  B"
    assert told(pdf("BT /F 10 Tf 150 Tc 50 700 Td (AB) Tj ET")) == "A  B"


def test_a_layer_under_a_scan_is_its_text():
    (page,) = pages(pdf(text(50, 700, "Read by OCR", mode=3) + picture(0, 0, 595, 842), images=[gray_image()]))
    assert page.text == "Read by OCR"
    assert (page.facts.chars, page.facts.hidden_chars, page.facts.image_share) == (0, 9, 1)


def test_a_stamp_on_a_scan_does_not_hide_its_layer():
    (page,) = pages(pdf(text(50, 800, "Page 1") + text(50, 700, "Read by OCR", mode=3)))
    assert page.text == "Page 1\n\nRead by OCR"
    assert (page.facts.chars, page.facts.hidden_chars) == (5, 9)


def test_hidden_text_beside_text_that_can_be_seen_is_not_told():
    (page,) = pages(pdf(TABLE + text(50, 600, "A line that can be seen") + text(50, 500, "ignore all", mode=3)))
    assert "ignore" not in page.text
    assert page.facts.hidden_chars == 9


def test_text_off_the_page_is_not_told():
    off = text(-500, 700, "left") + text(50, 5000, "above") + text(50, 100, "cut")
    (page,) = pages(pdf(TABLE + off, page_extra="/CropBox [0 300 595 842]"))
    assert page.text == READ_TABLE
    assert page.facts.chars == 19


def test_pages_without_text_are_told_apart():
    blank, shapes, scan = pages(
        pdf("", "50 50 m 500 500 l S 10 10 50 50 re f", picture(0, 0, 595, 842), images=[gray_image()])
    )
    assert [page.text for page in (blank, shapes, scan)] == ["", "", ""]
    assert [page.facts.shapes for page in (blank, shapes, scan)] == [0, 2, 0]
    assert [page.facts.image_share for page in (blank, shapes, scan)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("drawn", "share"),
    [
        (picture(0, 0, 100, 100), 0.04),  # a logo
        (picture(-250, 0, 500, 1000), 0.5),  # half of it off the page
        (picture(0, 0, 500, 250) + picture(0, 250, 500, 250), 1),  # a scan in strips
        (picture(0, 0, 500, 500) * 3, 1),  # in layers
        ("q 500 0 0 500 0 0 cm /I1 Do Q", 1),  # within a form
        ("q 250 0 0 500 0 0 cm /I1 Do Q", 0.5),
        ("/I2 Do", 0.01),  # in a form that is made smaller by itself
    ],
)
def test_pictures_are_measured(drawn, share):
    inner = "/Resources << /XObject << /P 2 0 R >> >>"
    small, large = (form("/P Do", matrix) for matrix in ((50, 0, 0, 50, 0, 0), (1, 0, 0, 1, 0, 0)))
    forms = [(f"{words} {inner}", stream) for words, stream in (large, small)]
    (page,) = pages(pdf(drawn, box=(0, 0, 500, 500), images=[gray_image(), *forms]))
    assert page.facts.image_share == pytest.approx(share, abs=0.001)


def test_text_is_clean_before_anybody_counts_it():
    composed = unicode_font({65: "e\u0301", 66: "\uf0b7", 67: "\t"})
    page = told(pdf(text(50, 700, "A"), font=composed))
    assert page == "é"
    assert told(pdf(text(50, 700, "B"), font=composed)) == "•"
    assert told(pdf(text(50, 700, "Rechnungs-") + text(50, 688, "nummer"))) == "Rechnungsnummer"
    assert told(pdf(text(50, 700, "one") + text(50, 688, "two"))) == "one\ntwo"


def test_glyphs_that_stand_for_nothing_are_counted():
    garbage = unicode_font({65: "\ue001", 66: "\ufffd", 67: "\x05"})
    (page,) = pages(pdf(text(50, 700, "ABCA"), font=garbage))
    assert (page.facts.bad_chars, page.facts.chars, "\x05" in page.text) == (4, 4, False)


def test_characters_beyond_the_first_plane_keep_their_places():
    font = unicode_font({65: "\U0001d54f", 66: "b"})
    assert told(pdf(text(50, 700, "AB AB") + text(300, 700, "BB"), font=font)) == "𝕏b 𝕏b  bb"


@pytest.mark.parametrize("look", [True, False], ids=["with a look", "without"])
def test_what_is_filled_into_a_form_is_read(look):
    assert told(filled_form(look=look)) == "Name:  Anna Example"


def test_a_form_that_only_adobe_shows_is_refused():
    placeholder = pdf(text(50, 700, "Please wait"), extra="/NeedsRendering true /AcroForm << /XFA (x) /Fields [] >>")
    assert refused(placeholder).reason == UNSUPPORTED


def test_pages_of_one_object_are_counted_and_bounded():
    assert len(pages(one_page_often(1000))) == 1000
    error = refused(one_page_often(1001))
    assert str(error) == f"{TOO_MANY_PAGES}: 1,001 of at most 1,000 (documents.max_pages)"
    assert (error.pages, error.media_type, len(error.digest)) == (1001, "application/pdf", 64)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", EMPTY),
        (b"<!DOCTYPE html><title>Log in</title>", NOT_A_PDF),
        (b"PK\x03\x04", NOT_A_PDF),
        (b"%PDF-1.7\nnothing more", DAMAGED),
        (looping_tree(), DAMAGED),
        (looping_tree("/Count 3"), DAMAGED),
        (pdf(), DAMAGED),
    ],
    ids=["empty", "web page", "zip", "only a head", "loop", "loop with a count", "no pages"],
)
def test_what_is_no_whole_pdf_says_so(data, reason):
    assert refused(data).reason == reason


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99])
def test_a_file_that_is_cut_off_is_never_read_in_part(share):
    data = pdf(TABLE, TABLE, TABLE)
    assert refused(data[: int(len(data) * share)]).reason == DAMAGED


@pytest.mark.parametrize("later", [b"1 0 obj\n<< >>\nendobj\n2 0 obj\n<< /Length 100", b"2 0 obj\n<< /Length 100 >>"])
def test_a_later_version_that_is_cut_off_is_not_passed_over(later):
    assert refused(pdf(TABLE) + later).reason == DAMAGED


def test_sloppy_ends_are_no_damage():
    data = pdf(TABLE)
    for end in (b"\0" * 5000, b"<!-- " + b"x" * 5000, b"\r\n"):
        assert told(data + end) == READ_TABLE
    assert told(b"\r\n" + data) == READ_TABLE


def test_passwords():
    locked = pdf(TABLE, user="secret")
    assert told(locked, password="secret") == told(locked, password="owner") == READ_TABLE
    assert refused(locked).reason == refused(locked, password="other").reason == PASSWORD
    assert "documents.password_env" in refused(locked).told
    assert told(pdf(TABLE, user=""), password="other") == told(pdf(TABLE, user="")) == READ_TABLE


CII = b"""<?xml version='1.0'?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"/>"""
UBL = b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>'


def test_the_xml_of_an_e_invoice_is_found_by_its_name_or_its_root():
    data = with_attachments(
        TABLE,
        ("factur-x.xml", b"<a/>"),
        ("ZUGFeRD-invoice.xml", b"<b/>"),
        ("xrechnung.xml", b"<c/>"),
        ("other.xml", b"<Invoice/>"),
        ("cii.xml", CII),
        ("ubl.xml", UBL),
        ("utf16.XML", CII.decode().encode("utf-16")),
        ("terms.txt", UBL),
        ("empty.xml", b""),
    )
    found = read_pdf(data, "one.pdf", ReadOptions()).embedded
    assert [embedded.name for embedded in found] == [
        "factur-x.xml", "ZUGFeRD-invoice.xml", "xrechnung.xml", "cii.xml", "ubl.xml", "utf16.XML",
    ]  # fmt: skip
    assert found[3].xml == CII
    assert read_pdf(data, "one.pdf", ReadOptions(embedded_xml=False)).embedded == ()


def test_xml_beyond_five_megabytes_is_left_out():
    data = with_attachments(TABLE, ("factur-x.xml", b" " * 5_000_001), ("xrechnung.xml", b" " * 5_000_000))
    assert [embedded.name for embedded in read_pdf(data, "one.pdf", ReadOptions()).embedded] == ["xrechnung.xml"]


def test_each_page_is_told_to_who_waits():
    places = []
    listen(lambda *place: places.append(place))
    try:
        pages(pdf(TABLE, TABLE, TABLE))
    finally:
        listen(None)
    assert places == [(1, 3), (2, 3), (3, 3)]


def test_the_library_is_the_childs_alone():
    """A crash of it must never be one of a run."""
    imports = re.compile(r"(?:import|from) pypdfium2")
    sources = (Path(__file__).parents[2] / "pipeline").rglob("*.py")
    named = {path.name for path in sources if imports.search(path.read_text())}
    assert named == {"pdfium.py"}
