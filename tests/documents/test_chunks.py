"""Chunks fit, cover the text, break at the best place, and count what they say."""

from itertools import pairwise

import pytest
from each_case import each_case
from examples import examples
from hypothesis import example, given
from hypothesis import strategies as st
from places import REPO

from pipeline.documents.boundaries import is_safe
from pipeline.documents.chunks import available_tokens, chunk, rough_tokens
from pipeline.documents.tokens import counter_for
from pipeline.text import repaired

O200K = counter_for("openai", "gpt-4o-mini")
CL100K = counter_for("openai", "gpt-4")
CLAUDE = counter_for("anthropic", "claude-sonnet-5")
COUNTERS = st.sampled_from([O200K, CL100K, CLAUDE])
FRAGMENTS = [
    *("The quick brown fox. ", "jumps", "invoice 1,234.56 USD\n", "Really?", "! ", "'s", "\u2019ll", "a", "Z", "9"),
    *("\n", "\n\n", "\n\n\n", "\r\n", "\r\n\r\n", " ", "   ", "\t", "\u3000", "\u00a0", "\x0c", "\x1c", "\u2028"),
    *("我们在这里。", "东京都、", "\u300cはい\u300d\uff01", "ไทยไม่มีช่องว่าง", "한국어 텍스트", "İ", "\U0001d49c"),
    *("👩\u200d👩\u200d👧\u200d👦", "👍🏽", "e\u0301\u0302", "\u0301", "🇩🇪", "\ud83d\ude00", "\ud800", "\udfff"),
    *("<|endoftext|>", "QmFzZTY0IGRhdGE9PT0K", "# Head\n", "## Head\n", "-----\n", "/", "//", "\n/", ".\n", ".\n/x"),
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join), st.text(st.characters(codec=None), max_size=60)
)
LIMITS = st.tuples(st.integers(1, 200), st.floats(0, 0.49)).map(lambda pair: (pair[0], int(pair[0] * pair[1])))


class Forbidden:
    """A counter that may not be asked."""

    name, exact, additive = "forbidden", True, True

    def count(self, text):
        raise AssertionError(text)

    ends = count


def cuts(text, max_tokens, counter=O200K):
    return [piece.text for piece in chunk(text, counter, max_tokens)]


@examples(150)
@given(TEXTS, LIMITS, COUNTERS)
@example("\ud83d\ude00" * 9, (2, 0), O200K)
@example("\r\n" * 9, (1, 0), CLAUDE)
@example("a" * 300, (100, 49), O200K)
def test_chunks_fit_and_cover_the_text(text, limits, counter):
    """Every chunk fits as counted afresh, says its count and its place, and no character is lost or split."""
    max_tokens, overlap = limits
    pieces = chunk(text, counter, max_tokens, overlap, exact=True)
    covered = begun = 0
    for number, piece in enumerate(pieces):
        assert (piece.number, piece.text) == (number, text[piece.start : piece.end])
        assert piece.tokens == counter.count(piece.text)
        assert piece.tokens <= max_tokens or len(repaired(piece.text)) == 1 or piece.text == "\r\n"
        assert begun <= piece.start <= covered < piece.end
        assert piece.start == covered or counter.count(text[piece.start : covered]) <= overlap
        assert piece.start > begun or number == 0
        for edge in (piece.start, piece.end):
            assert text[max(0, edge - 1) : edge + 1] != "\r\n"
            assert len(repaired(text[:edge])) + len(repaired(text[edge:])) == len(repaired(text))
        begun, covered = piece.start, piece.end
    assert covered == len(text)


@examples(150)
@given(TEXTS.map(repaired), st.sampled_from([O200K, CL100K]), st.data())
def test_counts_add_up_at_safe_places(text, counter, data):
    """Between any start and end, the counts on both sides of a safe place add up, so they may be subtracted."""
    start = data.draw(st.integers(0, len(text)))
    part = text[start : data.draw(st.integers(start, len(text)))]
    for at in range(1, len(part)):
        if is_safe(part, at):
            assert counter.count(part[:at]) + counter.count(part[at:]) == counter.count(part), (part, at)


@pytest.mark.parametrize("counter", [O200K, CL100K], ids=lambda counter: counter.name)
def test_the_whole_text_is_tokenised_once(counter):
    """On ordinary prose no chunk is counted again: the counts come from one pass."""

    class Once:
        name, exact, additive = counter.name, True, True

        def ends(self, text):
            return counter.ends(text)

        count = Forbidden.count

    text = "".join(f"Line {n} of the report says that all is well.\nMore of it follows here. " for n in range(300))
    pieces = chunk(text, Once(), 100)
    assert len(pieces) > 50
    assert [piece.tokens for piece in pieces] == [counter.count(piece.text) for piece in pieces]


WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"


@each_case(
    ("larger", "kept", "smaller"),
    [
        ("\x0c", "\x0c", "\n\n"),
        ("\n\n\n", "\n\n\n", "\n\n"),
        ("\n## ", "\n", "\n\n"),
        ("\n\n# ", "\n\n", "\n\n"),
        ("\n\n-----\n", "\n\n", "\n\n"),
        ("\n\n", "\n\n", "\n# no heading: "),
        ("\r\n\r\n", "\r\n\r\n", "\r\n"),
        ("\n", "\n", ". "),
        (". ", ".", ", "),
        ("!) ", "!)", " "),
        ("\u3002\u300d", "\u3002\u300d", "\uff0c"),
    ],
)
def test_the_largest_boundary_in_reach_wins(larger, kept, smaller):
    """A section before a paragraph before a line before a sentence before a word, though the smaller fills more."""
    text = f"{WORDS}{larger}four more words here{smaller}{WORDS} {WORDS}"
    assert cuts(text, 30)[0] == WORDS + kept


def test_a_boundary_below_half_of_the_window_is_passed_over():
    """A heading near the start does not make a tiny chunk."""
    text = f"{WORDS}\n\n{WORDS} {WORDS} {WORDS} {WORDS} {WORDS}"
    assert len(cuts(text, 60)[0]) > 2 * len(WORDS)


def test_words_and_graphemes_stay_whole():
    """With no other boundary, cuts fall before blanks, else between what a reader sees as characters."""
    assert all(piece.startswith(" ") for piece in cuts(WORDS.replace(".", ""), 5)[1:])
    family = "👩\u200d👩\u200d👧\u200d👦"
    assert set("".join(cuts(family * 12, 60)).split(family)) == {""}
    assert all(piece.count("👦") * len(family) == len(piece) for piece in cuts(family * 12, 60))
    assert all(not piece.startswith("\u0301") for piece in cuts("e\u0301" * 50, 7))


def test_a_character_that_does_not_fit_stands_alone():
    """Nothing is dropped and nothing loops: the count is true and above the limit."""
    pieces = chunk("\U0001d49c" * 2, O200K, 1)
    assert [(piece.text, piece.tokens) for piece in pieces] == [("\U0001d49c", O200K.count("\U0001d49c"))] * 2
    assert pieces[0].tokens > 1


def test_overlap_starts_at_a_sentence_or_word():
    """The next chunk begins again at a boundary within the overlap, and always reaches further than the last."""
    text = " ".join(f"Sentence number {n} is here." for n in range(60))
    pieces = chunk(text, O200K, 60, 20)
    for last, following in pairwise(pieces):
        shared = text[following.start : last.end]
        assert shared.startswith(" Sentence")
        assert 5 <= O200K.count(shared) <= 20
    assert len(pieces) < 2 * len(chunk(text, O200K, 60))


def test_a_small_text_is_not_tokenised():
    """No more bytes than tokens allowed: one chunk with a rough count."""
    (only,) = chunk("Größe: 12", Forbidden(), 12)
    assert (only.start, only.end, only.tokens) == (0, 9, rough_tokens("Größe: 12"))
    assert chunk("Größe: 12", O200K, 12, exact=True)[0].tokens == O200K.count("Größe: 12")
    assert chunk("", Forbidden(), 12) == []


INVOICES = (REPO / "sample_data" / "invoices.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [INVOICES, f"{WORDS}. " * 9, "我们在这里写一份报告。" * 30])
def test_the_rough_count_is_near(text):
    """Within about a third on prose, invoices and Chinese; never 0."""
    assert 0.65 < rough_tokens(text) / O200K.count(text) < 1.7
    assert rough_tokens("") == 1


@pytest.mark.parametrize(("max_tokens", "overlap"), [(0, 0), (-1, 0), (10, 5), (10, -1), (1, 1)])
def test_bad_limits_are_refused(max_tokens, overlap):
    """An overlap of half a chunk would go nowhere."""
    with pytest.raises(ValueError, match=f"max_tokens = {max_tokens}, overlap_tokens = {overlap}"):
        chunk("text", O200K, max_tokens, overlap)


def test_available_tokens():
    """Window less output, fixed part and margin; the provider's cap on input where there is one; numbers when none."""
    assert available_tokens(128_000, 1_024, 500) == 128_000 - 1_024 - 500 - 2_560
    assert available_tokens(100, 10, 0, 0.001) == 89
    assert available_tokens(400_000, 1_024, 500, max_input_tokens=272_000) == 272_000 - 500 - 8_000
    with pytest.raises(ValueError, match=r"window 8192, less output 8192, prompt and schema 40 and margin 164.*-204"):
        available_tokens(8_192, 8_192, 40)
