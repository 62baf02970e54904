"""What a run and its workers on a cluster tell each other, beside what all workers do; and what the bridge is told."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pipeline.engine.workers.messages import Admit, Finish, Granted, Leave, Refused, RunStopped, StopRun
from pipeline.job.settings import Job, Model
from pipeline.ledger.remote import Durable, Intended, Looked, OnRecord, Recorded, Withdrawn
from pipeline.types import Outcome, Row

# ── a run to a worker ───────────────────────────────────────────────────────────────────────────────────────────────


class Errand(Struct, frozen=True, array_like=True, tag="errand"):
    """Once, before all else. The only message that holds secrets."""

    job: Job
    model: Model  # as the wire wants it
    base_url: str  # of the embedded sandbox, or ""
    environ: Mapping[str, str]  # what the provider's credentials and its endpoint are made of
    sources: Mapping[str, str]  # path → text of the job's own Python files
    documents: bool  # rows are files
    hashes: tuple[bytes, bytes]  # of the run's plan: of requests, of outcomes
    run: int
    keys: bytes | None  # of `ledger.remote.RemoteLedger`


class RowGiven(Struct, frozen=True, array_like=True):
    """One row to be done; the columns that its prompt names are text. `stale_session` as of `RowTask`."""

    row: Row
    doc: bytes
    stale_session: int


class Work(Struct, frozen=True, array_like=True, tag="work"):
    """Rows to begin with at once: how many are given is what holds a worker back."""

    rows: Sequence[RowGiven]


class Dismissed(Struct, frozen=True, array_like=True, tag="dismissed"):
    """End once all that was begun has ended. `cut`: end it now."""

    cut: bool


ToCarrier = Errand | Work | Dismissed | Granted | Refused | RunStopped | Durable | OnRecord

# ── a worker to the run ─────────────────────────────────────────────────────────────────────────────────────────────


class Here(Struct, frozen=True, array_like=True, tag="here"):
    """Its first message: what it is made of, by name, to be compared before it is told anything."""

    versions: Mapping[str, str]


class Ready(Struct, frozen=True, array_like=True, tag="ready"):
    """It takes rows. `prefix`: of its request ids."""

    prefix: str


class Unfit(Struct, frozen=True, array_like=True, tag="unfit"):
    """It can do nothing of this job, and why."""

    message: str


class RowEnded(Struct, frozen=True, array_like=True, tag="ended"):
    """By its place in the input."""

    row: int
    outcome: Outcome


class RowLeft(Struct, frozen=True, array_like=True, tag="left"):
    """It stays pending. `tenant`: whose budget keeps it, if that does, and `message` why."""

    row: int
    tenant: str | None = None
    message: str = ""


class RowBroke(Struct, frozen=True, array_like=True, tag="broke"):
    """A bug, and where."""

    row: int
    error: str
    trace: str


class Bye(Struct, frozen=True, array_like=True, tag="bye"):
    """Its last message."""


FromCarrier = (
    Here | Ready | Unfit | Admit | Leave | Finish | StopRun | Intended | Withdrawn | Recorded | Looked
    | RowEnded | RowLeft | RowBroke | Bye
)  # fmt: skip

# ── a run and its bridge ────────────────────────────────────────────────────────────────────────────────────────────


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
