"""The governor's invariants: levels, gate, slots, money and circuit, as functions of time."""

import math
from decimal import Decimal

import pytest
from examples import examples
from halves import Halves
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.brakes import ThrottleGate
from pipeline.admission.dimensions.dimension import DimensionState
from pipeline.admission.governor import GO, UNSENT, BudgetRoom, LimitRules, Need, Used
from pipeline.catalog.limit_profiles import AZURE, Profile
from pipeline.types import Dimension, LimitSeen

FREE = Decimal(0)
HINTS = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, -1.0, 1e9, 0.5, 30.0])
)


def governor(concurrency=1000, **rules):
    return Halves(LimitRules(concurrency=concurrency, **rules))


def need(inputs=10, outputs=10, usd=FREE):
    return Need(inputs, outputs, Decimal(usd))


def money_of(gov):
    run = gov.money.run
    return run.spent_usd + run.reserved_usd + run.at_risk_usd


def used(inputs=10, outputs=10, usd=FREE, **how):
    return Used(inputs, outputs, Decimal(usd), **how)


def admit(gov, wanted, now_s):
    """Take it as soon as it may go, with time alone; the ticket and the time."""
    for _ in range(10_000):
        wait = gov.wait(wanted, now_s)
        if wait == GO:
            return gov.take(wanted, now_s), now_s
        assert wait.seconds is not None, wait
        now_s += max(wait.seconds, 1e-6)
    raise AssertionError(f"still waiting for {gov.wait(wanted, now_s)!r}")


def lane_of(gov, dimension=Dimension.REQUESTS):
    return gov.dimensions[dimension]


def seen(limit, remaining, dimension=Dimension.REQUESTS):
    return [LimitSeen(dimension, limit, remaining, None)]


def most_in_a_minute(events):
    """The largest sum of amounts in any 60 s, from (time, amount)."""
    most = total = start = 0
    for at_s, amount in events:
        total += amount
        while events[start][0] <= at_s - 60.0:
            total -= events[start][1]
            start += 1
        most = max(most, total)
    return most


# ── dimensions ──────────────────────────────────────────────────────────────────────────────────────────────────────

STEPS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0.0, 45.0)),  # idle before asking
        st.integers(1, 200),  # input tokens
        st.sampled_from(["kept", "less", "rejected", "unsent", "unknown"]),
        st.floats(0.0, 90.0),  # until settled
    ),
    min_size=1,
    max_size=150,
)


@examples(60)
@given(steps=STEPS, rpm=st.integers(2, 60), itpm=st.integers(200, 2000), headers=st.booleans())
def test_no_sixty_seconds_ever_admit_more_than_a_given_limit(steps, rpm, itpm, headers):
    """Requests and charged input tokens, whatever is settled when, and whatever generous headers say."""
    gov = governor(requests_per_minute=rpm, input_tokens_per_minute=itpm)
    now_s, requests, tokens, open_tickets = 0.0, [], [], []
    for idle_s, inputs, fate, late_s in steps:
        now_s += idle_s
        for due in [entry for entry in open_tickets if entry[0] <= now_s]:
            open_tickets.remove(due)
            gov.settle(due[1], due[2], now_s)
        ticket, now_s = admit(gov, need(inputs), now_s)
        fates = {
            "kept": used(inputs),
            "less": used(inputs // 2),
            "rejected": used(0, 0, rejected=True),
            "unsent": UNSENT,
            "unknown": None,
        }
        open_tickets.append((now_s + late_s, ticket, fates[fate]))
        requests.append((now_s, 0 if fate == "unsent" else 1))
        tokens.append((now_s, {"less": inputs // 2, "rejected": 0, "unsent": 0}.get(fate, inputs)))
        if headers:
            gov.on_limits(ticket, seen(10 * rpm, 10 * rpm), now_s)
    assert most_in_a_minute(requests) <= rpm
    assert most_in_a_minute(tokens) <= itpm


@examples(40)
@given(rpm=st.integers(1, 6000), count=st.integers(2, 400))
def test_a_silent_limit_is_used_evenly_at_first_and_then_faster_by_steps(rpm, count):
    """The provider may keep its limit by the second: no second is faster than the steps that nobody objected to."""
    gov, now_s, times = governor(concurrency=10_000, requests_per_minute=rpm), 0.0, []
    for _ in range(count):
        _, now_s = admit(gov, need(), now_s)
        times.append(now_s)
    for number, at_s in enumerate(times):
        within = sum(1 for other in times[number:] if other < at_s + 1.0)
        gamma = min(4.0, 1.5 ** min(at_s + 1.0, 10.0))
        assert within <= rpm / 60 * gamma * 1.25 + 2


@examples(60)
@given(
    limit=st.floats(1.0, 1e7), sizes=st.lists(st.floats(0.0, 2e7), min_size=1, max_size=20), remaining=st.floats(0, 1e7)
)
def test_every_request_is_admitted_in_finite_time(limit, sizes, remaining):
    """Also one that is larger than a header's limit: it waits for the whole bucket, not for ever."""
    gov, now_s = governor(), 0.0
    first, now_s = admit(gov, need(), now_s)
    gov.on_limits(first, seen(limit, remaining, Dimension.INPUT_TOKENS), now_s)
    for size in sizes:
        _, later_s = admit(gov, need(int(size)), now_s)
        assert later_s - now_s <= 60.0 * 60  # the slowest refill is a fiftieth
        now_s = later_s


def test_a_request_that_can_never_fit_is_refused_by_name():
    """Dimension, need, capacity and the key to change."""
    gov = governor(input_tokens_per_minute=100)
    assert gov.refusal(need(100)) is None
    message = gov.refusal(need(101))
    assert "101 input_tokens" in message
    assert "limits.input_tokens_per_minute = 100" in message


def test_reserved_output_is_given_back_and_paced_by_what_is_used():
    """With max_output_tokens ten times too large, throughput is set by what answers use, not by what they may use."""
    gov, now_s, out = governor(output_tokens_per_minute=60_000), 0.0, []
    for _ in range(1200):
        ticket, now_s = admit(gov, need(outputs=1000), now_s)
        gov.settle(ticket, used(outputs=100), now_s)
        out.append(now_s)
    assert sum(1 for at_s in out if at_s > out[-1] - 60.0) > 0.95 * 600  # 600 answers of 100 tokens a minute
    assert most_in_a_minute([(at_s, 100) for at_s in out]) <= 60_000


@pytest.mark.parametrize(("settle", "a_minute"), [("none", 60), ("refund", 600), ("post", 600)])
def test_the_settlement_of_the_provider_is_mirrored(settle, a_minute):
    """A provider that gives nothing back is charged in full."""
    gov, now_s, times = governor(output_tokens_per_minute=60_000, profile=Profile(settle=settle)), 0.0, []
    for _ in range(2 * a_minute):
        ticket, now_s = admit(gov, need(outputs=1000), now_s)
        gov.settle(ticket, used(outputs=100), now_s)
        times.append(now_s)
    assert 0.9 * a_minute <= sum(1 for at_s in times if at_s > times[-1] - 60.0) <= a_minute


# ── what headers say ────────────────────────────────────────────────────────────────────────────────────────────────


def level(gov, now_s, dimension="requests"):
    return next(view.level for view in gov.snapshot(now_s).dimensions if view.name == dimension)


def test_headers_make_a_lane_and_the_lower_limit_counts():
    """A header's limit is learned; a job's limit stays a ceiling over it."""
    gov = governor()
    ticket = gov.take(need(), 0.0)
    gov.on_limits(ticket, seen(600, 500), 0.0)
    view = gov.snapshot(0.0).dimensions[0]
    assert (view.name, view.limit_per_minute, view.level, view.source) == ("requests", 600, 500, "headers")
    both = governor(requests_per_minute=100)
    both.on_limits(both.take(need(), 0.0), seen(600, 500), 0.0)
    assert (both.snapshot(0.0).dimensions[0].limit_per_minute, both.snapshot(0.0).dimensions[0].source) == (
        100,
        "job and headers",
    )


@examples(40)
@given(
    delays=st.lists(st.tuples(st.floats(0, 2), st.floats(0.0, 20.0)), min_size=5, max_size=60),
    limit=st.integers(60, 6000),
)
def test_headers_of_an_identical_server_change_nothing(delays, limit):
    """However late they come, and in whatever order: what remained is compared with our level at the send instant."""
    gov, now_s, late, server, server_s = governor(), 0.0, [], float(limit), 0.0
    first = gov.take(need(), now_s)
    gov.on_limits(first, seen(limit, limit - 1), now_s)
    server -= 1
    for idle_s, latency_s in delays:
        now_s += idle_s
        ticket, now_s = admit(gov, need(), now_s)
        server = min(limit, server + (now_s - server_s) * limit / 60.0) - 1
        server_s = now_s
        late.append((now_s + latency_s, ticket, server))
        for due in sorted((entry for entry in late if entry[0] <= now_s), key=lambda entry: entry[0]):
            late.remove(due)
            gov.on_limits(due[1], seen(limit, due[2]), now_s)
    bucket = lane_of(gov).bucket
    assert abs(bucket.corrected) < 1e-6
    assert bucket.leak < 1e-6


def test_one_sample_told_many_times_counts_once():
    """Corrections that were made since the send are known, so that equal news adds nothing."""
    gov = governor()
    gov.on_limits(gov.take(need(), 0.0), seen(600, 599), 0.0)
    tickets = [admit(gov, need(), 1.0 + 0.01 * n)[0] for n in range(20)]
    for ticket in tickets:
        gov.on_limits(ticket, seen(600, 100), 1.5)
    assert 50 < level(gov, 1.5) < 130


def test_somebody_else_on_the_key_is_found_and_made_room_for():
    """Half of the refill is taken by others: we level off at our half, with what remains above zero."""
    gov, now_s, server, at_s, refused, admitted = governor(), 0.0, 600.0, 0.0, 0, []
    for number in range(1500):
        ticket, now_s = admit(gov, need(), now_s)
        server = min(600.0, server + (now_s - at_s) * (10.0 - 5.0))  # 5 a second go to others
        at_s = now_s
        if server >= 1.0:
            server -= 1.0
            admitted.append(now_s)
        else:
            refused += 1
        gov.on_limits(ticket, seen(600, max(0.0, server)), now_s)
        gov.settle(ticket, used(), now_s)
        if number > 1000:
            assert server > 0.0
    assert refused <= 7
    recent = [t for t in admitted if t > now_s - 60.0]
    assert 280 <= len(recent) <= 320


def test_a_small_burst_is_respected_once_it_was_seen():
    """3,000 a minute of which only 50 at once: known from what remains, without a minute's pause."""
    gov = governor()
    ticket = gov.take(need(), 0.0)
    gov.on_limits(ticket, seen(3000, 49), 0.2)
    times, now_s = [], 0.2
    for _ in range(200):
        _, now_s = admit(gov, need(), now_s)
        times.append(now_s)
    assert sum(1 for at_s in times if at_s < 1.2) <= 49 + 60
    assert times[-1] < 0.2 + 200 / 50 + 1.0


BAD = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(samples=st.lists(st.tuples(st.sampled_from(list(Dimension)), BAD, BAD, HINTS, st.floats(0, 5)), max_size=20))
def test_no_header_and_no_hint_breaks_anything(samples):
    """NaN, infinity, negative and absurd numbers: waits stay numbers, and nothing is raised."""
    gov, now_s = governor(requests_per_minute=600), 0.0
    for dimension, limit, remaining, hint, idle_s in samples:
        now_s += idle_s
        if gov.wait(need(), now_s) == GO:
            ticket = gov.take(need(), now_s)
            gov.on_limits(ticket, seen(limit, remaining, dimension), now_s)
            gov.on_throttled(ticket, hint, now_s, 0.5)
            gov.hint(hint, now_s)
            gov.settle(ticket, used(), now_s)
        wait = gov.wait(need(), now_s)
        assert wait.seconds is not None
        assert 0.0 <= wait.seconds < math.inf
        assert gov.gate_until_s <= now_s + 1e9
    for view in gov.snapshot(now_s).dimensions:
        assert not math.isnan(view.level)


# ── throttling ──────────────────────────────────────────────────────────────────────────────────────────────────────


@given(hints=st.lists(st.tuples(HINTS, st.floats(0, 20), st.floats(0, 1, exclude_max=True)), min_size=1, max_size=30))
def test_the_gate_holds_everybody_and_is_never_shortened(hints):
    """Nothing goes before the latest hint has passed, whoever got it and whatever the others were told."""
    gov, now_s, latest_s = governor(first_window=30), 0.0, 0.0
    tickets = [gov.take(need(), now_s) for _ in range(30)]
    for (hint, idle_s, jitter), ticket in zip(hints, tickets, strict=False):
        now_s += idle_s
        gate_s = gov.gate_until_s
        gov.on_throttled(ticket, hint, now_s, jitter)
        gov.settle(ticket, used(0, 0, rejected=True), now_s)
        assert gov.gate_until_s >= gate_s
        if hint is not None and not math.isnan(hint):
            latest_s = max(latest_s, now_s + min(hint, 1e9))
        assert gov.gate_until_s >= latest_s - 1e-6
        if now_s < gov.gate_until_s:
            wait = gov.wait(need(), now_s)
            assert (wait.seconds, wait.why) == (gov.gate_until_s - now_s, "retry_after")
            with pytest.raises(ValueError, match="has to wait"):
                gov.take(need(), now_s)


def test_without_a_hint_the_gate_grows_with_each_episode_and_a_later_success_resets_it():
    """Full jitter over 0.7, 1.4, 2.8 … 60 s; an answer to a call sent before the last 429 proves nothing."""
    gate, gates = ThrottleGate(), []
    for number in range(10):
        assert gate.news(100.0 * number, None, 100.0 * number + 1)
        gate.back_off(100.0 * number + 1, 0.999)
        gates.append(gate.until_s - 100.0 * number - 1)
    assert gates == pytest.approx([0.999 * min(60.0, 0.35 * 2**n) for n in range(1, 11)])
    gate.succeeded(900.0)
    gate.back_off(2000.0, 0.999)
    assert gate.until_s - 2000.0 == pytest.approx(0.999 * 60.0)
    gate.succeeded(2000.5)
    gate.back_off(3000.0, 0.999)
    assert gate.until_s - 3000.0 == pytest.approx(0.999 * 0.7)


def state_of(gov):
    bursts = [(dimension.burst.gamma, dimension.burst.share) for dimension in gov.dimensions.values()]
    return bursts, gov.limits._gate._episodes, dict(gov.limits._dimensions.silence.learner.rates)


@pytest.mark.parametrize("headers", [True, False])
def test_one_episode_is_reacted_to_once(headers):
    """Forty calls that were out when the first 429 came are one piece of news."""
    gov = governor(requests_per_minute=60_000)
    tickets = [admit(gov, need(), 0.0)[0] for _ in range(40)]
    if headers:
        gov.on_limits(tickets[0], seen(60_000, 59_000), 0.1)
    gov.on_throttled(tickets[0], 1.0, 0.2, 0.5)
    after_first = state_of(gov)
    for number, ticket in enumerate(tickets[1:]):
        gov.on_throttled(ticket, 1.0, 0.2 + number / 100, 0.5)
    assert state_of(gov) == after_first


def test_a_429_with_plenty_left_means_that_the_limit_is_kept_by_the_second():
    """Bursts end at once, and after that the even pace becomes a little slower, once per episode."""
    gov, now_s, paces = governor(), 0.0, []
    gov.on_limits(gov.take(need(), 0.0), seen(600, 599), 0.0)
    while lane_of(gov).burst.gamma < 2.0:
        _, now_s = admit(gov, need(), now_s)
    for _ in range(4):
        ticket, now_s = admit(gov, need(), now_s)
        gov.on_limits(ticket, seen(600, 500), now_s)
        gov.on_throttled(ticket, 0.1, now_s, 0.5)
        gov.settle(ticket, used(0, 0, rejected=True), now_s)
        burst = lane_of(gov).burst
        paces.append(burst.gamma * burst.share)
    assert paces == pytest.approx([1.0, 0.996, 0.992, 0.988])


def test_what_remains_of_a_count_per_minute_jumps_and_it_is_mirrored_as_one():
    """A bucket never gets a quarter back at once. From then on no 60 seconds admit more than the limit."""
    gov, now_s = governor(), 0.0
    for remaining in (599, 300, 20, 599):
        ticket, now_s = admit(gov, need(), now_s + 5.0)
        gov.on_limits(ticket, seen(600, remaining), now_s)
    assert lane_of(gov).bucket is None
    times = []
    for _ in range(1500):
        ticket, now_s = admit(gov, need(), now_s)
        gov.settle(ticket, used(), now_s)
        times.append((now_s, 1))
    assert most_in_a_minute(times) <= 600


def test_others_on_a_count_per_minute_are_left_their_part():
    """Azure's headers: what was used and not by us, was used by somebody else."""
    gov, now_s = governor(profile=AZURE), 0.0
    ticket = gov.take(need(), 0.0)
    gov.on_limits(ticket, seen(600, 599), 0.0)
    for number in range(600):
        ticket, now_s = admit(gov, need(), now_s)
        gov.on_limits(ticket, seen(600, max(0, 350 - number % 350)), now_s)
        gov.settle(ticket, used(), now_s)
    assert gov.snapshot(now_s).dimensions[0].limit_per_minute == 600
    assert lane_of(gov).ceiling.granted(now_s) <= 360


def test_a_full_minute_at_an_even_pace_is_no_excuse():
    """Where the limit is known to be kept by the second, a 429 makes the pace a little slower, full or not."""
    gov, now_s = governor(requests_per_minute=60), 0.0
    lane_of(gov).burst.start(0.95)
    for _ in range(60):
        ticket, now_s = admit(gov, need(), now_s)
        gov.settle(ticket, used(), now_s)
    ticket, now_s = admit(gov, need(), now_s)
    before = lane_of(gov).burst.share
    gov.on_throttled(ticket, 1.0, now_s, 0.5)
    assert lane_of(gov).burst.share < before


def test_a_full_bucket_teaches_nothing_of_others():
    """What is told of it is rounded down: that is no lasting use."""
    gov, now_s = governor(), 0.0
    for _ in range(400):
        ticket, now_s = admit(gov, need(), now_s + 0.5)
        gov.on_limits(ticket, seen(600, 598), now_s)
    assert lane_of(gov).bucket.leak == 0.0


def test_a_call_that_failed_there_is_charged_where_nothing_is_given_back():
    """A 5xx reports no usage."""
    left = {}
    for settle in ("none", "refund"):
        gov = governor(input_tokens_per_minute=1000, profile=Profile(settle=settle))
        gov.settle(gov.take(need(100), 0.0), used(0, 0), 1.0)
        left[settle] = level(gov, 1.0, "input_tokens")
    assert left == {"none": 900, "refund": 1000}


def test_what_one_lane_holds_is_not_given_back_to_its_successor():
    """A dimension that was forgotten and made anew."""
    first, second = DimensionState(600.0, 1.0), DimensionState(600.0, 1.0)
    held = first.take(10.0, 10.0, 0.0, math.inf)
    second.settle(held, 0.0, 1.0)
    assert second.view("requests", 1.0).in_flight == 0.0
    assert first.view("requests", 1.0).in_flight == 10.0


def test_after_a_gate_slots_open_one_by_one():
    """Half a second after it opens, a quarter of the slots; after two seconds all."""
    gov = governor(concurrency=100, first_window=100)
    gov.hint(10.0, 0.0)
    assert gov.wait(need(), 9.0).seconds == pytest.approx(1.0)
    for now_s, most in ((10.0, 1), (10.5, 26), (11.0, 51), (12.1, 100)):
        while gov.wait(need(), now_s) == GO:
            gov.take(need(), now_s)
        assert gov.in_flight == most


# ── slots and money ─────────────────────────────────────────────────────────────────────────────────────────────────

MONEY = st.lists(
    st.tuples(
        st.decimals("0", "3", places=2),
        st.decimals("0", "1.5", places=2),
        st.sampled_from(["settle", "unknown", "leave"]),
    ),
    max_size=60,
)


@given(steps=MONEY, cap=st.decimals("0", "20", places=2), spent=st.decimals("0", "5", places=2))
def test_max_usd_is_never_exceeded_by_what_is_admitted(steps, cap, spent):
    """Spent, reserved and at risk together, at every moment; a settlement over its reservation is a debt."""
    gov = governor(max_usd=cap, spent_usd=spent)
    out, overrun = [], Decimal(0)
    for worst, share, fate in steps:
        wait = gov.wait(need(usd=worst), 0.0)
        before = money_of(gov)
        if wait == GO:
            assert before + worst <= cap
            out.append((gov.take(need(usd=worst), 0.0), worst, fate, share))
        else:
            assert wait.why == "budget"
            assert before + worst > cap
            assert gov.budget_spent(need(usd=worst)) == (gov.in_flight == 0)
        while out and out[0][2] != "leave":
            ticket, worst_out, fate_out, share_out = out.pop(0)
            gov.settle(ticket, None if fate_out == "unknown" else used(usd=worst_out * share_out), 0.0)
            overrun += max(Decimal(0), worst_out * (share_out - 1)) if fate_out == "settle" else 0
        assert money_of(gov) <= max(cap, spent) + overrun
        assert gov.money.run.reserved_usd == sum(entry[1] for entry in out)
        assert gov.in_flight == len(out)


def test_a_ticket_is_settled_exactly_once():
    """The second time is an error that changes nothing; a call of unknown fate keeps its reservation."""
    gov = governor(max_usd=Decimal(5))
    first, second = gov.take(need(usd=2), 0.0), gov.take(need(usd=1), 0.0)
    gov.settle(first, None, 1.0)
    before = gov.snapshot(1.0)
    assert (before.in_flight, before.at_risk_usd, before.reserved_usd, before.spent_usd) == (1, 2, 1, 0)
    with pytest.raises(ValueError, match="twice"):
        gov.settle(first, used(), 1.0)
    assert gov.snapshot(1.0) == before
    gov.settle(second, used(usd=Decimal("0.25")), 2.0)
    after = gov.snapshot(2.0)
    assert (after.in_flight, after.at_risk_usd, after.reserved_usd, after.spent_usd) == (0, 2, 0, Decimal("0.25"))


def test_slots_are_a_ceiling_that_can_be_moved():
    """`take` refuses what `wait` holds back; a raised ceiling lets the next one go."""
    gov = governor(concurrency=2)
    gov.take(need(), 0.0)
    gov.take(need(), 0.0)
    assert (gov.wait(need(), 0.0).seconds, gov.wait(need(), 0.0).why) == (None, "slots")
    with pytest.raises(ValueError, match="has to wait"):
        gov.take(need(), 0.0)
    assert gov.in_flight == 2
    gov.set_concurrency(3)
    gov.take(need(), 0.0)
    with pytest.raises(ValueError, match="1 or more"):
        gov.set_concurrency(0)


TENANTS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.decimals("0", "2", places=2),  # may cost
        st.decimals("0", "1", places=2),  # does, as a share of that
        st.sampled_from(["settle", "unknown", "leave"]),
    ),
    max_size=60,
)


@given(steps=TENANTS, spent=st.decimals("0", "4", places=2))
def test_no_tenant_spends_more_than_its_day_and_none_pays_for_another(steps, spent):
    """Spent, reserved and at risk of each, at every moment; a tenant without calls in flight never has to wait."""
    gov, out = governor(tenant_max_usd_per_day=Decimal(3), spent_by_tenant={"a": spent}), []
    totals = dict.fromkeys("abc", Decimal(0)) | {"a": spent}
    for tenant, worst, share, fate in steps:
        wanted = Need(1, 1, worst, tenant=tenant)
        room = gov.tenant_room(wanted)
        flying = sum(entry[0].need.usd for entry in out if entry[0].need.tenant == tenant)
        assert (room is BudgetRoom.NOW) == (totals[tenant] + flying + worst <= 3)
        assert (room is BudgetRoom.NEVER) == (totals[tenant] + worst > 3 or (room is not BudgetRoom.NOW and not flying))
        if room is BudgetRoom.NOW:
            out.append((gov.take(wanted, 0.0), share, fate))
        while out and out[0][2] != "leave":
            ticket, part, how = out.pop(0)
            cost = ticket.need.usd * part
            gov.settle(ticket, None if how == "unknown" else used(usd=cost), 0.0)
            totals[ticket.need.tenant] += ticket.need.usd if how == "unknown" else cost


def test_the_alert_is_told_once_when_its_share_is_spent():
    """What may have been spent counts as well."""
    gov = governor(max_usd=Decimal(10), alert_at=0.8)
    for cost, told in (("7.9", False), ("0.2", True), ("1", False)):
        ticket = gov.take(need(usd=Decimal(cost)), 0.0)
        gov.settle(ticket, used(usd=Decimal(cost)), 0.0)
        assert (gov.alert() is not None) == told


# ── the circuit ─────────────────────────────────────────────────────────────────────────────────────────────────────


def opened():
    gov = governor(concurrency=100)
    for _ in range(5):
        assert gov.wait(need(), 0.0) == GO
        gov.on_overloaded(0.0, 0.5)
    return gov


def test_the_circuit_opens_after_five_failures_in_a_row():
    """A success in between starts the count again."""
    gov = governor()
    for _ in range(30):
        for _ in range(4):
            gov.on_overloaded(0.0, 0.5)
        gov.on_ok(0.0)
    assert gov.open_since_s is None
    gov = opened()
    assert gov.open_since_s == 0.0
    assert gov.wait(need(), 0.0).why == "circuit"


def test_an_open_circuit_lets_one_probe_out_and_doubles_with_each_success():
    """Calls that were out before it opened neither block the probe nor make the pause longer."""
    gov = governor(concurrency=100, first_window=100)
    old = [gov.take(need(), 0.0) for _ in range(30)]
    for ticket in old[:20]:
        gov.on_overloaded(0.0, 0.5)
        gov.settle(ticket, used(0, 0), 0.0)
    pause_s = gov.wait(need(), 0.0).seconds
    assert 0.125 <= pause_s <= 0.25
    probe = gov.take(need(), 0.25)
    assert gov.wait(need(), 0.25).seconds is None
    gov.on_ok(1.0)
    gov.settle(probe, used(), 1.0)
    assert gov.open_since_s is None
    assert [gov.wait(need(), 1.0) == GO and bool(gov.take(need(), 1.0)) for _ in range(3)] == [True, True, False]


def test_probes_that_fail_are_sent_ever_more_seldom_and_the_outage_is_dated():
    """0.25, 0.5, 1 … 8 s apart; `open_since_s` stays at the first moment."""
    gov, now_s, pauses = opened(), 0.0, []
    for _ in range(9):
        pause_s = gov.wait(need(), now_s).seconds
        pauses.append(pause_s)
        now_s += pause_s + 1e-9
        ticket = gov.take(need(), now_s)
        gov.on_overloaded(now_s, 0.999999)
        gov.settle(ticket, used(0, 0), now_s)
    assert pauses[1:] == pytest.approx([0.5, 1, 2, 4, 8, 8, 8, 8], rel=1e-3)
    assert gov.open_since_s == 0.0


def test_a_429_is_no_outage():
    """Whoever says that we are too fast is not down."""
    gov = opened()
    ticket = gov.take(need(), 1.0)
    gov.on_throttled(ticket, 5.0, 1.0, 0.5)
    assert gov.open_since_s is None
    assert gov.wait(need(), 2.0).why == "retry_after"


def test_429s_among_failures_do_not_hide_an_outage():
    """Nothing has succeeded: five failures open it, whatever was said between them."""
    gov = governor(concurrency=100, first_window=100)
    for _ in range(5):
        assert gov.open_since_s is None
        gov.on_throttled(gov.take(need(), 1.0), 0.0, 1.0, 0.0)
        gov.on_overloaded(1.0, 0.5)
    assert gov.open_since_s == 1.0


def test_a_failure_that_asks_for_minutes_is_an_outage_at_once():
    """Four more would take as long each, as nothing is sent meanwhile; one that asks for seconds is counted."""
    gov = governor()
    gov.on_overloaded(0.0, 0.5, 5.0)
    gov.on_overloaded(0.0, 0.5, math.nan)
    assert gov.open_since_s is None
    gov.on_overloaded(2.0, 0.5, 300.0)
    assert gov.open_since_s == 2.0


def test_rules_that_make_no_sense_are_refused():
    """Zero slots would wait for ever."""
    for wrong in ({"concurrency": 0}, {"concurrency": 1, "gamma": 0.5}, {"concurrency": 1, "gamma": math.nan}):
        with pytest.raises(ValueError, match="should be"):
            LimitRules(**wrong)
