"""What a run and its workers say to each other: tagged structs. How they get there is in `frames`."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from pipeline.admission.report import Report
from pipeline.codes import ParkReason
from pipeline.engine.feed import Selection, Share
from pipeline.job.settings import Job, Model
from pipeline.ledger.records import Call, Send
from pipeline.types import Outcome

# ── what a run tells a worker ───────────────────────────────────────────────────────────────────────────────────────


class ModelPlace(Struct, frozen=True, array_like=True):
    """One more model of the job: as its wire wants it, and the URL of its embedded sandbox, or ""."""

    model: Model
    base_url: str


class WorkerAssignment(Struct, frozen=True, array_like=True, tag="assignment"):
    """Once, at its start."""

    job: Job
    model: Model  # as the wire wants it
    base_url: str  # of the embedded sandbox, or ""
    selection: Selection
    share: Share
    folder: str
    run: int
    session: int
    observed: bool  # somebody wants to see every call and outcome
    models: Mapping[str, ModelPlace] = {}  # NAME → of a job that has several
    outcome_salt: bytes = b""  # of the whole job: one without the models whose key is missing has another
    tell_rows: bool = False  # which are open, for the one before has died
    alone: tuple[int, ...] = ()  # rows that others have died with: each goes without others


class Granted(Struct, frozen=True, array_like=True, tag="granted"):
    """The turn of what was asked for under this number has come. `usd`: the most that it may cost.

    `sent_us`: of a call that is on the ledger by now, with this time.
    """

    number: int
    usd: Decimal
    sent_us: int = 0


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """It never will; `why` as of `gate.portable`."""

    number: int
    why: tuple[str, ...]


class RunStopped(Struct, frozen=True, array_like=True, tag="stopped"):
    """Nothing more is admitted."""

    reason: ParkReason
    message: str


class Widen(Struct, frozen=True, array_like=True, tag="widen"):
    """Make room for as many calls at once."""

    calls: int


class ModelHealth(Struct, frozen=True, array_like=True, tag="health"):
    """A model is down, and why; cause "": it is well again."""

    model: str
    cause: str
    told: str


ToWorker = WorkerAssignment | Granted | Refused | RunStopped | Widen | ModelHealth


# ── what a worker tells the run ─────────────────────────────────────────────────────────────────────────────────────


class Begun(Struct, frozen=True, array_like=True, tag="begun"):
    """`prefix`: of its request ids."""

    prefix: str


class SizedRequest(Struct, frozen=True, array_like=True):
    """What the run has to know of a request to admit it."""

    input_tokens: int
    input_tokens_ceiling: int
    max_output_tokens: int
    tenant: str | None
    standard_tier: bool
    file_tokens: int


class Admit(Struct, frozen=True, array_like=True, tag="admit"):
    """Ask for an admission. `number` is its name; `model`: NAME of the model, "" the job's [model].

    `draft`: the call, to be put on the ledger with it; its time and its price are not yet known.
    """

    number: int
    asked: SizedRequest
    retry: bool
    model: str = ""
    draft: Send | None = None


class Leave(Struct, frozen=True, array_like=True, tag="leave"):
    """It is wanted no more: nothing has left, nor will."""

    number: int


class Finish(Struct, frozen=True, array_like=True, tag="finish"):
    """The call that was admitted is over."""

    number: int
    report: Report


class StopRun(Struct, frozen=True, array_like=True, tag="stop"):
    """End the run early, for what this model has met, unless its rows go on elsewhere for that."""

    reason: ParkReason
    message: str
    model: str = ""
    nowhere_else: bool = False  # the row that has met it has been at all that it could go on to


class WorkerCounts(Struct, frozen=True, array_like=True, tag="counts"):
    """A worker's tally so far."""

    ok: int
    failed: dict[str, int]
    repaired: int
    calls: int
    rate_limited: int
    usd_units: int
    ended: int = 0  # rows, by this worker
    cpu_s: float = 0.0  # that it has taken


class CallSeen(Struct, frozen=True, array_like=True, tag="call"):
    """To who looks on."""

    call: Call


class OutcomeSeen(Struct, frozen=True, array_like=True, tag="outcome"):
    """To who looks on."""

    outcome: Outcome


class CannotGoOn(Struct, frozen=True, array_like=True, tag="cannot"):
    """What of the machine has failed it: what it had in flight is at risk."""

    message: str


class RowNow(Struct, frozen=True, array_like=True, tag="row"):
    """A row begins here, or is over."""

    row: int
    id: str
    begins: bool


class WorkDone(Struct, frozen=True, array_like=True, tag="done"):
    """All is on disk. What came in the way: the input that could not be read, a bug, tenants' budgets."""

    unread: str | None
    bug: str | None
    over_budget: Mapping[str, str]


ToRun = (
    Begun | Admit | Leave | Finish | StopRun | WorkerCounts | CallSeen | OutcomeSeen | CannotGoOn | RowNow | WorkDone
)
