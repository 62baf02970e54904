"""What a run and its workers on a cluster tell each other, beside what all workers do."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pipeline.documents.sources.file_refs import FileRef
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
from pipeline.types import Document, Outcome, Row

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
    hashes: tuple[bytes, bytes]  # of the run's plan: of requests, of outcomes
    run: int
    keys: bytes | None  # of `ledger.remote.RemoteLedger`
    models: Mapping[str, ModelPlace] = {}  # NAME → of a job that has several
    from_model: str | None = None  # as of `Selection`
    earlier: Sequence[tuple[bytes, Sequence[str]]] = ()  # of earlier jobs: what `plan_under` is given
    salts: Mapping[int, bytes] = {}  # by run on record: its job's


class RowGiven(Struct, frozen=True, array_like=True):
    """One row to be done; the columns that its prompt names are text. `stale_session` as of `RowTask`.

    `file`: its file, to be read first: the worker says what it is by `RowRead`, and hears whether to go on.
    """

    row: Row
    doc: bytes
    stale_session: int
    file: FileRef | None = None


class Work(Struct, frozen=True, array_like=True, tag="work"):
    """Rows to begin with at once: how many are given is what holds a worker back."""

    rows: Sequence[RowGiven]


class RowDecided(Struct, frozen=True, array_like=True, tag="decided"):
    """A row whose file was read is to be done, or not, with no `stale_session`. By its place in the input.

    Not: its end is known, another of the same content is being done, or the run ends.
    """

    row: int
    stale_session: int | None = None


class Dismissed(Struct, frozen=True, array_like=True, tag="dismissed"):
    """End once all that was begun has ended. `cut`: end it now."""

    cut: bool


ToCarrier = (
    Entrusted | Errand | Work | RowDecided | Dismissed | Granted | Refused | RunStopped | ModelHealth | Durable
    | OnRecord
)  # fmt: skip

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


class RowRead(Struct, frozen=True, array_like=True, tag="read"):
    """A row's file has been read. `doc`: its content, or `problem`: why it cannot be used. `chars`: of its text.

    `earlier`: its content under each earlier job of the errand, where it has one.
    """

    row: int
    doc: bytes | None
    problem: str | None
    document: Document | None
    chars: int
    earlier: Sequence[bytes | None] = ()


class RowEnded(Struct, frozen=True, array_like=True, tag="ended"):
    """By its place in the input. `earlier`: its content under the other jobs whose answers it took."""

    row: int
    outcome: Outcome
    earlier: Sequence[bytes] = ()


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
    | RowRead | RowEnded | RowLeft | RowBroke | Pulse | Bye
)  # fmt: skip
