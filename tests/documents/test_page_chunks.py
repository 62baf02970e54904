"""Pages → chunks: every page goes, in order, within the bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.documents.page_chunks import PDF, PageBounds, chunk_pages, halved, joined
from pipeline.documents.tokens import counter_for
from pipeline.parts import FilePart, TextPart
from pipeline.types import Chunk

COUNTER = counter_for("openai", "gpt-4o-mini")


def page(number, *, piece=0, tokens=100, size=1000, media_type=PDF, px=0):
    return FilePart(media_type, "d1", "document", 2 * tokens, tokens, number, number, px, "/in/a.pdf", piece, size)


def spans(chunks):
    return [[(part.first, part.last) for part in joined(one.parts) if isinstance(part, FilePart)] for one in chunks]


def test_a_small_file_is_one_chunk_and_one_part():
    chunks = chunk_pages(tuple(map(page, (1, 2, 3))), COUNTER, PageBounds())
    assert spans(chunks) == [[(1, 3)]]
    assert chunks[0].tokens == 300
    (part,) = joined(chunks[0].parts)
    assert (part.tokens, part.tokens_ceiling, part.size) == (300, 600, 3000)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (PageBounds(pages=2), [[(1, 2)], [(3, 4)], [(5, 5)]]),
        (PageBounds(pages=3, overlap_pages=1), [[(1, 3)], [(3, 5)]]),
        (PageBounds(tokens=250), [[(1, 2)], [(3, 4)], [(5, 5)]]),
        (PageBounds(size_bytes=3500), [[(1, 3)], [(4, 5)]]),
        (PageBounds(tokens=10), [[(1, 1)], [(2, 2)], [(3, 3)], [(4, 4)], [(5, 5)]]),
    ],
    ids=["pages", "overlap", "tokens", "size", "each too large"],
)
def test_a_call_takes_as_many_pages_as_the_bounds_let_it(bounds, expected):
    assert spans(chunk_pages(tuple(map(page, range(1, 6))), COUNTER, bounds)) == expected


def test_drawn_pages_and_parts_of_a_mail_stay_apart():
    drawn = tuple(page(number, media_type="image/png", px=1300) for number in (1, 2))
    assert spans(chunk_pages(drawn, COUNTER, PageBounds())) == [[(1, 1), (2, 2)]]
    mail = (TextPart("see attached"), page(1, piece=1), page(2, piece=1), page(1, piece=2))
    (whole,) = chunk_pages(mail, COUNTER, PageBounds())
    assert spans([whole]) == [[(1, 2), (1, 1)]]
    assert whole.text == "see attached"


def test_a_refused_chunk_is_asked_in_halves_or_as_the_refusal_says():
    chunk = Chunk(0, 0, 0, tuple(map(page, range(1, 6))), 500)
    sent = lambda pieces: [(parts[0].first, parts[-1].last) for parts in pieces]  # noqa: E731
    assert sent(halved(chunk, 0)) == [(1, 3), (4, 5)]
    assert sent(halved(chunk, 0, most_pages=2)) == [(1, 2), (3, 4), (5, 5)]
    assert sent(halved(chunk, 1)) == [(1, 3), (3, 5)]
    assert sent(halved(chunk, 0, most_pages=100)) == [(1, 3), (4, 5)]
    assert len(halved(replace(chunk, parts=chunk.parts[:1]), 0)) == 1


PARTS = st.lists(
    st.one_of(
        st.integers(1, 4000).map(lambda tokens: page(1, tokens=tokens, size=tokens * 3)),
        st.text(min_size=1, max_size=300).filter(str.strip).map(TextPart),
    ),
    min_size=1,
    max_size=40,
)
BOUNDS = st.builds(
    PageBounds,
    pages=st.integers(1, 25),
    overlap_pages=st.integers(0, 12),
    tokens=st.integers(1, 9000),
    size_bytes=st.integers(1, 30_000),
)


@given(PARTS, BOUNDS)
def test_every_page_goes_in_order_and_no_call_holds_more_than_it_may(parts, bounds):
    files = [replace(part, first=at, last=at) for at, part in enumerate(parts, 1) if isinstance(part, FilePart)]
    numbered = iter(files)
    whole = tuple(next(numbered) if isinstance(part, FilePart) else part for part in parts)
    chunks = chunk_pages(whole, COUNTER, bounds)
    sent = [[part.first for part in one.parts if isinstance(part, FilePart)] for one in chunks]
    assert sorted({number for pages in sent for number in pages}) == [part.first for part in files]
    assert all(pages == sorted(pages) for pages in sent)
    assert "".join(one.text for one in chunks) == "".join(part.text for part in whole if isinstance(part, TextPart))
    for one in chunks:
        if len(one.parts) > 1:
            pages = [part for part in one.parts if isinstance(part, FilePart)]
            assert len(pages) <= bounds.pages
            assert one.tokens <= bounds.tokens
            assert sum(part.size for part in pages) <= bounds.size_bytes
    assert [one.number for one in chunks] == list(range(len(chunks)))
