"""Limits of an account as several runs share them: the stricter of what jobs give, and carried on by another run."""

import json
from decimal import Decimal

import pytest
from msgspec import json as packed

from pipeline.admission.charges import Need
from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.handover import Handover
from pipeline.admission.limits import AccountLimits
from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT, CallEnd, Report
from pipeline.admission.tickets import Ticket
from pipeline.catalog.limit_profiles import AZURE, UNKNOWN
from pipeline.types import Dimension, LimitSeen

NEED = Need(10, 10, Decimal(0))


def sent(limits, now_s, seconds=60.0, most=10**6):
    """The times at which calls are let out, as fast as it goes; each is answered at once."""
    found, end_s = [], now_s + seconds
    while now_s < end_s and len(found) < most:
        ticket = limits.offer(NEED, now_s)
        if isinstance(ticket, Ticket):
            limits.finish(ticket, FATE_UNKNOWN, now_s)
            found.append(now_s)
        else:
            now_s += max(ticket.seconds, 1e-3)
    return found


def carried_on(limits, rules, now_s, clock_s=5000.0):
    """By a run whose clock shows something else, as it is told over a line."""
    told = packed.decode(packed.encode(limits.handover(now_s)), type=Handover)
    governor = Governor(rules)
    governor.take_over(told, clock_s)
    return governor.limits


def test_the_stricter_limit_of_two_jobs_counts():
    """Whichever of both gives it, and whether or not the other gives one."""
    for own, other in ((0, 300), (600, 300), (300, 600)):
        limits = AccountLimits(LimitRules(concurrency=1000, requests_per_minute=own))
        limits.give({Dimension.REQUESTS: float(other)})
        assert len(sent(limits, 100.0)) == 300


def test_a_limit_of_another_job_refuses_no_row():
    """One that needs more than it goes when the whole minute is free."""
    limits = AccountLimits(LimitRules(concurrency=1000))
    limits.give({Dimension.INPUT_TOKENS: 5.0})
    assert limits.refusal(NEED) is None
    assert len(sent(limits, 100.0, seconds=130.0)) == 3


@pytest.mark.parametrize("profile", [UNKNOWN, AZURE])
def test_no_minute_has_more_than_the_limit_when_another_run_carries_on(profile):
    """Half a minute's worth before, and the rest after: what was let in is known to who takes over."""
    rules = LimitRules(concurrency=1000, requests_per_minute=120, profile=profile)
    before = AccountLimits(rules)
    assert len(sent(before, 100.0, seconds=60.0, most=80)) == 80
    after = carried_on(before, rules, 120.0)
    assert len(sent(after, 5000.0, seconds=39.0)) <= 40


def test_a_bucket_that_headers_told_of_is_as_full_as_it_was():
    rules = LimitRules(concurrency=1000)
    before = AccountLimits(rules)
    ticket = before.offer(NEED, 100.0)
    seen = (LimitSeen(Dimension.REQUESTS, 60.0, 5.0, None),)
    before.finish(ticket, Report(None, CallEnd.ANSWERED, seen), 100.0)
    assert before.views(100.0)[0].level == pytest.approx(5.0)
    after = carried_on(before, rules, 110.0)
    assert after.views(5000.0)[0].level == pytest.approx(15.0)
    assert after.views(5000.0)[0].limit_per_minute == 60.0


def test_a_closed_gate_and_an_open_circuit_are_handed_over():
    before = AccountLimits(LimitRules(concurrency=10))
    before.hint(30.0, 100.0)
    for _ in range(5):
        before.on_overloaded(100.0, 0.5)
    after = carried_on(before, LimitRules(concurrency=10), 110.0)
    assert (after.gate_until_s, after.open_since_s) == (5020.0, 4990.0)


def test_calls_that_another_run_has_let_out_are_counted_once():
    """They take a slot, and what they turn out not to have used is given back; what they took is in the handover."""
    rules = LimitRules(concurrency=2, input_tokens_per_minute=1000)
    before = AccountLimits(rules)
    ticket = before.offer(NEED, 100.0)
    level = before.views(100.0)[0].level
    after = carried_on(before, rules, 100.0)
    adopted = after.adopt(ticket.need, 5000.0)
    assert (after.in_flight, after.views(5000.0)[0].level) == (1, level)
    after.finish(adopted, NEVER_SENT, 5000.0)
    assert after.in_flight == 0


def test_slots_of_a_run_that_has_died_are_held_where_slots_are_what_is_short():
    limits = AccountLimits(LimitRules(concurrency=64, first_window=16))
    assert limits.slots == 16
    limits.gone = 10
    assert limits.slots == 6
    limits.gone = 100
    assert limits.slots == 1
    limits.give({Dimension.REQUESTS: 6000.0})
    assert limits.slots == 64


def test_what_is_handed_over_is_plain_json():
    limits = AccountLimits(LimitRules(concurrency=10, requests_per_minute=100))
    sent(limits, 100.0, seconds=5.0)
    assert json.loads(packed.encode(limits.handover(105.0)))["dimensions"]["requests"]["used"]
