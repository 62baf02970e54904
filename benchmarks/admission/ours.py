"""Our client: the real Admission and Governor, on a virtual clock, as the engine uses them."""

import asyncio
import random
from collections.abc import Iterator
from decimal import Decimal

from provider import Answer, Provider, Row
from scenarios import Scenario

from pipeline.admission.first_calls import FirstCalls
from pipeline.admission.governor import Governor, LimitRules, Need, Used
from pipeline.admission.queue import Admission
from pipeline.admission.token_scale import TokenScale
from pipeline.catalog.limit_profiles import BEDROCK_CLAUDE
from pipeline.catalog.providers import PROVIDERS
from pipeline.extraction.policy import backoff_s

FREE = Decimal(0)
CONCURRENCY = 2000


class Ours:
    """One process; `rows` may be shared with others."""

    def __init__(self, provider: Provider, rules: LimitRules, rows: Iterator[Row], seed: int) -> None:
        self._provider = provider
        self._rows = rows
        self._scale = TokenScale()
        self._chance = random.Random(seed)
        self.governor = Governor(rules)
        self.admission = Admission(self.governor, provider.loop.time)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2 * self.governor.concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        for row in self._rows:
            await self._live(row)

    def _need(self, row: Row) -> Need:
        return Need(self._scale.expected(row), row.most, FREE)

    async def _live(self, row: Row) -> None:
        failures = 0
        admission = self.admission
        row.asked_s = self._provider.now_s
        while True:
            ticket = await admission.admit(lambda: self._need(row), retry=row.attempts > 0)
            coming: asyncio.Future[Answer] = self._provider.loop.create_future()
            self._provider.send(row, coming.set_result)
            answer = await coming
            if answer.end == "ok":
                admission.settle(ticket, Used(row.inputs, row.outputs, FREE))
                self._scale.observe(row.input_tokens, row.inputs)
                admission.limits(ticket, answer.limits)
                admission.ok(None, ticket)
                row.done_s = self._provider.now_s
                return
            admission.limits(ticket, answer.limits)
            if answer.end == "throttled":
                admission.throttled(ticket, answer.hint_s, self._chance.random())
            else:
                admission.overloaded(None, self._chance.random())
                failures += 1
            admission.settle(ticket, Used(0, 0, FREE, rejected=answer.end == "throttled"))
            if answer.end == "failed":
                await admission.pause(backoff_s(failures, self._chance.random()))


def rules_for(scenario: Scenario, concurrency: int = CONCURRENCY) -> LimitRules:
    profile = BEDROCK_CLAUDE if scenario.rules.burn > 1.0 else PROVIDERS[scenario.profile].limits
    return LimitRules(concurrency=concurrency, profile=profile, first=FirstCalls(), **scenario.job)
