"""One client in one scenario, to the end: makespan, 429s, waits."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from oracle import Oracle
from ours import Ours, rules_for
from provider import Provider, Row
from scenarios import Scenario

sys.path.append(str(Path(__file__).parents[2] / "tests" / "kit"))
import virtual_time


@dataclass(frozen=True, slots=True)
class Result:
    makespan_s: float
    calls: int
    throttled: int
    p99_s: float  # first send to answer
    lost: int  # rows that took more than six attempts
    cpu_s: float
    arrivals: list[tuple[float, float, bool]]

    @property
    def share(self) -> float:
        return self.throttled / max(1, self.calls)


Client = Callable[[Scenario, Provider, list[Row], int], Coroutine[None, None, None]]


def simulate(scenario: Scenario, client: Client, seed: int) -> Result:
    began_s = time.process_time()

    async def main() -> Result:
        loop = asyncio.get_running_loop()
        rows = scenario.drawn(seed)
        provider = Provider(scenario.rules, loop, seed)
        await client(scenario, provider, rows, seed)
        waits = sorted(row.done_s - row.first_s for row in rows)
        return Result(
            makespan_s=max(row.done_s for row in rows),
            calls=provider.seen.calls,
            throttled=provider.seen.throttled,
            p99_s=waits[int(0.99 * len(waits))],
            lost=sum(row.attempts > 6 for row in rows),
            cpu_s=time.process_time() - began_s,
            arrivals=provider.seen.arrivals,
        )

    return virtual_time.run(main())


async def oracle(scenario: Scenario, provider: Provider, rows: list[Row], seed: int) -> None:  # noqa: ARG001
    ended = provider.loop.create_future()
    Oracle(provider, rows, ended).start()
    await ended


async def ours(scenario: Scenario, provider: Provider, rows: list[Row], seed: int) -> None:
    shared = iter(rows)
    made = [Ours(provider, rules_for(scenario), shared, seed + number) for number in range(scenario.clients)]
    await asyncio.gather(*(one.run() for one in made))
