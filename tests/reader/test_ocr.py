"""Reading pictures is an extra; how lines are put together is not."""

import io
import sys

import pytest

from pipeline.reader import ocr
from pipeline.reader.read import ONLY_SCANS, Unreadable


def box(left, top):
    return [(left, top), (left + 50, top), (left + 50, top + 10), (left, top + 10)]


def test_texts_beside_each_other_are_one_line():
    said = [("5.00", box(200, 12)), ("Total", box(0, 10)), ("Invoice", box(0, -30))]
    assert ocr._rows([(ocr._place(place), text) for text, place in said]) == ["Invoice", "Total  5.00"]


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    ocr._engine.cache_clear()
    with pytest.raises(Unreadable, match=r"ledger-pipeline\[ocr\]") as caught:
        ocr.text_of_picture(b"")
    assert caught.value.reason == ONLY_SCANS


def test_a_picture_of_words_is_read():
    pytest.importorskip("rapidocr")
    image, draw, font = (pytest.importorskip(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont"))
    page = image.new("RGB", (800, 200), "white")
    draw.Draw(page).text((30, 60), "Total 1234.50", fill="black", font=font.load_default(64))
    out = io.BytesIO()
    page.save(out, "PNG")
    assert "1234.50" in ocr.text_of_picture(out.getvalue())
