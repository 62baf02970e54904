"""Pages that OCR reads: each once, however many rows have them."""

import pytest

from pipeline.catalog.file_limits import file_limits
from pipeline.documents.pages import Rules
from pipeline.documents.sources import seen
from pipeline.documents.sources.readings import Readings
from pipeline.documents.sources.spool import Placed
from pipeline.job.settings import Documents, Model
from pipeline.reader.read import CRASHED, DAMAGED, Page, PageFacts, Piece, Read, Unreadable

MODEL = Model(provider="openai", name="gpt-4o-mini", max_output_tokens=100)
RULES = Rules(Documents(read="text"), MODEL, file_limits(MODEL, "json_schema"))
SCAN, PDF = Page("", PageFacts(image_share=1.0)), "application/pdf"


def scan(digest="d1", pages=2):
    return Read(PDF, digest, 1000, (Piece("a.pdf", PDF, digest, (SCAN,) * pages),))


class Eyes:
    """Readers that see the number of each page."""

    def __init__(self, *bad):
        self.asked, self.bad = [], bad

    def see_many(self, parts):
        self.asked += [(part.digest, part.first) for part in parts]
        return [self._seen(part) for part in parts]

    def _seen(self, part):
        if part.first in self.bad:
            return Unreadable(CRASHED, "signal 11")
        return Page(f"page {part.first}", PageFacts(chars=5, by_ocr=True))


@pytest.fixture
def look(monkeypatch):
    readings = Readings()
    monkeypatch.setattr(seen, "installed", lambda: True)

    def looked(eyes, *found, rules=RULES):
        files = [Placed(f"/in/{number}", "a.pdf") for number in range(len(found))]
        return seen.seen_too(files, found, rules, eyes, readings)

    yield looked
    readings.close()


def texts(read):
    return [page.text for page in read.pieces[0].pages]


def test_a_page_is_looked_at_once_wherever_its_file_lies(look):
    eyes, damaged = Eyes(), Unreadable(DAMAGED)
    one, bad, other, again = look(eyes, scan(), damaged, scan("d2", 1), scan())
    assert (texts(one), texts(other), texts(again), bad) == (["page 1", "page 2"], ["page 1"], texts(one), damaged)
    assert eyes.asked == [("d1", 1), ("d1", 2), ("d2", 1)]
    (later,) = look(eyes, scan())
    assert (texts(later), len(eyes.asked)) == (texts(one), 3)


def test_a_page_that_cannot_be_looked_at_costs_its_file_and_is_tried_once(look):
    eyes = Eyes(2)
    for _ in range(2):
        bad, good = look(eyes, scan(), scan("d2", 1))
        assert str(bad) == f"{CRASHED}: OCR of page 2: signal 11"
        assert (bad.media_type, bad.digest, bad.pages) == (PDF, "d1", 2)
        assert texts(good) == ["page 1"]
    assert len(eyes.asked) == 3


def test_nothing_is_looked_at_without_the_extra_or_where_the_model_sees(look, monkeypatch):
    eyes = Eyes()
    assert look(eyes, scan(), rules=Rules(Documents(), MODEL, RULES.limits)) == [scan()]
    monkeypatch.setattr(seen, "installed", lambda: False)
    assert look(eyes, scan()) == [scan()]
    assert eyes.asked == []
