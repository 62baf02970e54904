"""Workers that find no place on a cluster: people are told, and a run that has none for long parks."""

import asyncio
from collections.abc import Mapping

from pipeline.codes import ParkReason
from pipeline.console import say
from pipeline.engine.ray.errand import Kit
from pipeline.engine.ray.seat import Seat

ROOM_S = 60.0  # between two words


async def watch_room(kit: Kit, seats: Mapping[int, Seat], wanted: int) -> None:
    """For as long as there are workers; where nobody has a place, they are waited for as a provider is that is down."""
    loop, told, most_s = asyncio.get_running_loop(), 0, kit.prepared.job.limits.outage_s
    placed_s = loop.time()
    while True:
        await asyncio.sleep(min(ROOM_S, most_s))
        waiting = sum(not seat.node for seat in seats.values())
        if waiting and waiting != told:
            others = "the others go on" if waiting < len(seats) else "they are waited for"
            say("warning", f"{waiting} of {wanted} workers have found no room on the cluster yet; {others}")
        told = waiting
        if waiting < len(seats):
            placed_s = loop.time()
        elif loop.time() - placed_s >= most_s:
            kit.admission.stop(ParkReason.OUTAGE, f"no worker has found room on the Ray cluster in {most_s:g} s")
