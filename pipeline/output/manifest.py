"""run.json: the job as resolved, and the sums of both published files."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, convert, field, to_builtins
from msgspec.structs import replace

from pipeline.catalog.prices import price_table_name
from pipeline.columns import TOKENS
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.routing import models_of, shown_name
from pipeline.job.folder import RUN, read_text
from pipeline.job.settings import Job
from pipeline.money import from_units
from pipeline.output.write import OutputTotals
from pipeline.types import Usage

RUNNING = "running"
TABLES = ("budget", "extract", "input", "limits", "model", "output", "prices")  # of the job, in every version
LEFT_OUT_IF_EMPTY = ("assumed_usd", "at_risk", "previous", "previous_unfit", "packs", "models", "workers", "batches")
KNOWN_AT_THE_END = ("waited_share", "events", "advice", "caching", "session", "batches")


class RowCounts(Struct, frozen=True):
    total: int = 0
    ok: int = 0
    failed: int = 0
    pending: int = 0


class SessionRows(Struct, frozen=True):
    """The rows of the input by what was known of them before, and those that this session brought to an end."""

    new: int = 0  # never seen
    changed: int = 0  # the same id with another content
    known: int = 0
    gone: int = 0  # known, and no longer in the input
    done: int = 0  # ok and failed
    ok: int = 0
    failed: int = 0


class SessionFigures(Struct, frozen=True, kw_only=True):
    """What one command did itself; a run is all commands on one job and input."""

    verb: str = ""
    started_at: str = ""
    ended_at: str = ""
    seconds: float = 0.0
    rows: SessionRows = SessionRows()
    calls: int = 0
    cost_usd: Decimal | None = None  # None: the model has no price
    tokens: Usage = Usage()
    nothing_to_do: str | None = None  # why nothing was run, in words

    @property
    def cost_text(self) -> str | None:
        """As of `Manifest`."""
        return None if self.cost_usd is None else f"{self.cost_usd:.10f}"


class CacheUse(Struct, frozen=True):
    """What was decided of prompt caching, the share of input that came from a cache, and what that saved."""

    decision: str = ""
    hit_rate: float = 0.0
    saved_usd: str | None = None  # None: the model has no price


class AtRisk(Struct, frozen=True):
    """Calls of the run whose fate nobody knows, and what they may have cost beside `cost_usd`, at the most."""

    calls: int
    usd: str


class Manifest(Struct, frozen=True, kw_only=True):
    """run.json, key by key in the order it is written. What an older one lacks has a default; a newer one's is left."""

    state: str = ""  # running, finished, parked, interrupted
    reason: str | None = None
    rows: RowCounts = RowCounts()
    failed_by_code: dict[str, int] = field(default_factory=dict)
    tokens: Usage = Usage()
    cost_usd: Decimal | None = None  # None: the model has no price
    assumed_usd: Decimal | None = None  # that a lost machine may have spent, beside all that; None: nothing
    at_risk: AtRisk | None = None  # None: what every call cost is known
    calls: int = 0
    repairs: int = 0
    repaired_rows: int = 0
    free_rows: int = 0
    rate_limited: int = 0
    started_at: str = ""
    ended_at: str | None = None
    seconds: float | None = None
    job: dict[str, Any] = field(default_factory=dict)  # Job.as_dict, of whatever version ran it
    schema_hash: str = ""
    input_fingerprint: str = ""
    price_table: str = ""
    waited_share: dict[str, float] = field(default_factory=dict)
    events: tuple[dict[str, Any], ...] = ()
    advice: tuple[str, ...] = ()
    caching: CacheUse | None = None
    previous: dict[str, int] = field(default_factory=dict)  # pending rows that show an earlier record, by its day
    previous_unfit: int = 0  # pending rows whose earlier record does not fit the schema as it is now
    packs: dict[str, int] = field(default_factory=dict)  # calls about several rows, their rows, those that fell apart
    models: dict[str, dict[str, Any]] = field(default_factory=dict)  # of a job with several: rows, calls and cost_usd
    workers: tuple[
        dict[str, Any], ...
    ] = ()  # of the last session, where it had some: node, rows, calls, CPU, how it ended
    batches: tuple[dict[str, Any], ...] = ()  # at a provider's batch API, of this run or still out
    session: SessionFigures | None = None  # None: written before there was such a thing

    @property
    def max_failed_share(self) -> float:
        """Of the job; with more the run has failed."""
        return float(self.job.get("limits", {}).get("max_failed_share", 0.0))

    @property
    def cost_text(self) -> str | None:
        """The cost to the last of its ten decimals, as it is written."""
        return None if self.cost_usd is None else f"{self.cost_usd:.10f}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, in order."""
        plain: dict[str, Any] = {**to_builtins(self), "cost_usd": self.cost_text}
        if self.session is not None:
            plain["session"]["cost_usd"] = self.session.cost_text
        if self.assumed_usd is not None:
            plain["assumed_usd"] = f"{self.assumed_usd:.10f}"
        left_out = {name for name in LEFT_OUT_IF_EMPTY if not plain[name]}
        left_out |= set(KNOWN_AT_THE_END) if self.state == RUNNING else set()
        return {name: value for name, value in plain.items() if name not in left_out}


def manifest_of(
    prepared: Prepared, totals: OutputTotals, state: str, reason: str | None, started: datetime
) -> Manifest:
    """What run.json says of a session that began at `started` and, unless `state` is running, ends now."""
    ended = datetime.now(UTC) if state != RUNNING else None
    return Manifest(
        state=state,
        reason=reason,
        rows=RowCounts(totals.total, totals.ok, totals.failed, totals.pending),
        failed_by_code=dict(sorted(totals.failed_by_code.items())),
        tokens=Usage(**{name: totals.tokens[name] for name in TOKENS}),
        cost_usd=from_units(totals.usd_units) if prepared.rate is not None else None,
        calls=totals.calls,
        repairs=totals.repairs,
        repaired_rows=totals.repaired,
        free_rows=totals.answer_from["duplicate"] + totals.answer_from["ledger"],
        rate_limited=totals.rate_limited,
        previous=dict(sorted(totals.previous.items())),
        previous_unfit=totals.previous_unfit,
        packs=totals.packs,
        models=_models(prepared.job, totals),
        started_at=started.isoformat(timespec="milliseconds"),
        ended_at=ended.isoformat(timespec="milliseconds") if ended else None,
        seconds=round((ended - started).total_seconds(), 3) if ended else None,
        job=prepared.job.as_dict(),
        schema_hash=prepared.schema_hash,
        input_fingerprint=prepared.source.fingerprint(),
        price_table=prepared.rate.source if prepared.rate is not None else price_table_name(),
    )


def _models(job: Job, totals: OutputTotals) -> dict[str, dict[str, Any]]:
    """Figures by model, [model] first; of a job with one none."""
    return {
        shown_name(job, name): {
            "rows": totals.model_rows[name],
            "calls": totals.model_calls[name],
            "cost_usd": f"{from_units(totals.model_units[name]):.10f}",
        }
        for name in (models_of(job) if job.models else ())
    }


def nothing_to_do(rows: RowCounts) -> str:
    """Why a run of a finished input runs nothing."""
    failed = f", {rows.failed:,} of them failed" if rows.failed else ""
    return f"nothing to do: {rows.total:,} of {rows.total:,} rows have an outcome{failed}"


def idle(manifest: Manifest, verb: str, why: str) -> Manifest:
    """The last run's manifest for a command that found nothing to do: its own figures are zero."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    gone = manifest.session.rows.gone if manifest.session is not None else 0
    figures = SessionFigures(
        verb=verb,
        started_at=now,
        ended_at=now,
        rows=SessionRows(known=manifest.rows.total, gone=gone),
        cost_usd=None if manifest.cost_usd is None else Decimal(0),
        nothing_to_do=why,
    )
    return replace(manifest, session=figures)


def read_manifest(folder: Path) -> Manifest | None:
    """run.json, or None when there is none that can be read."""
    try:
        return convert(json.loads(read_text(folder / RUN)), Manifest)
    except (OSError, ValueError, RecursionError):
        return None


def read_run(folder: Path) -> Manifest | None:
    """The same, or None where it does not even tell of a job: what others wrote, or left of it."""
    found = read_manifest(folder)
    if found is None or not isinstance(found.job.get("name"), str):
        return None
    return found if all(isinstance(found.job.get(table), dict) for table in TABLES) else None
