"""What a run and its workers on a cluster tell each other, beside what all workers do."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pipeline.engine.workers.messages import (
    Admit,
    Finish,
    Granted,
    Leave,
    ModelHealth,
    ModelPlace,
    Refused,
    RunStopped,
    StopRun,
)
from pipeline.job.settings import Job, Model
from pipeline.ledger.remote import Durable, Intended, Looked, OnRecord, Recorded, Withdrawn
from pipeline.types import Outcome, Row

# ── a run to a worker ───────────────────────────────────────────────────────────────────────────────────────────────


class Entrusted(Struct, frozen=True, array_like=True, tag="entrusted"):
    """What the provider's credentials and its endpoint are made of. Alone in its batch: Ray stores what is large."""

    environ: Mapping[str, str]


class Errand(Struct, frozen=True, array_like=True, tag="errand"):
    """Once, before any row."""

    job: Job
    model: Model  # as the wire wants it
    base_url: str  # of the embedded sandbox, or ""
    sources: Mapping[str, str]  # of the job's own Python files: where each lies on the worker → its text
    documents: bool  # rows are files
    folder: str  # where they lie, if not in a bucket; else ""
    hashes: tuple[bytes, bytes]  # of the run's plan: of requests, of outcomes
    run: int
    keys: bytes | None  # of `ledger.remote.RemoteLedger`
    models: Mapping[str, ModelPlace] = {}  # NAME → of a job that has several
    from_model: str | None = None  # as of `Selection`


class RowGiven(Struct, frozen=True, array_like=True):
    """One row to be done; the columns that its prompt names are text. `stale_session` as of `RowTask`.

    `urls`: by path, of files that the run has copied from a bucket: they are fetched where they are needed.
    """

    row: Row
    doc: bytes
    stale_session: int
    urls: Mapping[str, str] = {}


class Work(Struct, frozen=True, array_like=True, tag="work"):
    """Rows to begin with at once: how many are given is what holds a worker back."""

    rows: Sequence[RowGiven]


class Dismissed(Struct, frozen=True, array_like=True, tag="dismissed"):
    """End once all that was begun has ended. `cut`: end it now."""

    cut: bool


ToCarrier = Entrusted | Errand | Work | Dismissed | Granted | Refused | RunStopped | ModelHealth | Durable | OnRecord

# ── a worker to the run ─────────────────────────────────────────────────────────────────────────────────────────────


class Here(Struct, frozen=True, array_like=True, tag="here"):
    """Its first message: what it is made of, by name, to be compared before it is told anything."""

    versions: Mapping[str, str]


class Trusted(Struct, frozen=True, array_like=True, tag="trusted"):
    """It has what it was entrusted with."""


class Ready(Struct, frozen=True, array_like=True, tag="ready"):
    """It takes rows. `prefixes`: of its request ids, by each of its lanes."""

    prefixes: Sequence[str]


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


class Pulse(Struct, frozen=True, array_like=True, tag="pulse"):
    """Once a second, and before its last word: CPU that its process has taken so far."""

    cpu_s: float


class Bye(Struct, frozen=True, array_like=True, tag="bye"):
    """Its last message."""


FromCarrier = (
    Here | Trusted | Ready | Unfit | Admit | Leave | Finish | StopRun | Intended | Withdrawn | Recorded | Looked
    | RowEnded | RowLeft | RowBroke | Pulse | Bye
)  # fmt: skip
