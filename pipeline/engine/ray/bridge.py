"""The one importer of Ray: carries bytes between a run's socket and its workers, which are actors, and reads none.

A process of its own, for Ray's core ends the process that it lives in once the cluster's head is gone for a minute.
Nothing is left to Ray: an actor that dies stays dead, a call is never made again by itself, and none outlives this
process.
"""

import asyncio
import contextlib
import logging
import os
import socket
from typing import Any

import ray
from msgspec import Struct, field
from ray.exceptions import ActorUnavailableError, RayError

from pipeline.engine.frames import Frames
from pipeline.engine.ray.actor import LINGER_S, CarrierActor
from pipeline.engine.ray.mux import Mux
from pipeline.engine.ray.places import (
    ClusterOpen,
    ClusterShut,
    EndSeat,
    OpenCluster,
    SeatDraining,
    SeatLost,
    SeatTaken,
    StartSeat,
    ToBridge,
)
from pipeline.engine.ray.sequence import Outbox

DRAIN_LOOK_S = 2.0
AGAIN_S = 0.25  # after a call of which nobody knows whether it ran
CONNECT_S = 10.0
CALLS_AT_ONCE = 4  # of one actor: one `say`, one `hear`, and room to spare


class Actor(CarrierActor):
    """A worker on a node of the cluster."""

    async def where(self) -> tuple[str, str, int]:
        """Its node's id and address, and its process."""
        return ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address(), os.getpid()


class _Place(Struct):
    """One worker, as the bridge has it."""

    handle: Any  # Ray's
    outbox: Outbox = field(default_factory=Outbox)
    something: asyncio.Event = field(default_factory=asyncio.Event)
    node: str = ""
    told_draining: bool = False
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


class Bridge:
    """From the first word of the run to the end of its socket."""

    def __init__(self) -> None:
        self.mux = Mux(Frames[ToBridge](ToBridge), self._on_bytes, self._on_message, self._on_closed)
        self.closed = asyncio.Event()
        self._places: dict[int, _Place] = {}
        self._cpus = 1.0
        self._looking: asyncio.Task[None] | None = None

    def _on_message(self, message: ToBridge) -> None:
        match message:
            case OpenCluster():
                self._open(message)
            case StartSeat():
                self._start(message.seat)
            case EndSeat():
                self._end(message.seat)

    def _on_bytes(self, seat: int, data: bytes) -> None:
        if (place := self._places.get(seat)) is not None:
            place.outbox.gather(data)
            place.something.set()

    def _on_closed(self) -> None:
        self.closed.set()

    def _open(self, asked: OpenCluster) -> None:
        self._cpus = asked.cpus_per_worker
        try:
            address = _reachable(asked.address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            cpus, free = ray.cluster_resources(), ray.available_resources()
        except BaseException as error:  # noqa: BLE001 (Ray raises SystemExit for a dead address)
            self.mux.send(ClusterShut(f"{type(error).__name__}: {error}"[:2000]))
            return
        self.mux.send(ClusterOpen(address, ray.__version__, cpus.get("CPU", 0.0), free.get("CPU", 0.0)))
        self._looking = asyncio.create_task(self._look_for_drains())

    def _start(self, seat: int) -> None:
        kind: Any = ray.remote(Actor)
        handle = kind.options(
            max_restarts=0,
            max_task_retries=0,
            num_cpus=self._cpus,
            max_concurrency=CALLS_AT_ONCE,
            scheduling_strategy="SPREAD",
        ).remote()
        self._places[seat] = place = _Place(handle)
        place.tasks = [asyncio.create_task(self._carry(seat, place))]

    def _end(self, seat: int) -> None:
        place = self._places.pop(seat, None)
        if place is None:
            return
        for task in place.tasks:
            task.cancel()
        with contextlib.suppress(RayError):
            ray.kill(place.handle, no_restart=True)

    async def _carry(self, seat: int, place: _Place) -> None:
        """Both ways until the worker is gone, or wanted no more."""
        try:
            place.node, address, pid = await _sure(place.handle.where.remote)
            self.mux.send(SeatTaken(seat, address, pid))
            down = asyncio.create_task(self._down(place))
            place.tasks.append(down)
            up = asyncio.create_task(self._up(seat, place))
            place.tasks.append(up)
            done, _ = await asyncio.wait([down, up], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Exception as error:  # noqa: BLE001 (whatever Ray raises: this worker is of no more use)
            if self._places.pop(seat, None) is not None:
                for task in place.tasks[1:]:
                    task.cancel()
                with contextlib.suppress(RayError):
                    ray.kill(place.handle, no_restart=True)
                self.mux.send(SeatLost(seat, _why(error)))

    async def _up(self, seat: int, place: _Place) -> None:
        heard = 0
        while True:
            number, data = await _sure(lambda known=heard: place.handle.say.remote(known))
            if number > heard:
                heard = number
                self.mux.write(seat, data)

    async def _down(self, place: _Place) -> None:
        heard = 0
        while True:
            if place.outbox.is_empty(heard):
                place.something.clear()
                await place.something.wait()
            await asyncio.sleep(LINGER_S)
            batch = place.outbox.batch(heard)
            if batch is None:
                continue
            await _sure(lambda told=batch: place.handle.hear.remote(*told))
            heard = batch[0]

    async def _look_for_drains(self) -> None:
        """What a cloud has said of nodes that it takes away. Ray has no other door to that than this private one."""
        while True:
            await asyncio.sleep(DRAIN_LOOK_S)
            try:
                draining = await asyncio.to_thread(ray._private.state.state.get_draining_nodes)  # noqa: SLF001
            except Exception:  # noqa: BLE001 (not there in every version: then nobody is told beforehand)
                return
            for seat, place in self._places.items():
                if place.node in draining and not place.told_draining:
                    place.told_draining = True
                    left_ms = draining[place.node]
                    self.mux.send(SeatDraining(seat, float(left_ms) / 1000))


async def _sure(call: Any) -> Any:  # noqa: ANN401 (what an actor returns)
    """What a call gives, made again where Ray cannot tell whether it ran: both ends know what they had."""
    while True:
        try:
            return await call()
        except ActorUnavailableError:
            await asyncio.sleep(AGAIN_S)


def _why(error: Exception) -> str:
    """The last line says it; of an actor that could not be made, the user's own error is further up."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error:" in line and not line.startswith(("ray.exceptions", "File "))]
    return (named[-1] if named else lines[0] if lines else repr(error))[:500]


def _reachable(address: str) -> str:
    """The head's address, once something listens there.

    Raises:
        OSError: nothing does. ConnectionError: there is no cluster on this machine.
    """
    if address == "auto":
        address = ray._private.services.canonicalize_bootstrap_address_or_die("auto")  # noqa: SLF001
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), CONNECT_S):
        return address


async def _serve(descriptor: int) -> None:
    bridge = Bridge()
    await asyncio.get_running_loop().create_connection(lambda: bridge.mux, sock=socket.socket(fileno=descriptor))
    await bridge.closed.wait()


def serve(descriptor: int) -> None:
    """Until the run closes its end, or dies."""
    asyncio.run(_serve(descriptor))
