import hashlib
import sys
from types import SimpleNamespace

import pytest
from small_pdfs import pdf, text

from pipeline.reader import load as loading
from pipeline.reader.read import ReadOptions
from pipeline.types import FilePart


@pytest.fixture
def loaded(tmp_path):
    def load(data, **more):
        path = tmp_path / "source"
        path.write_bytes(data)
        part = FilePart("any", hashlib.sha256(data).hexdigest(), "document", 0, path=str(path), **more)
        return loading.load(str(path), part, ReadOptions(), with_text=False)

    return load


def test_a_pdf_goes_as_it_is_or_cut_or_drawn(loaded):
    data = pdf(text(50, 700, "one"), text(50, 700, "two"))
    assert loaded(data) == loaded(data, first=1, last=2) == data
    assert loaded(data, first=2, last=2).startswith(b"%PDF-")
    assert loaded(data, first=2, last=2, px=100).startswith(b"\x89PNG")


def test_a_part_of_a_mail_is_taken_out_of_it_first(loaded, monkeypatch):
    data, pieces = pdf(text(50, 700, "one")), []

    def piece_bytes(mail, number, options):
        pieces.append((mail, number))
        return data

    monkeypatch.setitem(sys.modules, "pipeline.reader.mail", SimpleNamespace(piece_bytes=piece_bytes))
    monkeypatch.setattr(
        loading, "kind_of", lambda data, name: "application/pdf" if data[:5] == b"%PDF-" else "message/rfc822"
    )
    assert loaded(b"From: me", piece=2) == data
    assert pieces == [(b"From: me", 2)]


def test_a_frame_of_a_picture_is_drawn(loaded, monkeypatch):
    asked = []
    images = SimpleNamespace(png_of=lambda *told: asked.append(told) or b"png")
    monkeypatch.setitem(sys.modules, "pipeline.reader.images", images)
    monkeypatch.setattr(loading, "kind_of", lambda data, name: "image/tiff")

    assert (loaded(b"tiff", first=3, last=3, px=100), loaded(b"tiff")) == (b"png", b"tiff")
    assert asked == [(b"tiff", 2, 100)]
