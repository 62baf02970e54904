"""The watermark's arithmetic: the bill over all machines that are lost is never above the cap; nothing counts twice."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.budget import Account
from pipeline.admission.watermark import STEP_SHARE_MOST, assumed_usd, raised_usd

USD = st.integers(0, 10**6).map(lambda cents: Decimal(cents) / 100)
RATES = st.integers(0, 10**5).map(Decimal)


@given(USD, USD, USD, RATES, st.integers(1, 10**6).map(Decimal))
def test_the_mark_is_raised_to_what_is_needed_and_never_above_the_cap(spent, marked, need, per_s, cap):
    account = Account(cap, spent_usd=spent, marked_usd=marked)
    mark = raised_usd(account, need, per_s)
    if mark is None:
        assert not account.affords(need) or account.within_mark(need)
        return
    assert marked < mark <= max(cap, spent)
    assert mark <= spent + need + cap * STEP_SHARE_MOST
    account.marked_usd = mark
    assert account.within_mark(need) or not account.affords(need)


@given(USD, USD)
def test_who_has_the_whole_ledger_assumes_nothing_and_who_has_not_counts_the_mark_once(marked, known):
    assert assumed_usd(marked, known, whole=True) == 0
    assert known + assumed_usd(marked, known, whole=False) == max(known, marked)


@given(USD, USD, USD)
def test_what_comes_back_of_a_lost_ledger_is_not_counted_on_top(marked, known, back):
    """The machine that was lost runs again, and what only it had is folded in: it was in the mark already."""
    assumed = assumed_usd(marked, known, whole=False)
    back = min(back, assumed)
    settled = known + assumed  # where the session between them left the mark
    assert known + back + assumed_usd(settled, known + back, whole=False) == max(known, marked)


def test_without_a_cap_there_is_no_mark_unless_something_is_assumed_spent():
    account = Account(None, marked_usd=Decimal(0))
    assert account.within_mark(Decimal(5))
    assert raised_usd(account, Decimal(5), Decimal(1)) is None
    account.assumed_usd = Decimal(3)
    assert not account.within_mark(Decimal(5))
    assert raised_usd(account, Decimal(5), Decimal(1)) == Decimal(18)


@st.composite
def machines(draw):
    """For each machine: its calls as (worst, really billed, is its end on the shipped ledger), and if it ends well."""
    calls = st.integers(1, 60).flatmap(
        lambda worst: st.tuples(st.just(worst), st.integers(0, worst), st.sampled_from(["told", "named", "untold"]))
    )
    return draw(st.lists(st.tuples(st.lists(calls, max_size=30), st.booleans()), min_size=1, max_size=5))


@given(machines(), st.integers(50, 900), st.integers(0, 20))
def test_the_bill_over_all_machines_is_never_above_the_cap(lost, cap, per_s):
    """Each is lost with calls in flight, and with calls of which its ledger in the bucket never heard.

    `shipped`: what a successor's ledger knows, ends or names at their worst; `mark`: the object in the bucket.
    """
    billed = shipped = mark = Decimal(0)
    for calls, ends_well in lost:
        account = Account(Decimal(cap), spent_usd=shipped, marked_usd=mark)
        account.assumed_usd = assumed_usd(mark, shipped, whole=False)
        for worst, cost, fate in calls:
            if not account.affords(Decimal(worst)):
                continue
            if not account.within_mark(Decimal(worst)):
                mark = raised_usd(account, Decimal(worst), Decimal(per_s))
                account.marked_usd = mark
            assert account.within_mark(Decimal(worst))
            account.reserve(Decimal(worst))
            billed += cost
            if fate != "named":  # else in flight to the end
                account.settle(Decimal(worst), Decimal(cost))
            if ends_well or fate != "untold":
                shipped += worst if fate == "named" else cost
        if ends_well:
            mark = shipped + account.assumed_usd
        assert billed <= max(mark, shipped) <= cap
