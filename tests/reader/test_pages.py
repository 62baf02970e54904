import struct
import zlib

import pytest
from small_pdfs import filled_form, pdf, picture, text

from pipeline.reader.pages import cut, drawn, png
from pipeline.reader.pdf import read_pdf
from pipeline.reader.read import ReadOptions, Unreadable


def texts(data):
    return [page.text for page in read_pdf(data, "one.pdf", ReadOptions()).pieces[0].pages]


def chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, {}
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        found[kind.decode()] = content
        at += 12 + length
    return found


def size(data):
    return struct.unpack(">II", chunks(data)["IHDR"][:8])


def darkness(data):
    """The share of dark pixels."""
    width, height = size(data)
    lines = zlib.decompress(chunks(data)["IDAT"])
    assert len(lines) == (width + 1) * height
    return sum(value < 128 for value in lines) / len(lines) - 1 / (width + 1)  # a line's first byte is no pixel


PAGES = pdf(*(text(50, 700, f"page {n}") for n in (1, 2, 3)))


def test_all_pages_are_the_file_itself():
    assert cut(PAGES, 0, 0, None) is cut(PAGES, 1, 3, None) is PAGES


@pytest.mark.parametrize(("first", "last"), [(1, 1), (2, 3), (3, 3)])
def test_some_pages_are_a_pdf_of_their_own(first, last):
    assert texts(cut(PAGES, first, last, None)) == [f"page {n}" for n in range(first, last + 1)]


@pytest.mark.parametrize("user", ["", "secret"])
def test_what_is_sent_needs_no_password(user):
    locked = pdf(text(50, 700, "page 1"), text(50, 700, "page 2"), user=user)
    for made, told in ((cut(locked, 0, 0, user), ["page 1", "page 2"]), (cut(locked, 2, 2, user), ["page 2"])):
        assert b"/Encrypt" not in made
        assert texts(made) == told


@pytest.mark.parametrize("look", [True, False], ids=["with a look", "without"])
def test_what_is_filled_in_goes_along(look):
    form = filled_form(look=look, pages=2)
    assert texts(cut(form, 2, 2, None)) == ["Name:  Anna Example"]
    seen, empty = (darkness(drawn(page, 1, 800, None, with_text=False)) for page in (form, pdf(text(50, 700, "Name:"))))
    assert seen > 2 * empty


@pytest.mark.parametrize("wanted", [(4, 4), (2, 4), (3, 2)])
def test_pages_that_are_not_there_are_refused(wanted):
    with pytest.raises(Unreadable):
        cut(PAGES, *wanted, None)


@pytest.mark.parametrize(
    ("box", "rotate", "drawn_as"),
    [
        ((0, 0, 595, 842), 0, (707, 1000)),
        ((0, 0, 595, 842), 90, (1000, 707)),
        ((0, 0, 30_000, 30_000), 0, (1000, 1000)),
        ((0, 0, 100, 14_400), 0, (7, 1000)),
        ((0, 0, 1, 14_400), 0, (1, 1000)),
    ],
)
def test_the_longest_edge_is_as_asked(box, rotate, drawn_as):
    assert size(drawn(pdf("", box=box, rotate=rotate), 1, 1000, None, with_text=False)) == drawn_as


def test_a_page_is_drawn():
    page = drawn(pdf("0 g 0 421 595 421 re f\n" + text(50, 100, "Words", 60)), 1, 500, None, with_text=False)
    assert 0.49 < darkness(page) < 0.6
    assert "iTXt" not in chunks(page)


def test_the_text_goes_along_for_who_cannot_see():
    page = drawn(pdf(text(50, 700, "Größe", 20)), 1, 100, None, with_text=True)
    keyword, _, rest = chunks(page)["iTXt"].partition(b"\0")
    assert (keyword, rest) == (b"text", b"\0\0\0\0" + "Größe".encode())


def test_lines_of_a_picture_have_no_padding():
    made = chunks(png(3, 2, b"abcdefgh", 4))
    assert zlib.decompress(made["IDAT"]) == b"\0abc\0efg"


def test_drawing_a_page_again_is_the_same():
    pages = pdf(picture(0, 0, 10, 10) + text(50, 700, "x"))
    assert drawn(pages, 1, 200, None, with_text=False) == drawn(pages, 1, 200, None, with_text=False)
