"""Reading pictures is an extra; how lines are put together is not."""

import hashlib
import io
import sys

import pytest
from places import REPO

from pipeline.parts import FilePart
from pipeline.reader import ocr
from pipeline.reader.pool import Readers
from pipeline.reader.read import ONLY_SCANS, ReadOptions, Unreadable


def box(left, top):
    return [(left, top), (left + 50, top), (left + 50, top + 10), (left, top + 10)]


def test_texts_beside_each_other_are_one_line():
    said = [("5.00", box(200, 12)), ("Total", box(0, 10)), ("Invoice", box(0, -30))]
    assert ocr._rows([(ocr._place(place), text) for text, place in said]) == ["Invoice", "Total  5.00"]


def test_whether_the_extra_is_there_is_known_without_loading_it(monkeypatch):
    monkeypatch.setattr(ocr, "find_spec", {"rapidocr": "there"}.get)
    assert not ocr.installed()
    monkeypatch.setattr(ocr, "find_spec", {"rapidocr": "there", "onnxruntime": "too"}.get)
    assert ocr.installed()


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


def test_a_scan_is_read_in_a_reader():
    """With its real bounds: the models fit into them."""
    pytest.importorskip("rapidocr")
    path = REPO / "sample_data" / "invoices_pdf" / "16-scan.pdf"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    part = FilePart("image/png", digest, "document", 0, 0, 1, 1, 2000, str(path))
    with Readers(ReadOptions()) as readers:
        (page,) = readers.see_many([part])
    assert page.facts.by_ocr
    assert {"MH/26/1240", "04/06/2026", "209.00", "250.80"} <= set(page.text.split())
