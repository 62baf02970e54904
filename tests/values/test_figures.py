"""Numbers and dates as documents print them, as the sandbox's rules read them."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.values import figures


@given(st.decimals(-999_999, 999_999, places=2), st.sampled_from([",", ".", " ", "'"]), st.sampled_from([".", ","]))
@settings(max_examples=50)
def test_a_number_is_read_as_it_was_printed(value, thousands, mark):
    """Whatever separates thousands and cents."""
    if thousands == mark:
        return
    printed = f"{value:,.2f}".replace(".", "|").replace(",", thousands).replace("|", mark)
    found = figures.numbers(f"Sum: {printed} EUR", mark)
    assert [one.value for one in found] == [value]


PRINTED_DATES = ["%d %B %Y", "%Y-%m-%d", "%d.%m.%Y", "%B %d, %Y", "%d-%b-%Y", "%Y年%m月%d日", "%dth of %B %Y"]


@given(st.dates(date(1990, 1, 1), date(2099, 12, 31)), st.sampled_from(PRINTED_DATES))
@settings(max_examples=50)
def test_a_date_is_read_as_it_was_printed(day, style):
    """In words or figures, day, month or year first."""
    found = figures.dates(f"on {day.strftime(style)} at noon", dollars=False)
    assert [one.day for one in found] == [day]


def test_one_clear_date_says_how_the_others_are_meant():
    """03/04/2026 is in March when another date of the page can only be month first, or when it is about dollars."""
    assert [one.day.month for one in figures.dates("03/04/2026, 04/28/2026", dollars=False)] == [3, 4]
    assert [one.day.month for one in figures.dates("03/04/2026, 28/04/2026", dollars=True)] == [4, 4]
    assert [one.day.month for one in figures.dates("03/04/2026", dollars=True)] == [3]
