"""Which chunks of a document are asked about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.select import chosen, words_of

WORDS = st.sampled_from(["rent", "Miete", "date", "total", "the", "of", "請求書番号", "Größe", "\ud800", ""])
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=12)
QUERIES = st.lists(st.tuples(WORDS, st.floats(0, 2)), max_size=6)


@given(TEXTS, st.integers(0, 14), QUERIES)
def test_never_more_than_asked_for_the_first_among_them_and_in_order(texts, most, query):
    """And the same each time; 0, or as many as there are, leaves a document as it is."""
    found = chosen(texts, most, query)
    assert found == sorted(set(found)) == chosen(list(texts), most, list(query))
    assert len(found) == (min(most, len(texts)) if most else len(texts))
    assert set(found) <= set(range(len(texts)))
    assert not texts or found[0] == 0


@given(TEXTS, st.integers(1, 13), QUERIES)
def test_one_more_loses_none_of_those_before(texts, most, query):
    assert set(chosen(texts, most, query)) <= set(chosen(texts, most + 1, query))


@given(st.integers(3, 12), st.data())
def test_the_chunk_that_says_what_is_asked_is_among_them(chunks, data):
    place = data.draw(st.integers(0, chunks - 1))
    texts = ["weather and other news"] * chunks
    texts[place] = "weather, and the NET-TOTAL"
    assert place in chosen(texts, 2, [("total", 1.0), ("weather", 1.0)])


def test_of_equal_ones_the_earlier_are_taken():
    assert chosen(["a", "b", "b", "b"], 3, [("b", 1.0)]) == [0, 1, 2]
    assert chosen(["a", "b", "c", "d"], 3, []) == [0, 1, 2]


def test_a_rare_word_counts_for_more_than_one_that_all_have_and_a_long_chunk_needs_more_of_it():
    assert chosen(["", "the the the", "the lease", "the"], 2, [("the", 1.0), ("lease", 1.0)]) == [0, 2]
    assert chosen(["", "lease and " + "more " * 50, "lease"], 2, [("lease", 1.0)]) == [0, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Fällig_am 3.5.", ["fallig", "am", "3", "5"]),
        ("STRASSE Straße ﬁne", ["strasse", "strasse", "fine"]),
        ("請求書 A", ["請求", "求書", "a"]),
        ("\ud800 ok", ["ok"]),
    ],
)
def test_words_are_compared_without_case_accents_and_forms(text, words):
    assert list(words_of(text)) == words
