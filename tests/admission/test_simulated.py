"""Short runs of the simulator in benchmarks/admission: the real governor against all kinds of providers, and an oracle.

Learning costs a few seconds and some tens of 429s whatever the length of the run, which the bounds for these short runs
leave room for. The long runs and their bounds are in docs/admission.md.
"""

import sys
from dataclasses import replace

import pytest
from places import REPO

sys.path.append(str(REPO / "benchmarks" / "admission"))

from scenarios import BY_NAME, Mix, Scenario
from simulate import oracle, ours, simulate

ROWS = 2000


def both(scenario, seed=1):
    scenario = replace(scenario, rows=min(ROWS, scenario.rows))
    return simulate(scenario, oracle, seed), simulate(scenario, ours, seed)


@pytest.mark.parametrize("name", ["S1", "S2", "S6", "S8", "S9", "S18", "S19"])
def test_known_limits_are_used_up_without_429s(name):
    """Told by headers or given by the job: buckets, minutes, hidden seconds, large rows, output as produced."""
    best, run = both(BY_NAME[name])
    assert run.makespan_s <= 1.03 * best.makespan_s + 10.0
    assert run.throttled <= 8 + 0.005 * run.calls
    assert run.p99_s <= 1.05 * best.p99_s


@pytest.mark.parametrize("name", ["S3", "S5", "S10", "S11", "S12", "S15", "S16"])
def test_unknown_limits_are_found(name):
    """Silent buckets of a minute and of two seconds, a count, slots, a wrong figure in the job."""
    best, run = both(BY_NAME[name])
    assert run.makespan_s <= 1.06 * best.makespan_s + 10.0
    assert run.throttled <= 60 + 0.01 * run.calls


@pytest.mark.parametrize("name", ["S21", "S22"])
def test_two_isolated_429s_that_name_a_limit_cost_a_minute_at_the_most(name):
    """From two minutes after them on, at least 95 % of the limit is used: a count per minute, and a bucket."""
    run = simulate(replace(BY_NAME[name], rows=6000), ours, 1)
    last_s = run.arrivals[14][0]
    assert [number for number, arrival in enumerate(run.arrivals[:100], 1) if not arrival[2]] == [4, 15]
    for passed in (1, 2):
        since_s = last_s + 60.0 * passed
        assert sum(let_in for at_s, _, let_in in run.arrivals if since_s < at_s <= since_s + 60.0) >= 0.95 * 1200


def test_two_processes_on_one_key_share_it_without_429s():
    """Each sees the other in what remains."""
    best, run = both(BY_NAME["S13"])
    assert run.makespan_s <= 1.03 * best.makespan_s + 10.0
    assert run.throttled <= 0.005 * run.calls


def test_an_outage_is_waited_out_and_what_was_saved_meanwhile_is_used():
    """45 s in the middle of a run, and 2 % of attempts that fail."""
    shift = replace(BY_NAME["S7"].rules, outage=(60.0, 105.0))
    best, run = both(replace(BY_NAME["S7"], rules=shift))
    assert run.makespan_s <= 1.03 * best.makespan_s + 15.0  # the last of those that failed may be a long one


def test_an_oversized_max_output_tokens_costs_time_where_nothing_is_given_back():
    """And the governor can do nothing about it: 32 times the output reserved is many times the time."""
    scenario = replace(BY_NAME["S1"], rows=600)
    sized = simulate(scenario, ours, 1)
    oversized = simulate(replace(scenario, mix=Mix(max_output_tokens=32_000)), ours, 1)
    assert oversized.makespan_s > 6 * sized.makespan_s


def test_equal_seeds_give_equal_runs():
    """What the table is worth."""
    scenario: Scenario = replace(BY_NAME["S10"], rows=800)
    first, second = simulate(scenario, ours, 3), simulate(scenario, ours, 3)
    assert (first.makespan_s, first.throttled, first.arrivals) == (second.makespan_s, second.throttled, second.arrivals)
