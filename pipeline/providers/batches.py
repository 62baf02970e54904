"""The seam to providers' batch APIs: what is asked of one, and what its answers mean. Pure.

A batch is a file of lines, each one request with a name of ours. A `BatchWire` maps one vendor's dialect both ways, as
a `Wire` does for live calls; bodies of lines are the live wire's own, and what comes back for a line is read by it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from pipeline.catalog.apis import INVOKE
from pipeline.catalog.providers import PROVIDERS
from pipeline.errors import Kind
from pipeline.job.settings import Batch, Model
from pipeline.providers import Wire, settled
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body
from pipeline.types import AnswerShape, HttpAnswer

NO_SHAPE = AnswerShape("", "json_object", {}, strict=False)  # of a wire by which nothing is asked of a model


class RemoteState(StrEnum):
    """Where a batch stands at the provider, over all vendors' words for it."""

    RUNNING = "running"  # also while it is validated, finalised, or nobody knows the word
    CANCELLING = "cancelling"  # lines may still be answered, and billed
    ENDED = "ended"  # by itself, by its age, or cancelled: what was billed can be fetched
    FAILED = "failed"  # as a whole: no line was billed


class Fate(StrEnum):
    """What became of a line, as its provider tells it."""

    ANSWERED = "answered"  # billed
    REFUSED = "refused"  # an error of its own, not billed
    EXPIRED = "expired"  # not billed
    CANCELLED = "cancelled"  # not billed


class BatchLimits(Struct, frozen=True):
    """What one batch may hold. `life_s`: after which a provider ends it by itself; 0: never."""

    rows: int
    size_bytes: int
    least_rows: int = 1
    life_s: float = 86_400.0
    keeps_nonce: bool = True  # a lost batch can be found by the name that we gave it
    tells_progress: bool = True


class BatchAsk(Struct, frozen=True):
    """One HTTP request about a batch. With `lines`, the batch's lines stand between `head` and `tail`."""

    method: str
    url: str
    content_type: str = ""
    head: bytes = b""
    lines: bool = False
    between: bytes = b"\n"
    tail: bytes = b""
    headers: Mapping[str, str] = {}  # beside those of `BatchWire.headers`


class RemoteBatch(Struct, frozen=True):
    """A batch as its provider tells of it."""

    id: str
    state: RemoteState
    status: str  # in the provider's own word
    rows: int | None = None
    done: int | None = None  # of them, answered or not; None: it does not say
    results: tuple[str, ...] = ()  # what `BatchWire.results` fetches
    inside: str = ""  # where something more of it stands, in a bucket: of a `StoredBatchWire`
    inlined: tuple[bytes, ...] = ()  # lines that came with the batch itself, for `BatchWire.read`
    nonce: str = ""  # the name that we gave it; "": it keeps none
    file_ref: str = ""
    created_s: float | None = None  # since the epoch
    error_code: str = ""
    error: str = ""
    kind: Kind | None = None  # of a failed one, where it says why: what a live call would have failed as
    full: bool = False  # refused for now: too much is waiting there already; `id` is "" where none was made
    waiting_tokens_most: int | None = None  # how many may wait there, where it says so
    retry_after_s: float | None = None  # of a full queue, where it says so
    wrong_lines: tuple[int, ...] = ()  # from 1: those that it failed for, where it says so
    rest: Fate | None = None  # of lines without a result, once there are `done` with one


class BatchLine(Struct, frozen=True):
    """What came back for one line. `answer` is for the live wire's `reply`, which may find that it is none."""

    name: str  # ours
    fate: Fate
    answer: HttpAnswer | None = None
    error_code: str = ""
    error: str = ""


class Probe(Struct, frozen=True):
    """A question that changes nothing. `read` raises CallFailed where the answer is a refusal."""

    what: str  # that is asked about
    ask: BatchAsk
    read: Callable[[HttpAnswer], object]


class BatchWire(Protocol):
    """One vendor's batch API. Pure. What reads an answer raises CallFailed where it is an error, typed as of calls."""

    limits: BatchLimits

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:
        """Of a request, but for the Content-Type that it says itself."""
        ...

    def line(self, name: str, body: Body) -> bytes:
        """A line of the artifact, without its end; `body` is that of the wire of `line_model`, for the request."""
        ...

    def upload(self, nonce: str) -> BatchAsk | None:
        """None: there is no file step, and `create` carries the lines."""
        ...

    def uploaded(self, answer: HttpAnswer) -> str:
        """The file's name there; "" where it has no other than ours, as when it has been there before."""
        ...

    def file_look(self, file_ref: str) -> BatchAsk | None:
        """What tells whether a file can be used by now; None: it can, once it is uploaded."""
        ...

    def file_ready(self, answer: HttpAnswer) -> bool:
        """False also for one that is not seen there yet. Raises CallFailed where it never will be."""
        ...

    def create(self, nonce: str, file_ref: str) -> BatchAsk: ...

    def created(self, answer: HttpAnswer) -> RemoteBatch:
        """The batch, or one that is `full`. CallFailed with `fate_unknown`: there may be one, and nobody can say."""
        ...

    def look(self, batch_id: str) -> BatchAsk: ...

    def looked(self, answer: HttpAnswer) -> RemoteBatch: ...

    def cancel(self, batch_id: str) -> BatchAsk: ...

    def listing(self, page: str = "") -> BatchAsk: ...

    def listed(self, answer: HttpAnswer) -> tuple[tuple[RemoteBatch, ...], str]:
        """Batches, the latest first where the provider sorts them, and the next page's name; "" for the last."""
        ...

    def results(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        """All files of an ended batch: of answers, and of errors."""
        ...

    def read(self, line: bytes) -> BatchLine | None:
        """One line of a result file; None for one that is none: blank, cut off, or not ours."""
        ...

    def access(self) -> tuple[Probe, ...]:
        """What shows whether all of it may be used by whom the key is of, at no cost."""
        ...

    def removal(self, batch: RemoteBatch) -> tuple[BatchAsk, ...]:
        """What deletes our files there, once all is collected."""
        ...


class Given(Struct, frozen=True):
    """What a batch API is told beside its live wire."""

    batch: Batch
    environ: Mapping[str, str] = {}


class StoredBatchWire(BatchWire, Protocol):
    """One whose batches write to a bucket of the user's own, and do not tell all of it themselves."""

    def inside(self, batch: RemoteBatch, page: str = "") -> BatchAsk: ...

    def filled(self, batch: RemoteBatch, answer: HttpAnswer) -> tuple[RemoteBatch, str]:
        """The batch with what stands there, and the next page's name; "" for the last."""
        ...


def line_model(model: Model) -> Model:
    """[model] as the lines of a batch ask it: whole answers, and no service tier: a batch has its own price.

    Where a provider has bodies of its models' makers beside one for all (Bedrock), a batch takes the makers', and keeps
    no prompt cache.
    """
    made = replace(model, stream=False, service_tier="default")
    return replace(made, api=INVOKE, caching="off") if PROVIDERS[model.provider].invoke_wire else made


def batch_wire_for(
    model: Model, wire: Wire, batch: Batch, environ: Mapping[str, str], base_url: str = ""
) -> BatchWire | None:
    """The batch API of a job's provider, where the live wire has its endpoint; None where it has none that we speak.

    Both `model` and the model that `wire` was made of are as `line_model` has them.

    Raises:
        JobError: it lacks something that the job does not say.
    """
    if model.stream:
        raise ValueError("the lines of a batch are not streamed: take the model of line_model")
    module, _, kind = PROVIDERS[model.provider].batch_wire.partition(":")
    if not module:
        return None
    made: BatchWire = getattr(import_module(module), kind)(
        settled(model, environ, base_url), wire, Given(batch, environ)
    )
    return made
