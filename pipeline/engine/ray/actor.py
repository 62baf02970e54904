"""A worker as Ray's actor has it: two calls, by which bytes go out and come in. Knows nothing of Ray."""

import asyncio
from typing import TYPE_CHECKING

from pipeline.engine.ray.sequence import Heard, Outbox

if TYPE_CHECKING:  # the bridge needs no more than the actor's name
    from pipeline.engine.ray.carrier import RowCarrier

LINGER_S = 0.004  # a call costs both ends a millisecond of CPU: what comes up in that time goes along
SAY_S = 5.0  # how long a call waits for something to say: that it comes back shows that the worker lives


class CarrierActor:
    """`say` and `hear` may be repeated: a batch that was not acknowledged is said again, one that was heard ignored."""

    def __init__(self) -> None:
        self._outbox, self._heard = Outbox(), Heard()
        self._something = asyncio.Event()
        self._carrier: RowCarrier | None = None

    async def say(self, acknowledged: int) -> tuple[int, bytes]:
        """The next batch, or the last one again; with the number that is known, nothing came up in time."""
        self._begun()
        if self._outbox.is_empty(acknowledged):
            self._something.clear()
            try:
                async with asyncio.timeout(SAY_S):
                    await self._something.wait()
            except TimeoutError:
                return acknowledged, b""
        await asyncio.sleep(LINGER_S)
        return self._outbox.batch(acknowledged) or (acknowledged, b"")

    async def hear(self, number: int, data: bytes) -> None:
        carrier = self._begun()
        if new := self._heard.take(number, data):
            carrier.hear(new)

    def _begun(self) -> "RowCarrier":
        if self._carrier is None:
            from pipeline.engine.ray.carrier import RowCarrier  # noqa: PLC0415 (a second, on the node)

            self._carrier = RowCarrier(self._write)
        return self._carrier

    def _write(self, data: bytes) -> None:
        self._outbox.gather(data)
        self._something.set()
