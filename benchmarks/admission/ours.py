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
from pipeline.admission.report import CallEnd, Report
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
        self.admission = Admission(self.governor, self, provider.loop.time)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2 * self.governor.concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        for row in self._rows:
            await self._live(row)

    def of(self, row: Row) -> Need:
        """What a row may use: we are the needs of our own admission."""
        return Need(self._scale.expected(row), row.most, FREE)

    def observe(self, _: Need, input_tokens: int, reported_tokens: int) -> None:
        self._scale.observe(input_tokens, reported_tokens)

    def _report(self, row: Row, answer: Answer) -> Report:
        if answer.end == "ok":
            used = Used(row.inputs, row.outputs, FREE)
            return Report(used, CallEnd.ANSWERED, answer.limits, counted=(row.input_tokens, row.inputs))
        throttled = answer.end == "throttled"
        used = Used(0, 0, FREE, rejected=throttled)
        end, hint_s = (CallEnd.THROTTLED, answer.hint_s) if throttled else (CallEnd.OVERLOADED, None)
        return Report(used, end, answer.limits, hint_s, self._chance.random())

    async def _live(self, row: Row) -> None:
        failures = 0
        admission = self.admission
        row.asked_s = self._provider.now_s
        while True:
            ticket = await admission.admit(row, retry=row.attempts > 0)
            coming: asyncio.Future[Answer] = self._provider.loop.create_future()
            self._provider.send(row, coming.set_result)
            answer = await coming
            admission.finish(ticket, self._report(row, answer))
            if answer.end == "ok":
                row.done_s = self._provider.now_s
                return
            failures += answer.end == "failed"
            if answer.end == "failed":
                await admission.pause(backoff_s(failures, self._chance.random()))


def rules_for(scenario: Scenario, concurrency: int = CONCURRENCY) -> LimitRules:
    profile = BEDROCK_CLAUDE if scenario.rules.burn > 1.0 else PROVIDERS[scenario.profile].limits
    return LimitRules(concurrency=concurrency, profile=profile, first=FirstCalls(), **scenario.job)
