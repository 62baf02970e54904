"""How far a run may spend before that is on record where it outlives this machine. Pure.

The mark is an amount: all that was spent, is reserved, at risk, held or assumed spent is never above it. It is raised
before a call would pass it, and ahead of that, so that raising it normally costs no time. Whoever goes on without this
machine's ledger counts all of it as spent: the step is what that may waste.
"""

from decimal import Decimal

from pipeline.admission.budget import Account

STEP_SHARE = Decimal("0.01")  # of the cap
STEP_S = Decimal(10)  # or what is spent in so many seconds, if that is more,
STEP_SHARE_MOST = Decimal("0.05")  # but no more than this share of the cap: of a short run, that would be all of it
AHEAD = Decimal("0.5")  # of a step: with less left it is raised
WHOLE = Decimal("1e-10")


def assumed_usd(marked_usd: Decimal, known_usd: Decimal, *, whole: bool) -> Decimal:
    """What a session has to count as spent beyond what its ledger knows, of a run whose mark stood there.

    `known_usd`: spent by the ledger, calls of unknown fate at their worst. `whole`: the ledger has everything that was
    ever written under this mark, so that nothing is unknown.
    """
    return Decimal(0) if whole else max(Decimal(0), marked_usd - known_usd)


def raised_usd(account: Account, need_usd: Decimal, per_s: Decimal) -> Decimal | None:
    """Where the mark should go now; None: it may stay.

    `need_usd`: of a call that waits for it, or 0. `per_s`: what is spent a second. Never above the cap, except to where
    the account stands already.
    """
    if account.marked_usd is None or not account.watched:
        return None
    step = per_s * STEP_S
    if account.most_usd is not None:
        step = min(max(step, account.most_usd * STEP_SHARE), account.most_usd * STEP_SHARE_MOST)
    committed = account.committed_usd
    least = committed + need_usd
    if least <= account.marked_usd and account.marked_usd - committed >= step * AHEAD:
        return None
    mark = least + step
    if account.most_usd is not None:
        mark = max(min(mark, account.most_usd), committed)
    mark = mark.quantize(WHOLE)
    return mark if mark > account.marked_usd else None
