"""Money as a budget that never refills: for the run, and for each tenant. Pure.

A call is admitted when what was spent, what is reserved or at risk, and its own worst case fit. Kept by reservation, so
that calls in flight can't break it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

ZERO = Decimal(0)


class Room(Enum):
    """Whether a call's worst case fits a budget."""

    NOW = "now"
    LATER = "later"  # when calls in flight turn out to cost less than they may
    NEVER = "never"


@dataclass(slots=True)
class Account:
    """One cap. `at_risk_usd`: calls whose fate is not known, at their worst."""

    most_usd: Decimal | None
    spent_usd: Decimal = ZERO
    reserved_usd: Decimal = ZERO
    at_risk_usd: Decimal = ZERO

    def affords(self, usd: Decimal) -> bool:
        if self.most_usd is None:
            return True
        return self.spent_usd + self.reserved_usd + self.at_risk_usd + usd <= self.most_usd

    def room(self, usd: Decimal) -> Room:
        if self.affords(usd):
            return Room.NOW
        ever = self.most_usd is None or self.spent_usd + self.at_risk_usd + usd <= self.most_usd
        return Room.LATER if ever and self.reserved_usd else Room.NEVER

    def reserve(self, usd: Decimal) -> None:
        self.reserved_usd += usd

    def settle(self, reserved_usd: Decimal, used_usd: Decimal | None) -> None:
        """None: not known, so that all of it stays at risk."""
        self.reserved_usd -= reserved_usd
        if used_usd is None:
            self.at_risk_usd += reserved_usd
        else:
            self.spent_usd += used_usd


@dataclass(slots=True)
class Spending:
    """The run's account and its tenants'. `alert_at`: the share of a cap whose passing is told, once."""

    run: Account
    tenant_most_usd: Decimal | None = None
    alert_at: float = 1.0
    tenants: dict[str, Account] = field(default_factory=dict)
    _alerted: set[str | None] = field(default_factory=set)

    def start_day(self, spent_by_tenant: Mapping[str, Decimal]) -> None:
        """What tenants have spent today, before now; a new day starts with nothing."""
        for tenant, account in list(self.tenants.items()):
            account.spent_usd = account.at_risk_usd = ZERO
            if not account.reserved_usd:
                del self.tenants[tenant]
        for tenant, usd in spent_by_tenant.items():
            self.tenant(tenant).spent_usd = usd

    def tenant(self, name: str) -> Account:
        if name not in self.tenants:
            self.tenants[name] = Account(self.tenant_most_usd)
        return self.tenants[name]

    def reserve(self, tenant: str | None, usd: Decimal) -> None:
        self.run.reserve(usd)
        if tenant is not None and self.tenant_most_usd is not None:
            self.tenant(tenant).reserve(usd)

    def settle(self, tenant: str | None, reserved_usd: Decimal, used_usd: Decimal | None) -> None:
        self.run.settle(reserved_usd, used_usd)
        if tenant is not None and self.tenant_most_usd is not None:
            self.tenant(tenant).settle(reserved_usd, used_usd)

    def alert(self) -> str | None:
        """A warning that is due, once: the share of budget.max_usd that budget.alert_at names is spent."""
        run = self.run
        if None in self._alerted or run.most_usd is None:
            return None
        gone = run.spent_usd + run.at_risk_usd
        if gone < Decimal(str(self.alert_at)) * run.most_usd:
            return None
        self._alerted.add(None)
        return f"${gone:.2f} of budget.max_usd = ${run.most_usd} are spent"
