"""When batches are looked at and called off: bounds that hold whatever the job says."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.batches.schedule import CANCEL_S, MARGIN_S, deadline_plan, live_s, look_after_s

AGES_S = st.floats(0, 1e6)
SPANS_S = st.floats(1, 200_000)
REQUESTS = st.integers(0, 1_000_000)


@given(AGES_S, st.floats(0.01, 1000))
def test_looks_are_never_later_than_poll_s(age_s, poll_s):
    assert 0 < look_after_s(age_s, poll_s) <= poll_s


@given(AGES_S, AGES_S)
def test_older_batches_are_looked_at_less_often(one_s, other_s):
    assert look_after_s(min(one_s, other_s), 0.0) <= look_after_s(max(one_s, other_s), 0.0)


@given(SPANS_S, REQUESTS, st.integers(0, 10_000), st.integers(1, 500))
def test_batches_have_half_of_the_span_and_are_called_off_before_its_end(span_s, requests, per_minute, concurrency):
    plan = deadline_plan(span_s, 0.0, requests, provider="openai", per_minute=per_minute, concurrency=concurrency)
    assert span_s / 2 <= plan.cancel_s <= span_s


@given(SPANS_S, REQUESTS, st.integers(0, 10_000), st.integers(1, 500))
def test_what_is_left_fits_live_or_the_batch_has_only_its_half(span_s, requests, per_minute, concurrency):
    plan = deadline_plan(span_s, 0.0, requests, provider="openai", per_minute=per_minute, concurrency=concurrency)
    need_s = live_s(requests, per_minute=per_minute, concurrency=concurrency) + CANCEL_S["openai"] + MARGIN_S
    assert plan.cancel_s + need_s <= span_s + 1e-6 or plan.cancel_s == span_s / 2
