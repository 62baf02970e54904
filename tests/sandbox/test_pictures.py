"""What the bytes of a picture say, and that no bytes do any harm."""

import struct
import zlib

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from sent_files import png

from pipeline.sandbox.pictures import Picture, picture_of

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\0" * 10 + b"\xff\xc2\0\x11\x08" + struct.pack(">HH", 600, 800) + b"\x03" * 10
GIF = b"GIF89a" + struct.pack("<HH", 800, 600) + b"\0" * 8


def webp(kind, body):
    return b"RIFF\0\0\0\0WEBP" + kind + struct.pack("<I", len(body)) + body


LOSSY = webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 800, 600))
LOSSLESS = webp(b"VP8L", b"\x2f" + struct.pack("<I", 799 | 599 << 14))
EXTENDED = webp(b"VP8X", b"\0\0\0\0" + (799).to_bytes(3, "little") + (599).to_bytes(3, "little"))
PICTURES = {
    "png": (png(800, 600), "image/png"),
    "jpeg": (JPEG, "image/jpeg"),
    "gif": (GIF, "image/gif"),
    "lossy webp": (LOSSY, "image/webp"),
    "lossless webp": (LOSSLESS, "image/webp"),
    "webp with more": (EXTENDED, "image/webp"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_kind_and_size_stand_in_the_first_bytes(name):
    data, kind = PICTURES[name]
    assert picture_of(data) == Picture(kind, 800, 600)


def compressed(text):
    body = b"text\0\1\0\0\0" + zlib.compress(text.encode())
    whole = png(8, 8)
    return whole[:33] + struct.pack(">I", len(body)) + b"iTXt" + body + b"\0\0\0\0" + whole[33:]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (png(text="Größe 42,17 €"), "Größe 42,17 €"),
        (compressed("Total"), "Total"),
        (png(text=""), ""),
        (png(text="a\0b"), "a\0b"),
        (png().replace(b"IDAT", b"iTXt"), None),
    ],
)
def test_a_text_is_laid_into_a_png(data, text):
    found = picture_of(data)
    assert (found and found.text) == text


def test_a_text_of_another_keyword_is_none_of_ours():
    assert picture_of(png(text="Total").replace(b"text\0", b"note\0")).text == ""


DAMAGED = [
    png(0, 10),
    GIF[:6] + b"\0" * 8,
    b"",
    b"no picture",
    b"\x89PNG\r\n\x1a\n",
    png()[:40],
    JPEG[:20],
    GIF[:8],
    LOSSY[:20],
    webp(b"VP9 ", b"x"),
]


@each_case("data", DAMAGED)
def test_what_is_damaged_is_no_picture(data):
    assert picture_of(data) is None


@given(st.sampled_from([data for data, _ in PICTURES.values()]), st.integers(0, 60), st.binary(max_size=20))
def test_no_bytes_do_any_harm(data, place, noise):
    found = picture_of(data[:place] + noise + data[place + len(noise) :])
    assert found is None or found.width > 0 < found.height


@given(st.binary(max_size=200))
def test_no_bytes_at_all_do(data):
    picture_of(b"\x89PNG\r\n\x1a\n" + data)
    picture_of(b"\xff\xd8" + data)
    picture_of(b"RIFF\0\0\0\0WEBP" + data)
