"""Rows that workers die of: doubted, alone, named."""

from pipeline.engine.executors.deaths import Deaths, deadly_text


def test_a_row_that_is_open_at_each_death_is_the_one():
    """Others of the first death have done no harm, or were not open at the next."""
    deaths = Deaths(doubted=1, most=3)
    assert deaths.died([4, 7, 9]) is None
    assert deaths.suspects == (4, 7, 9)
    deaths.ended(4)
    assert not deaths.is_suspect(4)
    assert deaths.died([7]) is None
    assert deaths.died([8]) is None
    assert deaths.died([7]) == 7
    assert deadly_text("r7", 3).startswith("row r7: 3 workers have died while they had it; what kills them may be")


def test_nobody_is_suspected_without_a_death():
    deaths = Deaths(doubted=1, most=2)
    assert deaths.died([]) is None
    assert (deaths.suspects, deaths.is_suspect(0)) == ((), False)
