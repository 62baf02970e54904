"""Limits that nobody tells: found from what is refused, kept for the next night, and never in the way of anything."""

import json
import math
import random
from decimal import Decimal

import pytest
from examples import examples
from halves import Halves
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.governor import GO, UNSENT, LimitRules, Need, Used
from pipeline.admission.learning.climb import Climb
from pipeline.admission.learning.learner import Learner, Refusal
from pipeline.catalog.limit_profiles import Profile
from pipeline.types import Dimension, LimitSeen

FREE = Decimal(0)
RTT_S = 0.05


def governor(concurrency=1000, **rules):
    return Halves(LimitRules(concurrency=concurrency, **rules))


class Server:
    """Answers `latency_s` after a call arrived, refuses after RTT_S. `accepts(now_s)` is its limit."""

    def __init__(self, accepts, latency_s=1.0, hint_s=None):
        self.accepts, self.latency_s, self.hint_s = accepts, latency_s, hint_s
        self.let_in, self.refused = [], []

    def run(self, gov, calls, inputs=lambda _: 1):
        """Send until so many were let in; the time it took."""
        now_s, out, chance, sent = 0.0, [], random.Random(1), 0
        while len(self.let_in) < calls:
            need = Need(inputs(len(self.let_in)), 1, FREE)
            wait = gov.wait(need, now_s)
            if wait == GO:
                ticket = gov.take(need, now_s)
                good = self.accepts(now_s)
                (self.let_in if good else self.refused).append(now_s)
                sent += 1
                out.append((now_s + (self.latency_s if good else RTT_S), sent, good, ticket))
                continue
            due_s = min((entry[0] for entry in out), default=math.inf)
            now_s = min(due_s, math.inf if wait.seconds is None else now_s + max(wait.seconds, 1e-4))
            for entry in sorted(entry for entry in out if entry[0] <= now_s):
                out.remove(entry)
                self.hear(gov, entry[3], now_s, good=entry[2], jitter=chance.random())
        return now_s

    def hear(self, gov, ticket, now_s, *, good, jitter):
        if good:
            gov.settle(ticket, Used(ticket.need.input_tokens, 1, FREE), now_s)
            gov.on_ok(now_s, ticket)
        else:
            gov.on_throttled(ticket, self.hint_s, now_s, jitter)
            gov.settle(ticket, Used(0, 0, FREE, rejected=True), now_s)


def bucket(per_s, burst_s):
    """Of requests, full at the start."""
    state = {"level": per_s * burst_s, "at": 0.0}

    def accepts(now_s):
        state["level"] = min(per_s * burst_s, state["level"] + (now_s - state["at"]) * per_s)
        state["at"] = now_s
        if state["level"] < 1.0 - 1e-9:
            return False
        state["level"] -= 1.0
        return True

    return accepts


def count(per_minute):
    """Of requests, which starts again with each minute of the clock."""
    state = {"minute": 0, "used": 0}

    def accepts(now_s):
        if int(now_s // 60) != state["minute"]:
            state.update(minute=int(now_s // 60), used=0)
        state["used"] += state["used"] < per_minute
        return state["used"] < per_minute

    return accepts


@examples(8)
@given(per_s=st.floats(8.0, 60.0), burst_s=st.sampled_from([1.0, 2.0, 10.0, 60.0]))
def test_a_silent_bucket_is_found_and_used_up(per_s, burst_s):
    """Whatever its size: 90 % of what it refills, and few refusals; learning costs some sixty of them at the most."""
    calls = int(200 * per_s)
    server = Server(bucket(per_s, burst_s))
    took_s = server.run(governor(), calls)
    assert took_s <= (calls / per_s - burst_s) / 0.9 + 10.0
    assert len(server.refused) <= 60 + 0.012 * calls


def test_a_silent_count_per_minute_is_used_up_at_the_start_of_each():
    """900 a minute of the clock: nothing is sent while it is shut, but a call now and then."""
    server = Server(count(900))
    took_s = server.run(governor(), 5 * 900)
    assert took_s <= 5 * 60 + 40
    assert len(server.refused) <= 90


def test_a_rate_that_falls_and_rises_is_followed():
    """Down to a third for three minutes, and back."""
    server = Server(bucket(30.0, 2.0))
    other = bucket(20.0, 2.0)  # what others take meanwhile
    accepts = server.accepts

    def shared(now_s):
        if 100 <= now_s < 280:
            while other(now_s):
                accepts(now_s)
        return accepts(now_s)

    server.accepts = shared
    server.run(governor(), 8000)
    late = [at_s for at_s in server.let_in if 340 <= at_s < 400]
    during = [at_s for at_s in server.let_in if 160 <= at_s < 280]
    assert len(late) >= 0.85 * 60 * 30
    assert 0.8 * 120 * 10 <= len(during) <= 1.05 * 120 * 10


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_refusals_at_random_are_found_to_be_no_limit(share):
    """Sixty slots, no limit: soon as fast as without them."""
    chance = random.Random(2)
    server = Server(lambda _: chance.random() >= share)
    assert server.run(governor(concurrency=60), 6000) <= 1.7 * 6000 / 60


def refusal(at_s, calls, dimension=None):
    """Of a call that was sent then; `calls` had been let in before, of 100 tokens each."""
    net = {Dimension.REQUESTS: float(calls), Dimension.TOKENS: 100.0 * calls}
    pace = {Dimension.REQUESTS: 10.0, Dimension.TOKENS: 1000.0}
    return Refusal(at_s, at_s + 0.1, net, float(calls), pace, 10.0, 0.0, dimension)


def learner_of(per_s):
    learner = Learner()
    learner.start({Dimension.REQUESTS: per_s, Dimension.TOKENS: 100.0 * per_s}, 60.0, counted=False)
    return learner


def test_a_lane_that_the_provider_names_is_the_one_that_is_kept():
    """Bedrock says what was too many: the other dimensions get some slack."""
    learner = learner_of(10.0)
    for number in range(3):
        learner.refused(refusal(20.0 * number, 200 * number, Dimension.TOKENS))
    assert (learner.primary, learner.slack(Dimension.TOKENS), learner.slack(Dimension.REQUESTS)) == (
        Dimension.TOKENS,
        1.0,
        1.25,
    )


def test_a_rate_that_has_changed_is_looked_for_faster():
    """Probes become rare while all stays the same, and frequent again after a fall."""
    learner, at_s, calls = learner_of(10.0), 0.0, 0
    for _ in range(8):
        learner.refused(refusal(at_s, calls))
        learner.apply(at_s + 1.2 * learner._period_s, 10.0)
        at_s, calls = at_s + 40.0, calls + 400
    calm_s = learner._period_s
    learner.apply(at_s - 39.0, 10.0)
    learner.refused(refusal(at_s - 30.0, calls - 400 + 30))
    assert learner._period_s < calm_s / 3


def test_behind_a_server_without_limits_slots_are_as_many_as_give_most_answers():
    """Forty at once, the others wait in its line: neither fewer nor many times more."""
    gov, now_s, busy_until = governor(first_window=16), 0.0, [0.0] * 40
    chance, out = random.Random(1), []
    for _ in range(6000):
        while gov.wait(Need(1, 1, FREE), now_s) == GO:
            ticket = gov.take(Need(1, 1, FREE), now_s)
            slot = busy_until.index(min(busy_until))
            busy_until[slot] = max(now_s, busy_until[slot]) + chance.lognormvariate(0.0, 0.5)
            out.append((busy_until[slot], len(out), ticket))
        out.sort()
        now_s, _, ticket = out.pop(0)
        gov.settle(ticket, Used(1, 1, FREE), now_s)
        gov.on_ok(now_s, ticket)
    assert 40 <= gov.slots <= 100
    kept = gov.learned()
    again = governor(learned=json.loads(json.dumps(kept)))
    assert 40 <= again.slots <= 100


def test_slots_that_nobody_wanted_say_nothing():
    """A slow reader is no slow server."""
    climb = Climb(16.0)
    for number in range(1000):
        climb.answered(float(number), busy=False)
    assert (climb.slots, climb.settled) == (16.0, None)


# ── for the next night ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_next_night_starts_where_this_one_ended():
    """Half of the refusals, and nothing lost by it."""
    first = Server(bucket(20.0, 60.0))
    gov = governor()
    took_s = first.run(gov, 5000)
    second = Server(bucket(20.0, 60.0))
    again = governor(learned=json.loads(json.dumps(gov.learned())))
    assert again.snapshot(0.0).dimensions[0].source == "learned"
    assert second.run(again, 5000) <= 1.05 * took_s
    assert len(second.refused) <= len(first.refused)


# ── whatever happens ────────────────────────────────────────────────────────────────────────────────────────────────

ODD = st.one_of(st.none(), st.sampled_from([0.0, -1.0, 1.0, 600.0, 1e9, math.inf, math.nan, 5e-324]), st.floats(0, 1e6))
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["take", "take", "take", "ok", "ok", "throttled", "throttled", "failed", "lost", "unsent", "told"]
        ),
        st.floats(0.0, 30.0),
        st.integers(0, 10**6),
        ODD,
        ODD,
        st.sampled_from([None, *Dimension]),
    ),
    max_size=120,
)
SHAPES = st.builds(
    Profile,
    settle=st.sampled_from(["none", "refund", "post"]),
    burn=st.sampled_from([1.0, 5.0]),
    minute=st.sampled_from(["bucket", "sliding"]),
    rejects_count=st.booleans(),
    learns=st.sampled_from(
        [(Dimension.REQUESTS, Dimension.TOKENS), (Dimension.REQUESTS, Dimension.INPUT_TOKENS), (Dimension.TOKENS,)]
    ),
)


@given(events=EVENTS, profile=SHAPES, rpm=st.sampled_from([0, 1, 600]), itpm=st.sampled_from([0, 10**7]), seed=ODD)
def test_no_sequence_of_events_breaks_anything(events, profile, rpm, itpm, seed):
    """Any headers, hints, refusals and failures, in any order: waits stay numbers, and nothing is held at the end."""
    learned = {"version": 1, "lanes": {"requests": {"per_minute": seed}}}
    gov = governor(20, profile=profile, requests_per_minute=rpm, input_tokens_per_minute=itpm, learned=learned)
    now_s, out = 0.0, []
    for what, idle_s, amount, limit, remaining, dimension in events:
        now_s += idle_s
        need = Need(amount, 100, FREE)
        if what == "take" and gov.refusal(need) is None and gov.wait(need, now_s) == GO:
            out.append(gov.take(need, now_s))
        elif out and what == "told":
            gov.on_limits(out[0], [LimitSeen(dimension or Dimension.REQUESTS, limit, remaining, limit)], now_s)
        elif out and what != "take":
            ticket = out.pop(amount % len(out))
            if what == "throttled":
                gov.on_throttled(ticket, remaining, now_s, 0.5, dimension)
            elif what == "ok":
                gov.on_ok(now_s, ticket)
            else:
                gov.on_overloaded(now_s, 0.5)
            used = {"ok": Used(amount, 50, FREE), "lost": None, "unsent": UNSENT}
            gov.settle(ticket, used.get(what, Used(0, 0, FREE, rejected=what == "throttled")), now_s)
        wait = gov.wait(Need(1, 1, FREE), now_s)
        assert wait.seconds is None or 0.0 <= wait.seconds < math.inf
        for view in gov.snapshot(now_s).dimensions:
            assert math.isfinite(view.level)
            assert math.isfinite(view.limit_per_minute)
    for ticket in out:
        gov.settle(ticket, None, now_s)
    assert gov.in_flight == 0
    assert all(abs(dimension.in_flight) < 1.0 for dimension in gov.snapshot(now_s).dimensions)
    json.dumps(gov.learned(), allow_nan=False)
