import hashlib
import sys
from types import SimpleNamespace

import pytest
from small_pdfs import pdf, text

from pipeline.parts import FilePart
from pipeline.reader import load as loading
from pipeline.reader.read import CHANGED, OUT_OF_REACH, ReadOptions, Unreadable


@pytest.fixture
def loaded(tmp_path):
    path = tmp_path / "source"

    def load(data, **more):
        path.write_bytes(data)
        return again(data, **more)

    def again(data, **more):
        part = FilePart("any", hashlib.sha256(data).hexdigest(), "document", 0, path=str(path), **more)
        return loading.load(str(path), part, ReadOptions(), with_text=False)

    load.path, load.again = path, again
    return load


def test_a_pdf_goes_as_it_is_or_cut_or_drawn(loaded):
    data = pdf(text(50, 700, "one"), text(50, 700, "two"))
    assert loaded(data) == loaded(data, first=1, last=2) == data
    assert loaded(data, first=2, last=2).startswith(b"%PDF-")
    assert loaded(data, first=2, last=2, px=100).startswith(b"\x89PNG")


def test_pages_of_one_file_are_taken_from_it_once(loaded, monkeypatch):
    taken, real = [], loading.take
    monkeypatch.setattr(loading, "_kept", loading._Kept())
    monkeypatch.setattr(loading, "take", lambda *told: taken.append(told) or real(*told))
    path, data, other = loaded.path, pdf("", ""), pdf(text(50, 700, "x"), "")
    path.write_bytes(data)
    for first in (1, 2, 1):
        loaded.again(data, first=first, last=first)
    assert len(taken) == 1

    path.write_bytes(other)
    with pytest.raises(Unreadable) as error:
        loaded.again(data)
    assert (error.value.reason, len(taken)) == (CHANGED, 2)
    path.unlink()
    with pytest.raises(Unreadable) as error:
        loaded.again(data)
    assert str(error.value) == f"{CHANGED}: it was read, and now: {OUT_OF_REACH}: no such file or directory"


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
