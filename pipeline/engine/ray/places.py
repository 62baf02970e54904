"""What a run and its bridge tell each other: of the cluster, and of workers by their numbers."""

from msgspec import Struct


class OpenCluster(Struct, frozen=True, array_like=True, tag="open"):
    """`address` as of `Engine`."""

    address: str
    cpus_per_worker: float


class StartSeat(Struct, frozen=True, array_like=True, tag="start"):
    """A worker, called by this number, as soon as the cluster has room."""

    seat: int


class EndSeat(Struct, frozen=True, array_like=True, tag="end"):
    seat: int


ToBridge = OpenCluster | StartSeat | EndSeat


class ClusterOpen(Struct, frozen=True, array_like=True, tag="opened"):
    address: str
    version: str
    cpus: float
    free_cpus: float


class ClusterShut(Struct, frozen=True, array_like=True, tag="shut"):
    """It cannot be used, and why."""

    message: str


class SeatTaken(Struct, frozen=True, array_like=True, tag="taken"):
    """A worker is there."""

    seat: int
    node: str  # its address
    pid: int


class SeatLost(Struct, frozen=True, array_like=True, tag="lost"):
    """It is no more."""

    seat: int
    why: str


class SeatDraining(Struct, frozen=True, array_like=True, tag="draining"):
    """Its node is going away in so many seconds: nothing more is to be begun there."""

    seat: int
    seconds: float


FromBridge = ClusterOpen | ClusterShut | SeatTaken | SeatLost | SeatDraining
