"""What people run today, each reduced to the rule by which it sends. They retry for ever, so that all rows finish."""

import asyncio
import random
from collections import deque
from collections.abc import Callable

from provider import Answer, Provider, Row
from scenarios import Scenario

from pipeline.types import Dimension

GUESSED_RPM = 5000.0  # where there is no limit to be told
BACK_OFF_S, BACK_OFF_MOST_S = 1.0, 60.0


class Client:
    """Rows in line, retries behind their back-off; `room` says when the next may go."""

    def __init__(self, scenario: Scenario, provider: Provider, rows: list[Row], seed: int) -> None:
        self.scenario, self.provider, self.loop = scenario, provider, provider.loop
        self.chance = random.Random(seed)
        self.line = deque(rows)
        self.left = len(rows)
        self.in_flight = 0
        self.ended: asyncio.Future[None] = self.loop.create_future()
        self._timer: asyncio.TimerHandle | None = None

    def room_s(self, row: Row) -> float | None:
        """Seconds until `row` may go; None: after an answer."""
        raise NotImplementedError

    def sent(self, row: Row) -> None: ...

    def heard(self, row: Row, answer: Answer) -> None: ...

    def go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self.line:
            wait_s = self.room_s(self.line[0])
            if wait_s is None:
                return
            if wait_s > 0.0:
                self._timer = self.loop.call_later(max(0.001, wait_s), self.go)
                return
            row = self.line.popleft()
            self.in_flight += 1
            self.sent(row)
            self.provider.send(row, lambda answer, row=row: self._answered(row, answer))

    def _answered(self, row: Row, answer: Answer) -> None:
        self.in_flight -= 1
        self.heard(row, answer)
        if answer.end == "ok":
            row.done_s = self.provider.now_s
            self.left -= 1
            if not self.left:
                self.ended.set_result(None)
        else:
            self.again(row)
        self.go()

    def again(self, row: Row) -> None:
        """Full jitter, doubling with each attempt; then before all others."""
        most_s = min(BACK_OFF_MOST_S, BACK_OFF_S * 2.0 ** min(row.attempts - 1, 16))
        self.loop.call_later(self.chance.uniform(0.0, most_s), self._back, row)

    def _back(self, row: Row) -> None:
        self.line.appendleft(row)
        self.go()


class Semaphore(Client):
    """So many workers, each of which sleeps out its own back-off while it holds its place."""

    workers = 50

    def __init__(self, *made: object) -> None:
        super().__init__(*made)
        self._busy = 0

    def room_s(self, row: Row) -> float | None:
        return 0.0 if row.attempts or self._busy < self.workers else None

    def sent(self, row: Row) -> None:
        self._busy += row.attempts == 0

    def heard(self, row: Row, answer: Answer) -> None:  # noqa: ARG002 (the hook's signature)
        self._busy -= answer.end == "ok"


class Semaphore500(Semaphore):
    workers = 500


class Level:
    """A client's own bucket: a minute's worth, full at the start."""

    def __init__(self, per_minute: float) -> None:
        self.most, self.level, self.at_s = per_minute, per_minute, 0.0

    def wait_s(self, amount: float, now_s: float) -> float:
        self.level = min(self.most, self.level + (now_s - self.at_s) * self.most / 60.0)
        self.at_s = now_s
        return max(0.0, (min(amount, self.most) - self.level) * 60.0 / self.most)


class RequestsOnly(Client):
    """A limiter of requests per minute, which does not know of tokens."""

    def __init__(self, *made: object) -> None:
        super().__init__(*made)
        self.requests = Level(told(self.scenario).get(Dimension.REQUESTS, GUESSED_RPM))

    def room_s(self, row: Row) -> float | None:  # noqa: ARG002 (all rows are alike to it)
        return self.requests.wait_s(1.0, self.provider.now_s)

    def sent(self, row: Row) -> None:  # noqa: ARG002
        self.requests.level -= 1.0


class Cookbook(RequestsOnly):
    """Buckets of requests and tokens as configured; after a 429 everything stops for 15 s."""

    pause_s = 15.0

    def __init__(self, *made: object) -> None:
        super().__init__(*made)
        limits = told(self.scenario)
        self._lane = next(
            (
                dimension
                for dimension in (Dimension.TOKENS, Dimension.INPUT_TOKENS, Dimension.OUTPUT_TOKENS)
                if dimension in limits
            ),
            None,
        )
        self._tokens = Level(limits[self._lane]) if self._lane else None
        self._paused_until_s = 0.0

    def _cost(self, row: Row) -> float:
        return {Dimension.INPUT_TOKENS: row.estimated, Dimension.OUTPUT_TOKENS: row.most}.get(
            self._lane, row.estimated + row.most
        )

    def room_s(self, row: Row) -> float | None:
        now_s = self.provider.now_s
        wait_s = max(self._paused_until_s - now_s, super().room_s(row))
        return wait_s if self._tokens is None else max(wait_s, self._tokens.wait_s(self._cost(row), now_s))

    def sent(self, row: Row) -> None:
        super().sent(row)
        if self._tokens is not None:
            self._tokens.level -= self._cost(row)

    def heard(self, row: Row, answer: Answer) -> None:  # noqa: ARG002
        if answer.end == "throttled":
            self._paused_until_s = self.provider.now_s + self.pause_s

    def again(self, row: Row) -> None:
        self.loop.call_soon(self._back, row)


class Aimd(Semaphore):
    """Concurrency alone: doubled until the first 429, then times 0.8 once per 15 s of 429s, and 5 % more per round."""

    most = 200

    def __init__(self, *made: object) -> None:
        super().__init__(*made)
        self._window, self._slow_start, self._cut_s = 10.0, True, -1e9

    def room_s(self, row: Row) -> float | None:
        return 0.0 if row.attempts or self._busy < int(self._window) else None

    def heard(self, row: Row, answer: Answer) -> None:
        super().heard(row, answer)
        now_s = self.provider.now_s
        if answer.end == "ok":
            self._window = min(self.most, self._window + (1.0 if self._slow_start else 0.05))
        elif answer.end == "throttled":
            self._slow_start = False
            if now_s > self._cut_s + 15.0:
                self._window, self._cut_s = max(1.0, 0.8 * self._window), now_s


def told(scenario: Scenario) -> dict[Dimension, float]:
    """What a client that has to be told its limits is told: the truth, or more where nobody knows it."""
    over = 1.0 if scenario.known else scenario.over
    found: dict[Dimension, float] = {}
    for limit in scenario.rules.limits:
        found[limit.dimension] = min(found.get(limit.dimension, 1e18), limit.per_minute * over)
    return found


def running(kind: Callable[..., Client]) -> Callable[..., object]:
    async def client(scenario: Scenario, provider: Provider, rows: list[Row], seed: int) -> None:
        one = kind(scenario, provider, rows, seed)
        one.go()
        await one.ended

    return client


CLIENTS = {
    "semaphore of 50": running(Semaphore),
    "semaphore of 500": running(Semaphore500),
    "cookbook": running(Cookbook),
    "requests only": running(RequestsOnly),
    "AIMD alone": running(Aimd),
}
