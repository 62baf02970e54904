"""What lines of batches may cost at the most, held until their fate is known."""

import math
from decimal import Decimal

from pipeline.admission.budget import Spending
from pipeline.admission.gate import TenantOverBudget
from pipeline.admission.needs import Needs
from pipeline.ledger.batches import BatchItem
from pipeline.money import UNITS_PER_USD, dollars, from_units
from pipeline.types import Request

COMES_BACK = "comes back"


class BatchMoney:
    """What lines may cost at the most, held until their fate is known."""

    def __init__(self, needs: Needs, spending: Spending, run: int) -> None:
        self._needs = needs
        self._spending = spending
        self._run = run

    def worst_usd(self, request: Request, share: Decimal) -> Decimal:
        """In whole units of the ledger, rounded up."""
        return from_units(math.ceil(self._needs.of(request).usd * share * UNITS_PER_USD))

    def short(self, tenant: str | None, usd: Decimal) -> str | TenantOverBudget | None:
        """Why a line has no room: COMES_BACK, where lines that are out may make some; None: it has."""
        money = self._spending
        if tenant is not None and money.tenant_most_usd is not None and not money.tenant(tenant).affords(usd):
            if money.tenant(tenant).held_usd:
                return COMES_BACK
            told = f"the next line of tenant {tenant!r} could cost {dollars(usd)}"
            return TenantOverBudget(tenant, f"{told}, more than budget.tenant_max_usd_per_day leaves")
        if money.run.affords(usd):
            return None
        return COMES_BACK if money.run.held_usd else money.run.out_of(usd, usd)

    def hold(self, tenant: str | None, usd: Decimal) -> None:
        self._spending.hold(tenant, usd)

    def free(self, tenant: str | None, usd: Decimal) -> None:
        """Of a line that was not written after all."""
        self._spending.let_go(tenant, usd, Decimal(0))

    def let_go(self, item: BatchItem, used_usd: Decimal | None, run: int) -> None:
        """Its fate is known, with what it cost; None: that is not known. `run`: of its batch."""
        self._spending.let_go(item.tenant, from_units(item.at_risk_units), used_usd, own=run == self._run)
