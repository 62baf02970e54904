"""Text that can be sent and kept, and the name that somebody meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger.records import storable
from pipeline.text import did_you_mean, inert, nearest, repaired

PIECES = st.sampled_from(["a", "ü", "😀", "\ufeff", "\ud83d", "\ude00", "\udfff", "\x00"])


@given(st.lists(PIECES).map("".join))
def test_repaired_text_can_be_sent_and_is_the_same_wherever_it_is_repaired(text):
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert repaired(text) == storable(text) == whole
    assert whole.encode().decode() == whole


@pytest.mark.parametrize(
    ("name", "known", "otherwise", "told"),
    [
        ("txt", ["id", "text"], "", " Did you mean 'text'?"),
        ("price", ["id", "text"], " Its columns: id, text", " Its columns: id, text"),
        ("price", [], "", ""),
    ],
)
def test_a_message_ends_with_the_nearest_name_or_with_what_there_is(name, known, otherwise, told):
    assert did_you_mean(name, known, otherwise) == told


def test_how_near_is_near_enough_is_the_callers_to_say():
    assert nearest("abcd", ["abxy"]) == "abxy"
    assert nearest("abcd", ["abxy"], cutoff=0.6) is None


@given(st.text())
def test_inert_text_has_nothing_that_a_terminal_acts_on(text):
    """Control characters, escapes and changes of direction are spelled out; the rest stays as it is."""
    shown = inert(text)
    controls = {chr(code) for code in (*range(32), *range(127, 160), 0x202E, 0x2066)} - {"\n"}
    assert not controls & set(shown)
    if text.isprintable():
        assert shown == text
