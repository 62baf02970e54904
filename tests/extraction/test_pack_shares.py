"""What each row has of a call about several: to the token and to the unit."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pipeline.columns import TOKENS
from pipeline.extraction.pack_shares import parted, shares_of, usages_of
from pipeline.ledger.records import Call, Send
from pipeline.money import Rate, cost_usd, to_units
from pipeline.types import Member, Purpose, Usage

COUNTS = st.integers(0, 10**6)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
RATE = Rate(Decimal("0.15"), Decimal("0.075"), Decimal("0.3"), Decimal("0.6"), source="test")
WEIGHTS = st.lists(st.integers(0, 10**5), min_size=1, max_size=32)


@given(st.integers(0, 10**15), WEIGHTS)
def test_parts_add_up_and_each_is_within_one_of_its_due(total, weights):
    found = parted(total, weights)
    assert sum(found) == total
    whole = sum(weights) or len(weights)
    dues = [total * (weight if any(weights) else 1) / whole for weight in weights]
    assert all(abs(part - due) < 1 + due * 1e-9 for part, due in zip(found, dues, strict=True))
    assert found == parted(total, weights)


@given(USAGES, WEIGHTS)
def test_tokens_add_up_class_by_class_and_no_part_exceeds_its_whole(usage, weights):
    found = usages_of(usage, weights, [1] * len(weights))
    for name in TOKENS:
        assert sum(getattr(one, name) for one in found) == getattr(usage, name)
        assert all(getattr(one, name) >= 0 for one in found)
    if usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens:
        assert all(one.cached_input_tokens + one.cache_write_tokens <= one.input_tokens for one in found)
    if usage.reasoning_tokens <= usage.output_tokens:
        assert all(one.reasoning_tokens <= one.output_tokens for one in found)


@given(USAGES, WEIGHTS, st.booleans(), st.data())
def test_the_shares_of_a_call_are_the_call(usage, weights, priced, data):
    """With an answer for each, and without; of a model with a price, and of one without."""
    members = [Member(b"%016d" % place, place, f"r{place}", 0, weight) for place, weight in enumerate(weights)]
    texts = data.draw(st.none() | st.just(["x" * (weight % 100) for weight in weights]))
    send = Send("a", 0, "r0", 0, Purpose.EXTRACT, 1, 0, 0, None)
    call = Call(send, 1, 0, usage, to_units(cost_usd(usage, RATE)) if priced else None)
    shares = shares_of(members, call, RATE if priced else None, texts, b"whole")
    assert [share.row for share in shares] == list(range(len(weights)))
    for name in TOKENS:
        assert sum(getattr(share.usage, name) for share in shares) == getattr(usage, name)
    costs = [share.cost_units for share in shares]
    assert costs == [None] * len(weights) if not priced else sum(costs) == call.cost_units
    assert {share.answer for share in shares} == ({b"whole"} if texts is None else {one.key for one in members})


def test_who_says_more_pays_more():
    members = [Member(b"a", 0, "a", 0, 100), Member(b"b", 1, "b", 0, 300)]
    send = Send("a", 0, "r0", 0, Purpose.EXTRACT, 1, 0, 0, None)
    usage = Usage(400, 0, 0, 40, 0)
    one, other = shares_of(members, Call(send, 1, 0, usage, 1000), RATE, ["x" * 30, "x" * 10], None)
    assert (one.usage.input_tokens, other.usage.input_tokens) == (100, 300)
    assert (one.usage.output_tokens, other.usage.output_tokens) == (30, 10)
    weights = [100 * 15 + 30 * 60, 300 * 15 + 10 * 60]
    assert (one.cost_units, other.cost_units) == tuple(parted(1000, weights))
