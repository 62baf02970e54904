"""A simulated provider on a virtual clock: limits, settlement, latency, errors, headers and hints."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from meters import BucketMeter, Change, Flow, WindowMeter

from pipeline.types import Dimension, LimitSeen

RTT_S = 0.08
RTT_JITTER = 0.1  # of a way, both sides


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. `kind`: bucket (span is its burst), fixed or sliding (span is its window). `told`: by headers.

    `named`: only 429s tell it, and that nothing is left, whether or not that is so.
    """

    dimension: Dimension
    per_minute: float
    kind: str = "bucket"
    span_s: float = 60.0
    told: bool = False
    named: bool = False
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """How the provider behaves. `settle` and `burn` as in a profile; `hint`: exact, whole seconds, or none."""

    limits: tuple[Limit, ...] = ()
    settle: str = "none"
    burn: float = 1.0
    rejects_count: bool = True
    hint: str = "none"
    rounded: float = 1.0  # `remaining` of tokens is told in steps of this
    outage: tuple[float, float] = (0.0, 0.0)
    slots: int = 0  # served at once, the others wait in line; 0: no line
    stray: float = 0.0  # share of calls answered 429 for no reason of ours
    isolated: frozenset[int] = frozenset()  # calls answered 429 all the same, by their numbers
    names_lane: bool = False  # whether a 429 says what was short


@dataclass(slots=True)
class Row:
    """One request as drawn beforehand, so that every client meets the same."""

    number: int
    estimated: int  # input tokens as the client counts
    inputs: int  # as the provider does
    outputs: int
    most: int  # max_output_tokens
    latency_s: float
    failures: int  # attempts that end in a 5xx before one succeeds
    tried: int = 0
    first_s: float = -1.0
    done_s: float = -1.0
    asked_s: float = 0.0
    attempts: int = 0

    @property
    def input_tokens(self) -> int:
        """The name under which the pipeline's own token scale reads it."""
        return self.estimated

    @property
    def file_tokens(self) -> int:
        """Likewise."""
        return 0


@dataclass(slots=True)
class Answer:
    end: str  # ok, throttled, failed
    limits: tuple[LimitSeen, ...] = ()
    hint_s: float | None = None
    dimension: Dimension | None = None


@dataclass(slots=True)
class Seen:
    """What the provider saw: for the table and the picture."""

    calls: int = 0
    throttled: int = 0
    arrivals: list[tuple[float, float, bool]] = field(default_factory=list)  # time, amount of the first limit, let in


Done = Callable[[Answer], None]


class Provider:
    def __init__(self, rules: Rules, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        self.rules = rules
        self.loop = loop
        self.seen = Seen()
        self.begun_s = loop.time()
        self._chance = random.Random(seed)
        self._busy = 0
        self._line: deque[tuple[Row, Callable[[], None]]] = deque()
        self.meters = [(limit, _meter(limit, seed + number)) for number, limit in enumerate(rules.limits)]

    @property
    def now_s(self) -> float:
        return self.loop.time() - self.begun_s

    def send(self, row: Row, done: Done) -> None:
        """`done` is called with the answer when it has come back."""
        if row.first_s < 0:
            row.first_s = self.now_s
        row.attempts += 1
        self.seen.calls += 1
        self.loop.call_later(self._way_s(), self.arrive, row, done)

    def arrive(self, row: Row, done: Done) -> None:
        now_s = self.now_s
        if self.rules.outage[0] <= now_s < self.rules.outage[1]:
            self._reply(done, Answer("failed"))
            return
        short = self.short(row, now_s)
        if self.rules.stray and self._chance.random() < self.rules.stray:
            short = (0.0, Dimension.REQUESTS)
        if len(self.seen.arrivals) + 1 in self.rules.isolated:
            short = (1.0, Dimension.REQUESTS)
        amount = self.cost(self.rules.limits[0].dimension, row) if self.rules.limits else 1.0
        self.seen.arrivals.append((now_s, amount, short is None))
        if short is not None:
            self._refuse(row, done, short, now_s)
        else:
            self._accept(row, done, now_s)

    def short(self, row: Row, now_s: float) -> tuple[float, Dimension] | None:
        """How long it would have to wait, and for what; None: it fits."""
        waits = [
            (meter.wait_s(self.cost(limit.dimension, row), now_s), limit.dimension) for limit, meter in self.meters
        ]
        longest = max(waits, default=(0.0, Dimension.REQUESTS))
        return longest if longest[0] > 0.0 else None

    def cost(self, dimension: Dimension, row: Row) -> float:
        """What is set aside when it is let in."""
        output = 0 if self.rules.settle == "post" else row.most
        return {
            Dimension.REQUESTS: 1.0,
            Dimension.INPUT_TOKENS: row.inputs,
            Dimension.OUTPUT_TOKENS: max(1, output),
            Dimension.TOKENS: row.inputs + output,
        }[dimension]

    def _final(self, dimension: Dimension, row: Row, *, failed: bool) -> float:
        if dimension is Dimension.REQUESTS or (failed and self.rules.settle == "none"):
            return self.cost(dimension, row)
        output = 0.0 if failed else self.rules.burn * row.outputs
        inputs = 0.0 if failed else float(row.inputs)
        if self.rules.settle == "none":
            output = row.most
        return {Dimension.INPUT_TOKENS: inputs, Dimension.OUTPUT_TOKENS: output, Dimension.TOKENS: inputs + output}[
            dimension
        ]

    def _refuse(self, row: Row, done: Done, short: tuple[float, Dimension], now_s: float) -> None:
        self.seen.throttled += 1
        if self.rules.rejects_count:
            for limit, meter in self.meters:
                if limit.dimension is Dimension.REQUESTS and meter.remaining(now_s) >= 1.0:
                    meter.take(1.0, now_s)
        wait_s = short[0]
        hint_s = {"none": None, "exact": wait_s, "whole": float(max(1, -int(-wait_s // 1)))}[self.rules.hint]
        dimension = short[1] if self.rules.names_lane else None
        spent = [limit for limit in self.rules.limits if limit.named]
        named = tuple(LimitSeen(limit.dimension, limit.per_minute, 0.0, None) for limit in spent)
        self._reply(done, Answer("throttled", named + self._told(row, now_s), hint_s, dimension))

    def _accept(self, row: Row, done: Done, now_s: float) -> None:
        taken = [meter.take(self.cost(limit.dimension, row), now_s) for limit, meter in self.meters]
        told = self._told(row, now_s)
        row.tried += 1
        failed = row.tried <= row.failures
        seconds = 0.3 if failed else row.latency_s

        def charge() -> None:
            charged_s = self.now_s
            for (limit, meter), use in zip(self.meters, taken, strict=True):
                change = self._final(limit.dimension, row, failed=failed) - self.cost(limit.dimension, row)
                if change:
                    meter.settle(use, change, charged_s)

        def finish() -> None:
            if self.rules.settle != "post":
                charge()
            if self.rules.slots:
                self._busy -= 1
                self._serve()
            self._reply(done, Answer("failed" if failed else "ok", told))

        def start() -> None:
            if self.rules.settle == "post":
                self.loop.call_later(seconds / 2, charge)  # as it is produced: in the middle, on average
            self.loop.call_later(seconds, finish)

        if self.rules.slots:
            self._line.append((row, start))
            self._serve()
        else:
            start()

    def _serve(self) -> None:
        while self._line and self._busy < self.rules.slots:
            self._busy += 1
            self._line.popleft()[1]()

    def _told(self, row: Row, now_s: float) -> tuple[LimitSeen, ...]:  # noqa: ARG002 (as all answers are made)
        found = []
        for limit, meter in self.meters:
            if limit.told:
                step = 1.0 if limit.dimension is Dimension.REQUESTS else self.rules.rounded
                remaining = meter.remaining(now_s) // step * step
                found.append(LimitSeen(limit.dimension, meter.limit(now_s), remaining, None))
        return tuple(found)

    def _reply(self, done: Done, answer: Answer) -> None:
        self.loop.call_later(self._way_s(), done, answer)

    def _way_s(self) -> float:
        return RTT_S / 2 * self._chance.uniform(1 - RTT_JITTER, 1 + RTT_JITTER)


def _meter(limit: Limit, seed: int) -> BucketMeter | WindowMeter:
    flow = Flow(limit.per_minute, limit.changes, seed)
    if limit.kind == "bucket":
        return BucketMeter(flow, limit.span_s)
    return WindowMeter(flow, limit.span_s, slides=limit.kind == "sliding")
