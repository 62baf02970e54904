"""Facts of pages → what of a file goes to the model, or why nothing can."""

import pytest
from each_case import each_case
from msgspec.structs import replace

from pipeline.catalog.file_limits import FileLimits
from pipeline.documents.pages import Rules, drawn_px, made_ready, may_need_ocr, pages_for_ocr, sort_of, with_seen
from pipeline.job.settings import Documents, Model
from pipeline.parts import FilePart, TextPart
from pipeline.reader.read import Page, PageFacts, Piece, Read, Unreadable

MODEL = Model(provider="openai", name="gpt-4o-mini", max_output_tokens=1000)
SEES = FileLimits(
    pdf=True, why_no_pdf="", images=frozenset({"image/png", "image/jpeg"}), why_no_images="", request_bytes=50_000_000,
    file_bytes=30_000_000, pdf_pages=100, max_images=20, image_px=8000, image_bytes=5_000_000,
)  # fmt: skip
DRAWS = replace(SEES, pdf=False, why_no_pdf="it sees no PDF")
BLIND = replace(DRAWS, images=frozenset(), why_no_images="it sees nothing")

WORDS = PageFacts(chars=900, letters=700, digits=80, width_pt=595, height_pt=842)
SCAN = PageFacts(image_share=1.0, width_pt=595, height_pt=842)
BLANK = PageFacts(width_pt=595, height_pt=842)
GARBAGE = PageFacts(chars=900, bad_chars=300, letters=100, digits=80, width_pt=595, height_pt=842)
SUSPECT = PageFacts(chars=900, letters=800, width_pt=595, height_pt=842)
PDF = "application/pdf"


def pdf(*facts, size=200_000):
    pages = tuple(Page(f"page {n}" if one.chars else "", one) for n, one in enumerate(facts, 1))
    return Read(PDF, "d1", size, (Piece("a.pdf", PDF, "d1", pages),))


def ready(found, limits=SEES, **settings):
    return made_ready(found, "/in/a.pdf", Rules(Documents(**settings), MODEL, limits))


def why(found, limits=SEES, **settings):
    with pytest.raises(Unreadable) as caught:
        ready(found, limits, **settings)
    return str(caught.value)


@each_case(
    ("facts", "sort"),
    [
        (WORDS, "text"),
        (replace(WORDS, image_share=0.05), "text"),
        (replace(WORDS, image_share=1.0), "text"),
        (SCAN, "scan"),
        (replace(SCAN, chars=8, digits=8), "scan"),
        (replace(SCAN, hidden_chars=800, letters=600, digits=50), "text"),
        (replace(SCAN, image_share=0.3), "scan"),
        (replace(BLANK, image_share=0.04), "blank"),
        (BLANK, "blank"),
        (replace(BLANK, chars=4, digits=1), "text"),
        (replace(BLANK, shapes=4000), "scan"),
        (replace(BLANK, chars=4, shapes=4000), "scan"),
        (replace(BLANK, shapes=2), "blank"),
        (GARBAGE, "garbage"),
        (SUSPECT, "suspect"),
        (replace(WORDS, bad_chars=9), "text"),
        (replace(SCAN, chars=3, letters=3, by_ocr=True), "text"),
        (replace(SCAN, by_ocr=True), "blank"),
    ],
    ids=[
        "text", "a logo", "text over a picture", "scan", "scan with a stamp", "scan with a text layer", "photo",
        "small mark", "blank", "page number", "drawn letters", "drawn letters and a number", "a frame", "garbage",
        "no digit among many letters", "few bad characters", "words that OCR read", "nothing that OCR could read",
    ],
)  # fmt: skip
def test_a_page_is_sorted_by_its_facts(facts, sort):
    assert sort_of(facts) == sort


def test_sound_text_goes_as_text_whatever_the_model_sees():
    made = ready(pdf(WORDS, BLANK, WORDS))
    assert (made.mode, made.parts) == ("text", (TextPart("page 1\f\fpage 3"),))
    assert ready(pdf(WORDS), BLIND).mode == "text"
    assert ready(pdf(SUSPECT), BLIND).mode == "text"


@pytest.mark.parametrize("facts", [SCAN, GARBAGE, SUSPECT], ids=["scan", "garbage", "suspect"])
def test_one_page_without_sound_text_takes_the_file_along(facts):
    made = ready(pdf(WORDS, facts, BLANK))
    assert made.mode == "native"
    assert [(part.first, part.last, part.px, part.media_type) for part in made.parts] == [
        (1, 1, 0, PDF), (2, 2, 0, PDF), (3, 3, 0, PDF),
    ]  # fmt: skip
    drawn = ready(pdf(WORDS, facts, BLANK), DRAWS)
    assert drawn.mode == "image"
    assert [(part.first, part.px, part.media_type) for part in drawn.parts] == [
        (1, 1300, "image/png"), (2, 1300, "image/png"),
    ]  # fmt: skip


def test_where_there_is_no_way_the_pages_are_named():
    assert why(pdf(WORDS, SCAN, SCAN), BLIND).startswith(
        "only scans, and no way to read them: pages 2, 3 of 3 are without text"
    )
    assert why(pdf(SCAN), read="text").startswith("only scans, and no way to read them: page 1 of 1 is without text")
    assert why(pdf(WORDS, GARBAGE), read="text").startswith("unreadable text layer: page 2 of 2")
    assert why(pdf(BLANK, BLANK)).startswith("empty file: it has no text on any page")
    assert why(pdf(WORDS), DRAWS, read="native") == "unsupported kind: documents.read = 'native': it sees no PDF"
    assert why(pdf(WORDS), BLIND, read="image").startswith("unsupported kind: documents.read = 'image'")


def test_what_is_asked_for_goes_before_what_is_cheapest():
    assert ready(pdf(WORDS), read="native").mode == "native"
    assert ready(pdf(WORDS), read="image").mode == "image"
    assert ready(pdf(SUSPECT), read="text").mode == "text"


def test_a_picture_goes_as_it_is_or_is_drawn_where_it_cannot():
    facts = PageFacts(image_share=1.0)
    photo = Read("image/jpeg", "d2", 900_000, (Piece("a.jpg", "image/jpeg", "d2", (Page("", facts),), 1200, 1600),))
    (part,) = ready(photo).parts
    assert (part.media_type, part.first, part.px, part.size) == ("image/jpeg", 0, 0, 900_000)
    (drawn,) = ready(photo, replace(SEES, images=frozenset({"image/png"}))).parts
    assert (drawn.media_type, drawn.first, drawn.px) == ("image/png", 1, 1300)
    assert ready(photo, replace(SEES, image_px=1000)).mode == "image"
    assert why(photo, BLIND).startswith("only scans, and no way to read them: it is image/jpeg: it sees nothing; or")
    assert why(photo, read="text").startswith("only scans, and no way to read them")


def test_a_mail_goes_as_its_parts_each_its_own_way_and_in_order():
    body = Piece("mail.eml", "message/rfc822", "d3", (Page("Dear all", WORDS),))
    text = Piece("terms.pdf", PDF, "d4", (Page("30 days", WORDS),))
    scan = Piece("invoice.pdf", PDF, "d5", (Page("", SCAN), Page("", SCAN)))
    made = ready(Read("message/rfc822", "d3", 5000, (body, text, scan)))
    assert made.mode == "native"
    assert made.parts[:2] == (TextPart("Dear all"), TextPart("[terms.pdf]\n30 days"))
    assert [(part.piece, part.first, part.digest) for part in made.parts[2:]] == [(2, 1, "d3"), (2, 2, "d3")]
    assert ready(Read("message/rfc822", "d3", 5000, (body, text))).parts == (
        TextPart("Dear all\f[terms.pdf]\n30 days"),
    )


def test_what_no_request_could_hold_is_never_sent():
    assert why(pdf(SCAN, size=60_000_000)).startswith("too large: 60.0 MB, and the provider takes 30.0")
    assert ready(pdf(*[SCAN] * 10, size=60_000_000)).mode == "native"


def test_a_page_is_billed_for_its_picture_and_its_text_at_the_most():
    scan, words = (ready(pdf(one), read="native").parts[0] for one in (SCAN, WORDS))
    assert isinstance(scan, FilePart)
    assert words.tokens > scan.tokens > 0
    assert words.tokens_ceiling > scan.tokens_ceiling >= scan.tokens


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(595, 842, (919, 1300)), (842, 595, (1300, 919)), (0, 0, (1300, 1300)), (30_000, 10, (1300, 1))],
)
def test_a_page_is_drawn_by_its_longest_edge(width, height, expected):
    assert drawn_px(width, height, 1300) == expected


def asked(found, limits=BLIND, **settings):
    rules = Rules(Documents(**settings), MODEL, limits)
    parts = pages_for_ocr(found, "/in/a.pdf", rules)
    assert not parts or may_need_ocr(rules)
    return [(part.piece, part.first, part.last, part.px, part.media_type) for part in parts]


def photo(*facts):
    return Piece("a.tif", "image/tiff", "d2", tuple(Page("", one) for one in facts), 1200, 1600)


def test_ocr_looks_at_pages_that_go_as_text_and_have_none():
    mixed = pdf(WORDS, SCAN, BLANK, GARBAGE, SUSPECT)
    of_two = [(0, 2, 2, 2000, "image/png"), (0, 4, 4, 2000, "image/png")]
    assert asked(mixed) == asked(mixed, read="text") == asked(mixed, SEES, read="text") == of_two
    mail = replace(mixed, pieces=(Piece("m", "message/rfc822", "d", (Page("words", WORDS),)), photo(SCAN, SCAN)))
    assert [one[:2] for one in asked(mail)] == [(1, 1), (1, 2)]


def test_ocr_looks_at_nothing_that_the_model_sees_or_that_is_asked_for_otherwise():
    for limits in (SEES, DRAWS):
        assert asked(pdf(SCAN), limits) == []
        assert asked(replace(pdf(), pieces=(photo(SCAN),)), limits) == []
    for read in ("native", "image"):
        assert asked(pdf(SCAN), BLIND, read=read) == []
        assert asked(replace(pdf(), pieces=(photo(SCAN),)), BLIND, read=read) == []
    assert asked(pdf(WORDS, BLANK)) == []
    assert not may_need_ocr(Rules(Documents(), MODEL, SEES))


def test_what_ocr_has_read_goes_as_text():
    said = {(0, 2): Page("read off", PageFacts(chars=7, letters=7, by_ocr=True))}
    found = with_seen(pdf(WORDS, SCAN), said)
    assert ready(found, BLIND).parts == (TextPart("page 1\fread off"),)
    assert (found.pieces[0].pages[1].facts.width_pt, ready(found, read="text").mode) == (595, "text")
    picture = with_seen(replace(pdf(), pieces=(photo(SCAN),)), {(0, 1): said[0, 2]})
    assert ready(picture, BLIND).parts == ready(picture, read="text").parts == (TextPart("read off"),)


def test_a_page_on_which_ocr_finds_nothing_is_blank():
    empty = {(0, 1): Page("", PageFacts(by_ocr=True))}
    assert ready(with_seen(pdf(SCAN, WORDS), empty), BLIND).parts == (TextPart("\fpage 2"),)
    assert why(with_seen(pdf(SCAN), empty), BLIND).startswith(
        "only scans, and no way to read them: OCR finds no text on any page. Ask a model"
    )


def test_the_extra_is_named_as_a_way_out():
    for told in (why(pdf(SCAN), BLIND), why(pdf(GARBAGE), BLIND), why(replace(pdf(), pieces=(photo(SCAN),)), BLIND)):
        assert "pip install 'ledger-pipeline[ocr]'" in told
    assert "ledger-pipeline[ocr]" in why(replace(pdf(), pieces=(photo(SCAN),)), read="text")
