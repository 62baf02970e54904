"""Text is read in the encoding that it is in, and never in one that makes garbage of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reader.kinds import read_bytes
from pipeline.reader.plain import decoded
from pipeline.reader.read import UNSUPPORTED, ReadOptions, Unreadable

GERMAN = "Größe: 5 €, Fälligkeit übermorgen – „ja“\n"


def text_of(data, name="a.txt"):
    return "\f".join(page.text for page in read_bytes(data, name, ReadOptions()).pieces[0].pages)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_usual_encodings_are_told_apart(encoding):
    assert text_of((GERMAN * 3).encode(encoding)) == GERMAN * 3


def test_utf_16_with_a_mark_may_hold_any_script():
    assert text_of("請求書 ￥5".encode("utf-16")) == "請求書 ￥5"


def test_lines_end_in_one_way_and_a_form_feed_begins_a_page():
    assert text_of(b"a\r\nb\rc\x0bd\x0ce\x0c") == "a\nb\nc\nd\fe"


def test_zero_bytes_are_left_out_and_counted():
    page = read_bytes(b"Total" + b"\x00" + b": 5.00 and so on", "a.txt", ReadOptions()).pieces[0].pages[0]
    assert page.text == "Total: 5.00 and so on"
    assert page.facts.bad_chars == 1


def test_letters_are_composed():
    assert text_of("Gro\u0308\u00dfe".encode()) == "Gr\u00f6\u00dfe"


def test_one_bad_byte_in_utf_8_makes_no_garbage_of_the_rest():
    assert text_of(GERMAN.encode() + b"\xff") == GERMAN + "\ufffd"


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "koi8-r", "cp1251", "euc-kr"])
def test_other_scripts_in_encodings_of_their_own_are_refused_with_what_to_do(encoding):
    text = {"shift_jis": "請求書です", "gb18030": "发票", "euc-kr": "청구서"}.get(encoding, "Счёт на оплату")
    with pytest.raises(Unreadable, match="save it as UTF-8") as caught:
        text_of(text.encode(encoding) * 20)
    assert caught.value.reason == UNSUPPORTED


@pytest.mark.parametrize(
    ("declared", "data", "text"),
    [
        ("shift_jis", "請求書です①".encode("cp932"), "請求書です①"),
        ("iso-8859-1", "5 €".encode("cp1252"), "5 €"),  # as browsers do
        ("us-ascii", "Größe".encode(), "Größe"),
        ("iso-8859-2", "Łódź".encode("iso-8859-2"), "Łódź"),
        ("no-such", b"abc", "abc"),
        ("a\x00b", b"abc", "abc"),
        ("base64", b"abc", "abc"),
        ("utf-8", "Größe".encode("cp1252"), "Größe"),  # a lie
        (None, b"abc", "abc"),
    ],
)
def test_a_declared_encoding_counts_where_it_is_one(declared, data, text):
    assert decoded(data, declared) == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Mc"])))
def test_utf_8_comes_back_whole(text):
    assert decoded(text.encode()) == text
