"""The best that a client could do in order: it sees the provider's true levels, and sends when the next row fits."""

import asyncio
from collections import deque

from provider import Answer, Provider, Row

from pipeline.types import Dimension


class Oracle:
    """No row is ever refused; a failed attempt goes again, before new rows."""

    def __init__(self, provider: Provider, rows: list[Row], ended: "asyncio.Future[None]") -> None:
        self._provider = provider
        self._line = deque(rows)
        self._left = len(rows)
        self._ended = ended
        self._timer: asyncio.TimerHandle | None = None
        self._to_come = 0.0  # output of what is in flight

    def start(self) -> None:
        self._go()

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        provider = self._provider
        while self._line:
            now_s = provider.now_s
            if provider.rules.outage[0] <= now_s < provider.rules.outage[1]:
                wait_s = provider.rules.outage[1] - now_s
            else:
                short = provider.short(self._line[0], now_s)
                wait_s = max(0.0 if short is None else short[0], self._debt_s(self._line[0], now_s))
            if wait_s > 0.0:
                next_second_s = int(now_s) + 1.0 - now_s  # others draw anew each second
                self._timer = provider.loop.call_later(max(1e-6, min(wait_s, next_second_s)), self._go)
                return
            row = self._line.popleft()
            row.first_s = now_s if row.first_s < 0 else row.first_s
            row.attempts += 1
            self._to_come += row.outputs
            provider.seen.calls += 1
            provider.arrive(row, lambda answer, row=row: self._answered(row, answer))

    def _debt_s(self, row: Row, now_s: float) -> float:
        """Where output is charged as produced, it leaves room for what is still to come."""
        waits = [
            meter.wait_s(self._to_come + row.outputs, now_s)
            for limit, meter in self._provider.meters
            if limit.dimension is Dimension.OUTPUT_TOKENS
        ]
        return max(waits, default=0.0) if self._provider.rules.settle == "post" else 0.0

    def _answered(self, row: Row, answer: Answer) -> None:
        self._to_come -= row.outputs
        if answer.end == "ok":
            row.done_s = self._provider.now_s
            self._left -= 1
            if not self._left:
                self._ended.set_result(None)
        else:
            self._line.appendleft(row)
        self._go()
