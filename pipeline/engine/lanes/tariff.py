"""What a call is billed at: by the service tier that its answer says, else by the one that was asked for. Pure."""

from decimal import Decimal

from msgspec import Struct

from pipeline.catalog.tiers import tier_named
from pipeline.money import Rate, cost_usd, rate_at
from pipeline.types import Request, Usage


class Tariff(Struct, frozen=True):
    """`rate` None: the model has no price. `said`: an answer's tier, in the provider's own word; "": it says none."""

    rate: Rate | None

    def cost_usd(self, usage: Usage, said: str, request: Request) -> Decimal | None:
        """None where there is no price."""
        if self.rate is None:
            return None
        return cost_usd(usage, rate_at(self.rate, tier_named(said) if said else self._asked(request)))

    def unasked(self, said: str, request: Request) -> str | None:
        """The tier that an answer says, where it is another than was asked for."""
        tier = tier_named(said)
        return tier if said and tier != self._asked(request) else None

    def _asked(self, request: Request) -> str:
        return "" if self.rate is None or request.standard_tier else self.rate.asked
