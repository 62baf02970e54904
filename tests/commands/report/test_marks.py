"""Texts with marks in them: nothing added, nothing lost, every mark over all of its words and over nothing else."""

import html
import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.report.beside import piece_html
from pipeline.commands.report.marks import SourcePage, kept_spans, pages_of
from pipeline.text import inert

TEXT = st.text(st.sampled_from("ab<>&\"' \n\t\f\U0001f600é\u200b"), max_size=60)
PLACE = st.integers(0, 60)
SPANS = st.lists(st.tuples(PLACE, PLACE).map(lambda pair: (min(pair), max(pair))), max_size=6)
ENOUGH = 1000


def within(text, spans):
    return [(min(start, len(text)), min(end, len(text))) for start, end in spans]


def as_html(pages):
    """Of each page, as a browser is given it."""
    return ["".join(piece_html(piece, f"m0-{n}") for n, piece in enumerate(page.pieces)) for page in pages]


def words_of(markup):
    """What a browser shows."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def shown_as(text):
    return "\t".join(inert(part) for part in text.split("\t"))


@given(TEXT, SPANS)
def test_the_words_on_the_page_are_those_of_the_source(text, spans):
    """Whatever is marked, however marks lie over each other; escaped piece by piece."""
    pages = pages_of(text, within(text, spans), ENOUGH)
    assert [words_of(page) for page in as_html(pages)] == [shown_as(page) for page in text.split("\f")]
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))


@given(TEXT, SPANS)
def test_every_mark_is_over_its_span_and_nothing_else(text, spans):
    """But for the breaks between pages, which nobody sees."""
    marks = within(text, spans)
    covered = [set() for _ in marks]
    place = 0
    for page in pages_of(text, marks, ENOUGH):
        for piece in page.pieces:
            for number in piece.of:
                covered[number] |= {*range(place, place + len(piece.text))}
            place += len(piece.text)
        place += 1
    breaks = {at for at, char in enumerate(text) if char == "\f"}
    assert covered == [{*range(start, end)} - breaks for start, end in marks]


@given(st.integers(0, 5000), st.lists(st.tuples(st.integers(0, 4900), st.integers(0, 99))), st.integers(1, 2000))
def test_what_is_kept_of_a_long_text_is_bounded_and_has_whole_marks_or_none(length, starts, most):
    """In order; all of a text that is short."""
    marks = within("x" * length, [(start, start + size) for start, size in starts])
    kept = kept_spans(length, marks, most)
    assert sum(end - start for start, end in kept) <= max(0, min(length, most))
    assert all(0 <= start <= end <= length for start, end in kept)
    assert all(one[1] < two[0] for one, two in pairwise(kept))
    if length <= most:
        assert kept == [(0, length)]


@given(TEXT, SPANS, st.integers(1, 40))
def test_what_is_left_out_is_counted(text, spans, most):
    """Every character is shown or counted, page breaks apart."""
    pages = pages_of(text, within(text, spans), most)
    shown = sum(len(piece.text) + piece.left_out for page in pages for piece in page.pieces)
    assert shown == len(text) - text.count("\f")
    assert pages[-1].last == text.count("\f") + 1


def test_a_long_text_is_shown_about_its_marks_and_pages_without_any_are_one_line():
    """A value on page 9 of 9 is seen, with what stands about it."""
    text = "\f".join(f"{number} {'x' * 996}" for number in range(1, 9)) + "\fthe total is 12.50"
    pages = pages_of(text, [(len(text) - 5, len(text))], 1000)
    assert [(page.number, page.last) for page in pages] == [(1, 1), (2, 7), (8, 8), (9, 9)]
    assert [piece.text for piece in pages[-1].pieces] == ["the total is ", "12.50"]
    assert pages[1] == SourcePage(2, 7, (pages[1].pieces[0],))
    assert pages[1].pieces[0].left_out == 6 * 998


def test_astral_characters_are_one_place_each():
    """As evidence counts; JavaScript would count two."""
    (page,) = pages_of("\U0001f600\U0001f600 5", [(3, 4)], 100)
    assert [(piece.text, piece.of) for piece in page.pieces] == [("\U0001f600\U0001f600 ", ()), ("5", (0,))]
