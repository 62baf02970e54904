"""The sandbox's chance, buckets and counts: functions of their arguments and nothing else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_client import SCHEMA, SHARES

from pipeline.errors import JobError
from pipeline.job.settings import Sandbox
from pipeline.sandbox.exchange import cut, tokens_of
from pipeline.sandbox.faults import Fault, Faults, latency_factor, spoiled
from pipeline.sandbox.quota import Quota
from pipeline.sandbox.wires.openai.wire import go_duration


@settings(max_examples=3, deadline=None)
@given(st.integers(), st.lists(st.floats(0, 1), min_size=7, max_size=7), st.floats(0, 1))
def test_shares_hold(seed, weights, total):
    """Each fault befalls its share of 20,000 requests, to within six standard deviations, for any seed."""
    scale = total / sum(weights) if sum(weights) > 1e-6 else 0.0
    shares = {name: min(1.0, weight * scale) for name, weight in zip(SHARES, weights, strict=True)}
    faults, count = Faults(Sandbox(seed=seed, **shares)), 20_000
    drawn = [faults.draw(number.to_bytes(16, "big"), 0).fault for number in range(count)]
    for name, share in shares.items():
        deviation = (count * share * (1 - share)) ** 0.5
        assert abs(drawn.count(Fault(name)) - count * share) <= 6 * deviation + 1e-6 * count + 1, name


def test_shares_over_one_are_an_error():
    """Shares that add up to more than 1, or are none, are refused by name."""
    with pytest.raises(JobError, match=r"add up to 1\.2.*throttled = 0\.6.*refused = 0\.6"):
        Faults(Sandbox(throttled=0.6, refused=0.6))
    with pytest.raises(JobError, match=r"truncated = -0\.1"):
        Faults(Sandbox(truncated=-0.1))
    Faults(Sandbox(throttled=0.1, server_error=0.2, timeout=0.7))


@settings(max_examples=50, deadline=None)
@given(st.integers(), st.binary(min_size=16, max_size=16), st.integers(0, 1000))
def test_a_draw_depends_on_nothing_else(seed, digest, seen):
    """The lot of a request is a function of seed, request and how often it was seen; each of them matters."""
    faults, again = Faults(Sandbox(seed=seed, latency_ms=10)), Faults(Sandbox(seed=seed, latency_ms=10))
    again.draw(b"other", 3)
    assert faults.draw(digest, seen) == again.draw(digest, seen)
    tags = {faults.draw(digest, seen).tag, faults.draw(digest, seen + 1).tag, faults.draw(digest + b"x", seen).tag}
    assert len(tags | {Faults(Sandbox(seed=seed + 1)).draw(digest, seen).tag}) == 4


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=4, max_size=4))
def test_latency_stays_near(chance):
    """Latency is within 50 % of what was asked for."""
    assert 0.5 <= latency_factor(chance) <= 1.5


@given(st.dictionaries(st.sampled_from(["name", "note", "more"]), st.one_of(st.none(), st.text(), st.lists(st.text()))))
@settings(max_examples=50, deadline=None)
def test_spoiled_answers_do_not_fit(record):
    """In all four ways, an answer is not the JSON that it should have been."""
    for variant in range(4):
        try:
            assert json.loads(spoiled(record, SCHEMA, variant)) != record
        except json.JSONDecodeError:
            assert variant in {2, 3}


def test_each_way_of_spoiling():
    """A field is missing that may not be null, a scalar is an object, the JSON has no end, or prose is around it."""
    record = {"name": "x", "note": None}
    assert json.loads(spoiled(record, SCHEMA, 0)) == {"note": None}
    assert json.loads(spoiled(record, SCHEMA, 1)) == {"name": {"unexpected": "x"}, "note": None}
    assert spoiled(record, SCHEMA, 2) == '{"name":"x","note":null,'
    assert '{"name":"x","note":null}' in spoiled(record, SCHEMA, 3)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 100),
    st.integers(100, 10_000),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 100), st.integers(0, 100)), max_size=60),
)
def test_buckets_never_give_more_than_a_minute_and_the_refill(per_minute, tokens_per_minute, calls):
    """What is admitted, less what was given back, is never more than the capacity and the refill since the start."""
    quota, now_s, admitted, spent = Quota(per_minute, tokens_per_minute, 0.0), 0.0, 0, 0
    for wait_s, charged, used in calls:
        now_s += wait_s
        if quota.admit(charged, now_s) is None:
            admitted += 1
            spent += min(used, charged)
            quota.settle(charged, min(used, charged), now_s)
        assert admitted <= per_minute * (1 + now_s / 60) + 1e-3
        assert spent <= tokens_per_minute * (1 + now_s / 60) + 1e-3
        for level in quota.levels(now_s):
            assert 0 <= level.remaining <= level.limit
            assert 0 <= level.reset_s <= 60


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 500), st.integers(100, 50_000), st.lists(st.integers(1, 100), min_size=1, max_size=300))
def test_the_hint_is_true(per_minute, tokens_per_minute, charges):
    """After the wait that a denial names the same request is admitted, and a moment before it is not."""
    quota, now_s = Quota(per_minute, tokens_per_minute, 5.0), 5.0
    for charge in charges:
        denial = quota.admit(charge, now_s)
        if denial is not None:
            if denial.retry_after_s > 1e-3:
                assert quota.admit(charge, now_s + denial.retry_after_s * 0.99) is not None
            now_s += denial.retry_after_s
            assert quota.admit(charge, now_s) is None


def test_what_can_never_fit_has_no_hint():
    """A request larger than a whole minute's tokens is denied without a wait, and charged to nothing."""
    quota = Quota(10, 100, 0.0)
    assert quota.admit(101, 0.0).retry_after_s is None
    assert [level.remaining for level in quota.levels(0.0)] == [10, 100]


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(0, 20))
def test_a_cut_fits_and_is_longest(text, tokens):
    """A cut answer counts at most the cap, and one more character would not have fitted."""
    start = cut(text, tokens)
    assert text.startswith(start)
    assert tokens_of(start) <= tokens
    if len(start) < len(text):
        assert tokens_of(text[: len(start) + 1]) > tokens


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.0195, "20ms"), (1, "1s"), (1.5, "1.5s"), (60, "1m0s"), (362.25, "6m2.25s")]
)
def test_durations_are_written_as_go_does(seconds, text):
    """The reset headers are durations as the provider writes them."""
    assert go_duration(seconds) == text
