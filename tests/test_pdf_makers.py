"""The hard documents of tests/kit are what they say they are, by another library's reading."""

import io
import re
import sys
import zipfile
from functools import partial
from pathlib import Path

import pdf_makers
import pytest

SOURCE, IMPORTS = Path(pdf_makers.__file__), re.compile(r"\s*(import|from) ")
TEXT = "Invoice (No. 7) \\ 2026\nTotal 1,234.50 €"


@pytest.fixture
def read():
    """The texts of a file's pages."""
    pypdf = pytest.importorskip("pypdf")
    return lambda data: [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data), strict=True).pages]


@pytest.mark.parametrize("make", [pdf_makers.text_pages, pdf_makers.invisible_text])
def test_text_is_read_as_it_was_written(read, make):
    assert read(make(TEXT)) == [TEXT]


def test_there_are_as_many_pages_and_bytes_as_were_asked_for(read):
    texts = [f"Page {number}" for number in range(1, 31)]
    assert read(pdf_makers.text_pages(*texts)) == texts
    for size in (10_000, 10_001, 1_000_000):
        sized = pdf_makers.text_pages(*texts, file_bytes=size)
        assert abs(len(sized) - size) <= 3  # the place of the table, in more digits
        assert read(sized) == texts


def test_an_unseen_text_has_render_mode_3_and_a_picture_may_have_one():
    assert b"3 Tr" in pdf_makers.invisible_text(TEXT)
    assert b"0 Tr" in pdf_makers.text_pages(TEXT)
    assert b" Tr" not in pdf_makers.image_page()


def test_a_picture_is_a_page_without_text(read):
    pypdf = pytest.importorskip("pypdf")
    assert read(pdf_makers.image_page()) == [""]
    assert read(pdf_makers.image_page(hidden_text=TEXT)) == [TEXT]
    (page,) = pypdf.PdfReader(io.BytesIO(pdf_makers.image_page(100, 50))).pages
    assert [image.image.size for image in page.images] == [(100, 50)]


def test_a_garbage_map_leaves_no_letter(read):
    (text,) = read(pdf_makers.garbage_text("Invoice 7"))
    assert {*map(ord, text)} <= {0xE000 + ord(letter) for letter in "Invoice 7"}


def test_one_page_is_named_a_thousand_times_in_few_bytes(read):
    made = pdf_makers.one_page_many_times()
    assert len(made) < 20_000
    assert made.count(b"/Type /Page ") == 1
    pypdf = pytest.importorskip("pypdf")
    assert len(pypdf.PdfReader(io.BytesIO(made)).pages) == 1000


def test_the_box_is_as_large_as_was_asked_for():
    pypdf = pytest.importorskip("pypdf")
    (page,) = pypdf.PdfReader(io.BytesIO(pdf_makers.huge_page())).pages
    assert page.mediabox[2:] == [30_000, 30_000]
    (turned,) = pypdf.PdfReader(io.BytesIO(pdf_makers.text_pages(TEXT, rotate=90))).pages
    assert turned.rotation == 90


def test_the_looping_tree_never_comes_to_a_page():
    made = pdf_makers.looping_tree()
    assert b"/Type /Page " not in made
    assert b"/Kids [2 0 R]" in made
    assert b"/Kids [1 0 R]" in made


def test_a_word_document_holds_its_paragraphs_and_a_bomb_a_thousand_times_its_size():
    with zipfile.ZipFile(io.BytesIO(pdf_makers.docx("One", "Two"))) as archive:
        assert b"<w:t>One</w:t>" in archive.read("word/document.xml")
    bomb = pdf_makers.docx_bomb(20)
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        (size,) = (one.file_size for one in archive.infolist() if one.filename == "word/document.xml")
    assert size > 20 * 2**20
    assert size > 900 * len(bomb)


def test_they_are_the_same_every_time_and_need_no_library():
    for make in (pdf_makers.image_page, pdf_makers.html, pdf_makers.huge_page, partial(pdf_makers.docx_bomb, 1)):
        assert make() == make()
    imported = {line.split()[1].split(".")[0] for line in SOURCE.read_text().splitlines() if IMPORTS.match(line)}
    assert imported <= sys.stdlib_module_names
