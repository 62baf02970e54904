"""Pictures: their size by their header, and whether they are whole, without decoding them."""

import io
import sys

import pytest
from each_case import each_case
from pictures import chunk, gif, jpeg, png, webp

from pipeline.reader import media_types as m
from pipeline.reader.images import MAX_PIXELS, png_of
from pipeline.reader.kinds import read_bytes
from pipeline.reader.read import DAMAGED, TOO_LARGE, TOO_MANY_PAGES, UNSUPPORTED, PageFacts, ReadOptions, Unreadable


def read(data, **options):
    return read_bytes(data, "a", ReadOptions(**options)).pieces[0]


def refused(data, **options):
    with pytest.raises(Unreadable) as caught:
        read(data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (png(96, 48), m.PNG, (96, 48)),
        (jpeg(5, 4), m.JPEG, (5, 4)),
        (gif(6, 7), m.GIF, (6, 7)),
        (gif(6, 7) + b"\x00\x00", m.GIF, (6, 7)),
        (webp(9, 8), m.WEBP, (9, 8)),
        (jpeg(5, 4) + b"more of a phone", m.JPEG, (5, 4)),
    ],
)
def test_a_picture_is_one_page_without_text(data, kind, size):
    piece = read(data)
    facts = PageFacts(image_share=1.0, width_pt=size[0] * 0.75, height_pt=size[1] * 0.75)
    assert (piece.media_type, piece.width_px, piece.height_px) == (kind, *size)
    assert [(page.text, page.facts) for page in piece.pages] == [("", facts)]


WRONG_LENGTH = png()[:8] + b"\x7f\xff\xff\xff" + png()[12:]


@each_case(
    "data",
    [
        *(whole[: len(whole) - cut] for whole in (png(), jpeg(), webp()) for cut in (1, 5, 12)),
        gif()[:-1],
        WRONG_LENGTH,
        png().replace(b"IDAT", b"IDAX"),
        b"\xff\xd8\xff\xe0",
        png(0, 5),
        jpeg(5, 0),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\x00\x02" + b"\x00" * 50,
    ],
)
def test_what_is_cut_off_or_broken_is_damage(data):
    assert refused(data).reason == DAMAGED


@pytest.mark.parametrize("data", [png(30_000, 30_000), jpeg(60_000, 60_000), webp(16_000, 16_000), gif(65_535, 65_535)])
def test_a_bomb_of_pixels_is_refused_by_its_header(data):
    error = refused(data)
    assert (error.reason, "million" in error.told) == (TOO_LARGE, True)
    assert len(data) < 100_000


def test_a_header_that_lies_is_refused_before_the_rest_is_read():
    header = chunk(b"IHDR", (30_000).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00")
    assert refused(b"\x89PNG\r\n\x1a\n" + header).reason == TOO_LARGE


# ── TIFF, HEIC and AVIF: by an extra ────────────────────────────────────────────────────────────────────────────────


def tiff(*sizes, kind="TIFF", mode="L"):
    image = pytest.importorskip("PIL.Image")
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    first, *others = [image.new(mode, size, 255) for size in sizes]
    out = io.BytesIO()
    first.save(out, kind, save_all=True, append_images=others)
    return out.getvalue()


def test_a_frame_of_a_tiff_is_a_page():
    piece = read(tiff((96, 48), (200, 100), (10, 10)))
    assert [page.facts.width_pt for page in piece.pages] == [72.0, 150.0, 7.5]
    assert (piece.media_type, piece.width_px, piece.height_px) == (m.TIFF, 200, 100)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "I;16", "P", "RGBA"])
def test_a_frame_becomes_a_png_no_larger_than_asked(mode):
    data = png_of(tiff((10, 10), (400, 200), mode=mode), 1, 100)
    piece = read(data)
    assert (piece.media_type, piece.width_px, piece.height_px) == (m.PNG, 100, 50)


def test_heic_is_read():
    data = tiff((64, 32), kind="HEIF", mode="RGB")
    assert (read(data).media_type, read(data).width_px) == (m.HEIC, 64)
    assert read(png_of(data, 0, 16)).height_px == 8


def test_more_frames_than_pages_are_allowed_are_refused():
    assert refused(tiff((5, 5), (5, 5), (5, 5)), max_pages=2).reason == TOO_MANY_PAGES


def test_a_broken_tiff_is_damage():
    assert refused(tiff((50, 50))[:60]).reason == DAMAGED


def test_a_frame_of_too_many_pixels_is_refused():
    data = tiff((5, 5))
    big = int(MAX_PIXELS**0.5) + 1
    for tag in (b"\x00\x01", b"\x01\x01"):  # width and length, as two bytes each
        place = data.index(tag + b"\x04\x00" if tag + b"\x04\x00" in data else tag + b"\x03\x00")
        data = data[: place + 2] + b"\x04\x00\x01\x00\x00\x00" + big.to_bytes(4, "little") + data[place + 12 :]
    assert refused(data).reason == TOO_LARGE


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    error = refused(b"II*\x00\x08\x00\x00\x00")
    assert str(error) == f"{UNSUPPORTED}: a TIFF needs the extra: pip install 'ledger-pipeline[images]'"
