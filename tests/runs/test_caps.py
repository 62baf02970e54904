"""Hard caps under concurrency, by the provider's own bill: benchmarks/caps.py on a few seeds, of a thousand there."""

import sys
from decimal import Decimal

import pytest
from places import REPO

sys.path.append(str(REPO / "benchmarks"))

from caps import night

BLOCKS = [range(2), range(2, 4)]


@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
def test_the_bill_is_never_above_max_usd_and_nine_tenths_of_it_are_used(seeds):
    """500 calls in flight, log-normal output, repairs, 429s and 5xx: it parks when the next call might break it."""
    for seed in seeds:
        one = night(seed, cut=0.0)
        assert one.parked
        assert Decimal("0.9") * one.cap_usd <= one.billed_usd <= one.cap_usd
        assert one.booked_usd == one.billed_usd


@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
def test_the_bill_is_never_above_max_usd_when_every_answer_fills_its_cap(seeds):
    """Nothing is left over from output, so that it is the bound on input tokens, learned from answers, that counts."""
    for seed in seeds:
        one = night(seed, cut=0.0, output_log_mean=20.0)
        assert one.parked
        assert one.billed_usd <= one.cap_usd


@pytest.mark.parametrize("seeds", BLOCKS[:1], ids=str)
def test_answers_that_never_came_are_counted_at_their_worst(seeds):
    """One call in fifty is billed and its answer is cut off: what we book is never less than what is asked for."""
    for seed in seeds:
        one = night(seed)
        assert one.billed_usd <= one.booked_usd <= one.cap_usd
        assert one.booked_usd >= Decimal("0.9") * one.cap_usd


@pytest.mark.parametrize("seed", range(2))
def test_no_tenant_costs_more_than_its_day_and_a_poor_one_parks_its_own_rows_only(seed):
    """Seven tenants, each with a cap too small for all its rows: the run goes on until all have used theirs."""
    cap = Decimal("0.03")
    one = night(seed, tenant_cap_usd=cap, rows=1500)
    assert not one.parked
    assert len(one.tenants_over) == 7
    assert all(Decimal("0.8") * cap <= usd <= cap for usd in one.billed_by_tenant.values())
