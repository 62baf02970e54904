"""budget.max_usd under the worst of nights: seeded runs in virtual time against a provider that keeps its own books.

The caller, admission and money are the real ones; the ledger and the provider are stand-ins without a disk or a socket.
500 calls in flight, log-normal output, repairs, 429s, 5xx, and calls that are billed although their answer never came.
What counts is the provider's bill, not ours.

python benchmarks/caps.py [--seeds 1000]
python benchmarks/caps.py --machine-lost [--seeds 200] [--workers 2 | --on ray]    (machine_lost.py)
"""

import argparse
import asyncio
import random
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from types import SimpleNamespace

sys.path.append(str(Path(__file__).parents[1] / "tests" / "kit"))

from virtual_time import run as in_virtual_time

from pipeline.admission.gate import TenantOverBudget
from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.needs import Needs
from pipeline.admission.queue import Admission
from pipeline.admission.stop import Stopped
from pipeline.documents.tokens import counter_for
from pipeline.engine.ask import RowFailed, RowLife
from pipeline.engine.call import Caller
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.live import LiveLane
from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits
from pipeline.money import Rate, cost_usd, worst_case_usd
from pipeline.parts import text_parts
from pipeline.telemetry.tally import Tally
from pipeline.types import Answer, Purpose, Request, Stop, Turn, Usage

RATE = Rate(
    input=Decimal("0.15"), cached_input=Decimal("0.075"), cache_write=Decimal("0.15"), output=Decimal("0.60"), source=""
)
OUTPUT_CAP = 1024
CONCURRENCY = 500
ROWS = 4000
REPAIRED, THROTTLED, BROKEN, CUT = 0.08, 0.03, 0.03, 0.02  # shares; CUT: billed, and its answer never came


class Memory:
    """A ledger that forgets everything at once."""

    run = 1

    def answer(self, key):  # noqa: ARG002 (the ledger's)
        return None

    async def intend(self, send):
        """Durable at once."""

    def record(self, call, key=None, reply=None):  # noqa: ARG002 (the ledger's)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@dataclass
class Provider:
    """Transport and wire in one. `billed_usd` is what it will ask for, whatever reached us."""

    chance: random.Random
    tokens_per_byte: float
    cut: float
    output_log_mean: float
    billed_usd: Decimal = Decimal(0)
    billed_by_tenant: dict = field(default_factory=dict)
    calls: int = 0
    url: str = "made up"

    async def send(self, wire, request, *, fresh=False):  # noqa: ARG002 (the transport's)
        self.calls += 1
        await asyncio.sleep(self.chance.lognormvariate(0.7, 0.9))
        draw = self.chance.random()
        if draw < THROTTLED:
            raise CallFailed(Kind.THROTTLED, "slow down", status=429, retry_after_s=self.chance.random())
        if draw < THROTTLED + BROKEN:
            raise CallFailed(Kind.OVERLOADED, "busy", status=503)
        usage = self._usage(request)
        cost = cost_usd(usage, RATE)
        self.billed_usd += cost
        self.billed_by_tenant[request.tenant] = self.billed_by_tenant.get(request.tenant, Decimal(0)) + cost
        if draw < THROTTLED + BROKEN + self.cut:
            raise CallFailed(Kind.CONNECTION, "cut off", sent=True)
        return SimpleNamespace(status=200, ttft_ms=None, usage=usage)

    def _usage(self, request):
        noise = self.chance.uniform(0.94, 1.06)
        inputs = min(request.input_tokens_ceiling, round(request.input_tokens_ceiling * self.tokens_per_byte * noise))
        return Usage(
            input_tokens=inputs,
            output_tokens=min(OUTPUT_CAP, round(self.chance.lognormvariate(self.output_log_mean, 0.8))),
        )

    def reply(self, answered):
        return Answer("{}", Stop.DONE, "stop", answered.usage)


@dataclass(frozen=True)
class Night:
    """How one seeded run ended."""

    cap_usd: Decimal
    billed_usd: Decimal
    booked_usd: Decimal  # ours: spent, with what is at risk
    parked: bool
    calls: int
    billed_by_tenant: dict
    tenants_over: frozenset  # those whose rows were left for another day


def request_of(number, chance, tenant):
    size = round(chance.lognormvariate(7.5, 0.5))
    return Request(
        key=number.to_bytes(16, "big"),
        row=number,
        row_id=str(number),
        chunk=0,
        purpose=Purpose.EXTRACT,
        system="",
        turns=(Turn("user", text_parts("")),),
        max_output_tokens=OUTPUT_CAP,
        input_tokens=size // 4 + 200,
        input_tokens_ceiling=size + 800,
        tenant=tenant,
    )


async def _night(seed, cap_usd, tenant_cap_usd, rows, provider):
    chance = provider.chance
    rules = LimitRules(concurrency=CONCURRENCY, max_usd=cap_usd, tenant_max_usd_per_day=tenant_cap_usd)
    governor = Governor(rules)
    admission = Admission(governor, Needs(RATE, governor), asyncio.get_running_loop().time)
    memory = Memory()
    carrier = Carrier(provider, provider, counter_for("openai", "gpt-4o-mini"))
    lane = LiveLane(Limits(), RATE, memory, admission, carrier, Tally())
    caller = Caller(memory, lane)
    over = set()

    async def row(number):
        tenant = None if tenant_cap_usd is None else f"t{number % 7}"
        request = request_of(number, chance, tenant)
        repaired = request_of(rows + number, chance, tenant) if chance.random() < REPAIRED else None
        try:
            await caller.ask(request, RowLife(), lambda _: True)
            if repaired is not None:
                await caller.ask(repaired, RowLife(), lambda _: True)
        except TenantOverBudget as error:
            over.add(error.tenant)
        except (Stopped, RowFailed):
            pass

    window = asyncio.Semaphore(2 * CONCURRENCY)

    async def bounded(number):
        async with window:
            if admission.stopped is None:
                await row(number)

    random.seed(seed)  # the caller's jitter
    await asyncio.gather(*(bounded(number) for number in range(rows)))
    run = governor.money.run
    return Night(
        cap_usd,
        provider.billed_usd,
        run.spent_usd + run.at_risk_usd,
        admission.stopped is not None,
        provider.calls,
        provider.billed_by_tenant,
        frozenset(over),
    )


def night(seed, *, tenant_cap_usd=None, rows=ROWS, cut=CUT, output_log_mean=5.0):
    """One run under a cap of some thirty to two hundred calls at their worst, or under daily caps of seven tenants."""
    chance = random.Random(seed)
    provider = Provider(chance, chance.uniform(0.2, 0.45), cut, output_log_mean)
    dearest = worst_case_usd(2800, OUTPUT_CAP, RATE)
    cap = None if tenant_cap_usd is not None else dearest * chance.randint(30, 200)
    return in_virtual_time(_night(seed, cap, tenant_cap_usd, rows, provider))


def main(seeds):
    for cut in (0.0, CUT):
        nights = [night(seed, cut=cut) for seed in range(seeds)]
        billed = sorted(one.billed_usd / one.cap_usd for one in nights)
        booked = sorted(one.booked_usd / one.cap_usd for one in nights)
        print(f"{seeds} runs, {sum(one.calls for one in nights):,} calls, {CONCURRENCY} in flight, {cut:.0%} cut off")
        print(f"  above the cap by the provider's bill: {sum(share > 1 for share in billed)} runs")
        for what, shares in (("the bill", billed), ("booked, at risk included", booked)):
            low, high = shares[0], shares[-1]
            print(f"  {what}, as a share of the cap: {low:.4f} least, {median(shares):.4f} median, {high:.4f} most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", "--runs", type=int)
    parser.add_argument("--machine-lost", action="store_true", help="real runs whose machine is gone for good")
    parser.add_argument("--workers", type=int, help="limits.workers, or of the cluster; else 1, of a cluster 2")
    parser.add_argument("--on", choices=["local", "ray"], default="local", help="of runs whose machine is lost")
    asked = parser.parse_args()
    if asked.machine_lost:
        from machine_lost import main as lost

        lost(range(asked.seeds or 200), asked.workers or (2 if asked.on == "ray" else 1), asked.on)
    else:
        main(asked.seeds or 1000)
