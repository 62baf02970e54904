"""A job as values: every setting, its default and its unit, in one place."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, json

Provider = Literal["openai", "azure", "anthropic", "bedrock", "gemini", "vertex", "sandbox"]
# A pattern of msgspec's own would be asked of the other words too.
Through = Annotated[str, Meta(description="instructor:NAME", extra={"pattern": "instructor:."})]
Mode = Literal["auto", "json_schema", "tool", "json_object", "two_step"]
Merge = Literal["auto", "first", "concat", "none"]
Api = Literal["auto", "chat", "responses", "converse", "invoke"]
Reasoning = Literal["default", "none", "minimal", "low", "medium", "high"]
Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
PositiveSpan = Annotated[float, Meta(gt=0)]  # of time
PositiveSize = Annotated[float, Meta(gt=0)]
Span = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
MOST_PACK = 32  # documents of one call
REMOTE = ("s3://", "gs://", "az://", "abfss://")


class Input(Struct, frozen=True, kw_only=True):
    path: str  # absolute, or a remote URL; file, folder or glob
    id: str = ""  # "" names a row by its position
    text: str = "text"
    document: str = ""  # the column that holds or names the row's file, instead of text
    tenant: str = ""
    keep: tuple[str, ...] = ()


class Example(Struct, frozen=True, kw_only=True):
    """A document and the record that is wanted of it."""

    text: str
    record: Mapping[str, Any]


class Extract(Struct, frozen=True, kw_only=True):
    schema: str  # FILE.py:Class (file absolute) or module:Class
    system: str = ""
    prompt: str = "{text}"
    mode: Mode = "auto"
    merge: Merge = "auto"
    prompt_file: str = ""  # absolute, instead of the text
    system_file: str = ""
    examples: tuple[Example, ...] = ()
    evidence: Literal["off", "align", "ask"] = "off"  # whether each value is looked for in the document
    min_grounded: Share = 0.0  # the share of values that must be found there; 0: none
    keep_text: bool = False  # the row's text as a column of the results
    tools: tuple[str, ...] = ()  # FILE.py:function (file absolute) or module:function: what the model may look up
    max_tool_rounds: Positive = 5  # of look-ups, for each chunk
    tool_timeout_s: PositiveSpan = 10.0  # of one look-up


class Model(Struct, frozen=True, kw_only=True):
    provider: Provider | Through
    name: str
    max_output_tokens: Positive
    temperature: float | None = None
    top_p: Share | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning: Reasoning | Positive = "default"  # a level, or a number of tokens
    service_tier: Literal["default", "flex", "priority"] = "default"
    flex_fallback: bool = False  # ask for the default tier where flex has no room
    safety: Mapping[str, str] = {}  # gemini, vertex: category → threshold
    extra: Mapping[str, Any] = {}  # goes into the body as it is
    send_tenant: bool = False  # the tenant's hash, as the provider's own field for end users
    base_url: str = ""
    api_key_env: str = ""
    stream: bool = False
    api: Api = "auto"
    region: str = ""
    api_version: str = ""
    transport: Literal["http", "sdk"] = "http"
    project: str = ""
    betas: tuple[str, ...] = ()
    caching: Literal["auto", "on", "off"] = "auto"  # of the part that all requests share
    lane: Literal["live", "batch", "auto"] = "live"  # batch: the provider's batch API, at its price


class Chunks(Struct, frozen=True, kw_only=True):
    max_tokens: Count = 0  # 0: what the context window leaves
    overlap_tokens: Count = 0
    context: Literal["none", "rolling", "window"] = "none"
    window: Positive = 2  # with context = "window": of how many chunks before the records go along
    select: Count = 0  # of a document, the most that are asked about; 0: all
    pack: Positive = 1  # short documents of one tenant that go in one call, at the most; 1: each alone


class Batch(Struct, frozen=True, kw_only=True):
    """The provider's batch API, where model.lane asks for it."""

    deadline_h: PositiveSpan = 24.0  # from the first submission; a resume does not extend it
    after_deadline: Literal["live", "wait"] = "live"
    max_rows: Positive = 5000  # of one batch
    poll_s: Span = 0.0  # 0: by schedule; else the longest time between two looks
    repair: Literal["auto", "batch", "live"] = "auto"  # where second questions go
    orphan: Literal["resubmit", "ask"] = "resubmit"  # Anthropic, which keeps no name of ours
    keep_remote_files: bool = False
    role_arn: str = ""  # bedrock
    s3_url: str = ""  # bedrock
    gcs_url: str = ""  # vertex
    deployment: str = ""  # azure: a Global-Batch deployment


MOST_PAGES = 20  # of a call, where the job names no number
MOST_PX = 10_000  # of a drawn page's longer edge: more no model takes, and it is more than a reader has memory for


class Documents(Struct, frozen=True, kw_only=True):
    """How files are read, and what of them goes to the model."""

    read: Literal["auto", "text", "native", "image"] = "auto"
    pages_per_call: Count = 0  # 0: as many as provider, window and size allow, MOST_PAGES at the most
    overlap_pages: Count = 0
    image_px: Positive = 1300  # longest edge of a drawn page
    embedded_xml: Literal["compare", "ignore"] = "compare"
    password_env: str = ""
    max_pages: Positive = 1000
    max_mb: PositiveSize = 50.0


class Limits(Struct, frozen=True, kw_only=True):
    concurrency: Positive = 64
    requests_per_minute: Count = 0  # 0: not known
    input_tokens_per_minute: Count = 0
    output_tokens_per_minute: Count = 0
    timeout_s: PositiveSpan = 120.0
    idle_timeout_s: PositiveSpan = 30.0
    max_attempts: Positive = 6
    max_wait_s: Span = 0.0  # how long a request waits out rate limits, from its first 429; 0: as long as it takes
    workers: Positive = 1  # processes that share the rows
    max_failed_share: Share = 0.0
    outage_s: Span = 600.0
    hedge_after: Share = 0.0  # quantile of latencies after which a second call is sent; 0: never
    shared: bool = True  # with other runs of the account on this machine


class Engine(Struct, frozen=True, kw_only=True):
    """Where the rows are worked on; it is no part of what is asked, nor of how an answer is found again."""

    on: Literal["local", "ray"] = "local"
    address: str = "auto"  # of the cluster's head, HOST:PORT; auto: the cluster that this machine is of
    workers: Positive = 4  # processes on the cluster's nodes
    cpus_per_worker: PositiveSize = 1.0


class Budget(Struct, frozen=True, kw_only=True):
    max_usd: Decimal | None = None
    tenant_max_usd_per_day: Decimal | None = None
    confirm_above_usd: Decimal = Decimal(5)  # what may cost more, and has no cap or was changed, is asked about
    alert_at: Share = 0.8
    alert_command: tuple[str, ...] = ()  # run without a shell, the alert as JSON on its standard input


class Prices(Struct, frozen=True, kw_only=True):
    as_model: str = field(default="", name="as")  # of the price table, NAME or PROVIDER:NAME, which this model is
    input_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    cached_input_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    batch_share: Decimal | None = None  # of the price, in the provider's batch lane; from 0 to 1


class Output(Struct, frozen=True, kw_only=True):
    path: str  # absolute folder, or a URL; once `Job.output_url` is set, the URL's mirror on this machine


class Telemetry(Struct, frozen=True, kw_only=True):
    prometheus_file: str = ""  # absolute path, ending in .prom


class Sandbox(Struct, frozen=True, kw_only=True):
    """Limits, latency and faults of the local provider. The shares are of its answers, from 0 to 1."""

    requests_per_minute: Count = 0  # 0: no limit
    tokens_per_minute: Count = 0
    burst_s: Span = 60.0  # how long a refill the buckets of both limits hold
    latency_ms: Span = 0.0
    seed: int = 0
    throttled: Share = 0.0
    server_error: Share = 0.0
    timeout: Share = 0.0
    invalid_output: Share = 0.0
    truncated: Share = 0.0
    refused: Share = 0.0
    disconnect: Share = 0.0
    batch_s: Span = 2.0  # how long a batch takes
    batch_expired: Share = 0.0  # of a batch's lines
    batch_refused: Share = 0.0


Cause = Literal[
    "invalid_output", "truncated", "refused", "blocked", "context_exceeded", "ungrounded",
    "outage", "quota", "model_unavailable", "auth",
]  # fmt: skip


class NamedModel(Struct, frozen=True, kw_only=True):
    """A model beside [model], with limits and prices of its own."""

    model: Model
    limits: Limits
    prices: Prices


class Where(Struct, frozen=True, kw_only=True):
    """A column of the input, and the values of it that are meant."""

    column: str
    values: tuple[str, ...]


class RouteRule(Struct, frozen=True, kw_only=True):
    """Rows that go to another model than [model] from the start: all that it says holds."""

    model: str
    min_input_tokens: Count = 0
    where: Where | None = None


class Fallback(Struct, frozen=True, kw_only=True):
    """What rows go on to another model for: how they ended, or what would park the run."""

    on: tuple[Cause, ...]
    model: str


class Job(Struct, frozen=True, kw_only=True):
    """A job as resolved: defaults filled in, paths absolute, overrides applied. Holds no secret."""

    name: str
    prompt_version: str = ""
    input: Input
    extract: Extract
    model: Model
    chunks: Chunks = field(default_factory=Chunks)
    documents: Documents = field(default_factory=Documents)
    batch: Batch = field(default_factory=Batch)
    limits: Limits = field(default_factory=Limits)
    engine: Engine = field(default_factory=Engine)
    budget: Budget = field(default_factory=Budget)
    prices: Prices = field(default_factory=Prices)
    output: Output
    telemetry: Telemetry = field(default_factory=Telemetry)
    sandbox: Sandbox = field(default_factory=Sandbox)
    models: Mapping[str, NamedModel] = {}
    routes: tuple[RouteRule, ...] = ()  # the first that fits
    fallbacks: tuple[Fallback, ...] = ()  # tried in order
    file: str = ""  # the job file, absolute
    limit_rows: int | None = None  # --limit
    output_url: str = ""  # of a remote output

    @classmethod
    def load(cls, path: str | Path, *, set: Mapping[str, Any] | None = None) -> "Job":  # noqa: A002 (the flag's name)
        """The job of a job file. `set` lays values over it: {"limits.concurrency": 8}.

        Relative paths, those in `set` too, are relative to the job file.

        Raises:
            JobError: the file is missing, is no TOML, or has a wrong key or value.
        """
        from pipeline.job.file import load  # noqa: PLC0415 (which needs this module first)

        return load(path, tuple((set or {}).items()))

    def as_dict(self) -> dict[str, Any]:
        """The job as plain JSON values, for run.json and the ledger."""
        plain: dict[str, Any] = json.decode(json.encode(self))
        url = plain.pop("output_url")
        for several in ("models", "routes", "fallbacks"):
            if not plain[several]:
                del plain[several]
        if self.engine == Engine():
            del plain["engine"]
        plain["output"] = {"path": url or self.output.path}
        return plain
