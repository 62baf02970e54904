"""Money as a budget that never refills: for the run, and for each tenant. Pure.

A call is admitted when what was spent, what is reserved or at risk, and its own worst case fit. Kept by reservation, so
that calls in flight can't break it.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum

from msgspec import Struct, field

from pipeline.money import dollars

ZERO = Decimal(0)


class BudgetRoom(Enum):
    """Whether a call's worst case fits a budget."""

    NOW = "now"
    LATER = "later"  # when calls in flight turn out to cost less than they may
    NEVER = "never"


class Account(Struct):
    """One cap. `at_risk_usd`: calls whose fate is not known, at their worst.

    `marked_usd`: how far it may be spent by what is on record elsewhere (watermark.py); None: nobody keeps such a mark.
    """

    most_usd: Decimal | None
    spent_usd: Decimal = ZERO
    reserved_usd: Decimal = ZERO
    at_risk_usd: Decimal = ZERO
    held_usd: Decimal = ZERO  # lines of batches that are out, at their worst
    assumed_usd: Decimal = ZERO  # that a machine may have spent whose ledger is lost
    marked_usd: Decimal | None = None
    enough_usd: Decimal | None = None  # the cap that would have let the call pass that found no room, and ended the run

    @property
    def committed_usd(self) -> Decimal:
        """All that is gone, or may be."""
        return self.spent_usd + self.reserved_usd + self.at_risk_usd + self.held_usd + self.assumed_usd

    @property
    def watched(self) -> bool:
        """Whether it matters how much is spent: there is a cap, or there was one under which something was lost."""
        return self.most_usd is not None or bool(self.assumed_usd)

    def affords(self, usd: Decimal) -> bool:
        return self.most_usd is None or self.committed_usd + usd <= self.most_usd

    def out_of(self, usd: Decimal, again_usd: Decimal) -> str:
        """What to say where the run ends, as a call that may cost `usd` finds no room.

        `again_usd`: what is reserved for it by a run that answers have taught nothing yet.
        """
        self.enough_usd = self.committed_usd + max(usd, again_usd)
        cap = self.most_usd or ZERO
        left = max(ZERO, cap - self.committed_usd)
        told = f"the next call could cost {dollars(usd, left)}, more than the {dollars(left, usd)} that is left of "
        told += f"budget.max_usd = ${cap:f}"
        if not self.assumed_usd:
            return told
        return f"{told}, of which {dollars(self.assumed_usd, cap)} are assumed spent by a machine that was lost"

    def within_mark(self, usd: Decimal) -> bool:
        return self.marked_usd is None or not self.watched or self.committed_usd + usd <= self.marked_usd

    def room(self, usd: Decimal) -> BudgetRoom:
        if self.affords(usd):
            return BudgetRoom.NOW
        gone = self.committed_usd - self.reserved_usd  # what is held is free again in hours, not now
        ever = self.most_usd is None or gone + usd <= self.most_usd
        return BudgetRoom.LATER if ever and self.reserved_usd else BudgetRoom.NEVER

    def hold(self, usd: Decimal) -> None:
        """Of a line that goes out."""
        self.held_usd += usd

    def let_go(self, held_usd: Decimal, used_usd: Decimal | None) -> None:
        """The line's fate is known, with what it cost; None: it stays at risk."""
        self.held_usd -= held_usd
        if used_usd is None:
            self.at_risk_usd += held_usd
        else:
            self.spent_usd += used_usd

    def reserve(self, usd: Decimal) -> None:
        self.reserved_usd += usd

    def settle(self, reserved_usd: Decimal, used_usd: Decimal | None) -> None:
        """None: not known, so that all of it stays at risk."""
        self.reserved_usd -= reserved_usd
        if used_usd is None:
            self.at_risk_usd += reserved_usd
        else:
            self.spent_usd += used_usd


class Alert(Struct, frozen=True):
    """A share of a cap is gone that was to be told. `tenant` None: of the run."""

    tenant: str | None
    spent_usd: Decimal  # calls of unknown fate at their worst
    most_usd: Decimal

    def __str__(self) -> str:
        if self.tenant is None:
            return f"{dollars(self.spent_usd, self.most_usd)} of budget.max_usd = ${self.most_usd:f} are spent"
        most = f"budget.tenant_max_usd_per_day = ${self.most_usd:f}"
        return f"tenant {self.tenant!r} has spent {dollars(self.spent_usd, self.most_usd)} of {most} today"


class Spending(Struct):
    """The run's account and its tenants'. `alert_at`: the share of a cap whose passing is told, once (a day)."""

    run: Account
    tenant_most_usd: Decimal | None = None
    alert_at: float = 1.0
    tenants: dict[str, Account] = field(default_factory=dict)
    _alerted: set[str | None] = field(default_factory=set)

    def start_day(self, spent_by_tenant: Mapping[str, Decimal]) -> None:
        """What tenants have spent today, before now; a new day starts with nothing."""
        self._alerted &= {None}
        for tenant, account in list(self.tenants.items()):
            account.spent_usd = account.at_risk_usd = ZERO
            if not account.reserved_usd and not account.held_usd:
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

    def hold(self, tenant: str | None, usd: Decimal) -> None:
        self.run.hold(usd)
        if tenant is not None and self.tenant_most_usd is not None:
            self.tenant(tenant).hold(usd)

    def let_go(self, tenant: str | None, held_usd: Decimal, used_usd: Decimal | None, *, own: bool = True) -> None:
        """`own` false: a line of another run, which has a cap of its own."""
        if own:
            self.run.let_go(held_usd, used_usd)
        if tenant is not None and self.tenant_most_usd is not None:
            self.tenant(tenant).let_go(held_usd, used_usd)

    def affords(self, tenant: str | None, usd: Decimal) -> bool:
        """Whether run and tenant have room for a line, at its worst."""
        capped = tenant is not None and self.tenant_most_usd is not None
        return self.run.affords(usd) and (not capped or self.tenant(tenant or "").affords(usd))

    def alert(self) -> Alert | None:
        """An alert that is due; each is told once, a tenant's once a day. To be asked again until there is none."""
        for tenant, account in ((None, self.run), *self.tenants.items()):
            if tenant in self._alerted or account.most_usd is None:
                continue
            gone = account.spent_usd + account.at_risk_usd + account.assumed_usd
            if gone >= Decimal(str(self.alert_at)) * account.most_usd:
                self._alerted.add(tenant)
                return Alert(tenant, gone, account.most_usd)
        return None
