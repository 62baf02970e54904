"""Text from anywhere, made fit to be shown."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import inert


@given(st.text())
def test_inert_text_has_nothing_that_a_terminal_acts_on(text):
    """Control characters, escapes and changes of direction are spelled out; the rest stays as it is."""
    shown = inert(text)
    controls = {chr(code) for code in (*range(32), *range(127, 160), 0x202E, 0x2066)} - {"\n"}
    assert not controls & set(shown)
    if text.isprintable():
        assert shown == text
