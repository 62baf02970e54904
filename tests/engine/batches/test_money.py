"""A cap that is smaller than the batch, over a thousand nights: what is billed never exceeds it."""

from decimal import Decimal
from random import Random
from types import SimpleNamespace

from pipeline.admission.budget import Account, Spending
from pipeline.engine.batches.money import COMES_BACK, BatchMoney
from pipeline.ledger.batches import BatchItem
from pipeline.money import from_units

CAP_USD = from_units(10_000)
OURS, ANOTHER = 1, 2


def line(units):
    return BatchItem("n-0", b"", 0, "r", 0, "extract", 1, None, units)


def night(seed):
    """What was billed to the run, in units: batches and live calls, each up to its worst."""
    chance = Random(seed)
    spending = Spending(Account(CAP_USD))
    money = BatchMoney(SimpleNamespace(), spending, OURS)
    out, billed = [], 0
    for _ in range(200):
        units = chance.randint(1, 900)
        if chance.random() < 0.2 and spending.run.affords(from_units(units)):
            used = chance.randint(0, units)
            spending.reserve(None, from_units(units))
            spending.settle(None, from_units(units), from_units(used))
            billed += used
        elif money.short(None, from_units(units)) is None:
            money.hold(None, from_units(units))
            out.append(units)
        if chance.random() < 0.1:  # of a run before, whose lines this one's cap has never held
            money.let_go(line(units), Decimal(0), ANOTHER)
        while out and chance.random() < 0.4:
            units = out.pop(chance.randrange(len(out)))
            used = chance.choice([0, units, chance.randint(0, units), None])
            billed += units if used is None else used
            money.let_go(line(units), None if used is None else from_units(used), OURS)
    return billed + sum(out)


def test_the_bill_is_never_above_the_cap():
    bills = [from_units(night(seed)) for seed in range(1000)]
    assert max(bills) <= CAP_USD
    assert min(bills) >= Decimal("0.7") * CAP_USD


def test_a_new_day_forgets_what_a_tenant_spent_and_not_what_is_out():
    spending = Spending(Account(None), tenant_most_usd=Decimal(3))
    money = BatchMoney(SimpleNamespace(), spending, OURS)
    money.hold("c", Decimal(2))
    spending.start_day({})
    assert money.short("c", Decimal(2)) == COMES_BACK
    assert money.short("c", Decimal(1)) is None
