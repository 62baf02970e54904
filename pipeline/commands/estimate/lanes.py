"""The ways that the same requests can go, side by side: live, on the flex tier, by the provider's batch API. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from msgspec import Struct

from pipeline.job.settings import Batch
from pipeline.money import Band, Rate, dollars

SHOWN = Decimal("0.000001")
SOON_S, USUAL_S, LONGEST_S = 300.0, 3600.0, 86_400.0  # of a batch: providers promise the last of these alone
FLEX = "flex"


class Ways(Struct, frozen=True):
    """How else a job's requests can go. `chosen`: live or batch, as the job goes."""

    chosen: str = "live"
    batch_share: Decimal | None = None  # of the standard price; None: no batch price is known
    standard: Rate | None = None  # where the job asks for another service tier, and pays by that
    flex: Rate | None = None  # where the model is sold so, and the job does not ask for it
    batch: Batch = Batch()


class LaneFigures(Struct, frozen=True):
    """One of them. `cost_usd` None: the model has no price."""

    lane: str
    chosen: bool
    cost_usd: Band[Decimal] | None
    seconds: Band[float]

    def as_json(self) -> dict[str, Any]:
        return {
            "lane": self.lane,
            "chosen": self.chosen,
            "cost_usd": shown(self.cost_usd),
            "seconds": self.seconds.each(lambda seconds: round(seconds, 1))._asdict(),
        }


def shown(usd: Band[Decimal] | None) -> dict[str, str] | None:
    return None if usd is None else usd.each(lambda amount: str(amount.quantize(SHOWN)))._asdict()


def lanes_of(ways: Ways, rate: Rate | None, cost: Band[Decimal] | None, seconds: Band[float]) -> list[LaneFigures]:
    """`rate`, `cost` and `seconds` are of all requests live, as the job has it."""
    found = [LaneFigures("live", ways.chosen == "live", cost, seconds)]
    if ways.flex is not None and cost is not None:
        found.append(LaneFigures(FLEX, False, _at(cost, rate, ways.flex), seconds))
    if ways.chosen == "batch" or (ways.batch_share is not None and cost is not None):
        standard = cost if cost is None or ways.standard is None else _at(cost, rate, ways.standard)
        share = ways.batch_share
        by_batch = None if standard is None or share is None else standard.each(lambda usd: usd * share)
        found.append(LaneFigures("batch", ways.chosen == "batch", by_batch, batch_seconds(ways.batch, ways.chosen)))
    return found


def batch_seconds(batch: Batch, chosen: str) -> Band[float]:
    """From minutes to a day, and no longer than a job's deadline where it goes so."""
    most = min(LONGEST_S, batch.deadline_h * 3600) if chosen == "batch" else LONGEST_S
    return Band(*(min(most, seconds) for seconds in (SOON_S, USUAL_S, most)))


def _at(cost: Band[Decimal], of: Rate | None, other: Rate) -> Band[Decimal]:
    """At another rate; by the dearer of input and output, so that it is rather too much."""
    if of is None or not (of.input and of.output):
        return cost
    factor = max(other.input / of.input, other.output / of.output)
    return cost.each(lambda usd: usd * factor)


def told(ways: Ways, lanes: list[LaneFigures]) -> Iterator[str]:
    """What the deadline does to time and cost, where the job goes by batch."""
    if ways.chosen != "batch":
        return
    batch, live = ways.batch, lanes[0].cost_usd
    yield "time: how long a batch waits is the provider's to choose; the hour that is expected is no promise"
    if batch.after_deadline == "wait":
        yield f"after {batch.deadline_h:g} h, what has no answer stays pending: the cost is at most that of the batches"
    elif live is not None:
        most = dollars(live.high)
        yield f"what is not answered in time before {batch.deadline_h:g} h is asked live: {most} at the most, if all is"
