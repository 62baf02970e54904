"""A cluster of this process: workers of a run with no Ray, no node and no process between them and it."""

import asyncio
from functools import partial

from pipeline.engine.frames import Channel
from pipeline.engine.ray.carrier import RowCarrier
from pipeline.engine.ray.places import ClusterOpen, EndSeat, OpenCluster, SeatLost, SeatTaken, StartSeat


class LinkHere:
    """As `engine.ray.link.Link`; `last` is the one that was made last."""

    last = None

    def __init__(self, on_message, on_closed):
        self.say, self.closed, self.loop = on_message, on_closed, asyncio.get_running_loop()
        self._channels, self._carriers = {}, {}
        LinkHere.last = self

    async def start(self, _environ):
        pass

    def send(self, message):
        match message:
            case OpenCluster():
                self.loop.call_soon(self.say, ClusterOpen("here", "0", 4.0, 4.0))
            case StartSeat(seat):
                self.loop.call_soon(self.say, SeatTaken(seat, "here", 1))
                self._carriers[seat] = RowCarrier(partial(self._write, seat))
            case EndSeat(seat):
                self._end(seat)

    def _write(self, seat, data):
        if seat in self._channels:
            self.loop.call_soon(self._channels[seat].data_received, data)

    def _hear(self, seat, data):
        if seat in self._carriers:
            self.loop.call_soon(self._carriers[seat].hear, data)

    def channel(self, seat, frames, on_message):
        channel = self._channels[seat] = Channel(frames, on_message, lambda: None)
        channel.attach(partial(self._hear, seat))
        return channel

    def last_words(self):
        return ""

    def forget(self, seat):
        self._channels.pop(seat, None)

    def lose(self, seat):
        """It dies, with all that it has not said."""
        self.forget(seat)
        self._end(seat)
        self.say(SeatLost(seat, "killed"))

    def _end(self, seat):
        if (carrier := self._carriers.pop(seat, None)) is not None:
            for task in (*carrier._rows, carrier._pulsing):
                if task is not None:
                    task.cancel()
            self._closing = self.loop.create_task(carrier._closing.aclose())

    async def close(self):
        for seat in list(self._carriers):
            self._end(seat)
