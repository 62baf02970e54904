"""A run that leaves its estimate says so."""

from decimal import Decimal

import pytest

from pipeline.money import dollars
from pipeline.telemetry.drift import drifted

BAND = (Decimal(8), Decimal(10), Decimal(12))


@pytest.mark.parametrize(
    ("spent", "done", "says"),
    [
        ("0.5", 19, None),  # too few to say anything
        ("2.5", 200, None),  # comes to 12.50, which 200 rows may by chance
        ("5", 500, None),
        ("7.5", 500, "more"),
        ("15", 1000, "more"),
        ("2", 500, "less"),
        ("12.2", 1000, "more"),  # all done: nothing is left to chance
    ],
)
def test_a_run_that_leaves_its_estimate_is_told_with_what_it_comes_to(spent, done, says):
    told = drifted(BAND, Decimal(spent), done, 1000)
    assert (told is None) == (says is None)
    if says:
        assert f"costs {says} than its estimate" in told
        assert f"comes to {dollars(Decimal(spent) * 1000 / done)} for all" in told
