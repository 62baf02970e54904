"""What `run` asks before it spends: a job that has changed since the last run, or one that costs much and has no cap.

The question is decided here and put by the command line. Answers on record are free: a new merge rule asks nothing.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline import planning
from pipeline.chunking import chunk
from pipeline.comparing import terms_of
from pipeline.errors import JobError
from pipeline.estimating import Estimate, estimate
from pipeline.ledger import FILE, answered, connect, last_hashes
from pipeline.manifest import read_manifest
from pipeline.measuring import Sums, measure, rows_to_send
from pipeline.preparing import Prepared
from pipeline.pricing import MTOK, to_units
from pipeline.progress import money
from pipeline.recalling import history

PARTS = {  # what can change an answer or an outcome, as the job file calls it
    "extract": ("system", "prompt", "mode", "merge"),
    "model": ("provider", "name", "api", "betas", "temperature"),
    "chunks": ("max_tokens", "overlap_tokens", "context"),
}
REPAIRS = 2  # calls for one request at the most, in the cheap bound


@dataclass(frozen=True, slots=True)
class Question:
    """`why` and what it would cost, for people. `estimate` is kept, to tell later how far a run is from it."""

    why: str
    estimate: Estimate

    def __str__(self) -> str:
        cost = self.estimate.cost_usd
        if cost is None:
            return f"{self.why}. What that costs is not known: the model has no price"
        low, expected, high = (money(to_units(usd)) for usd in cost)
        return f"{self.why}: about {expected} ({low} to {high})"


def question_of(prepared: Prepared, *, fresh: bool) -> Question | None:
    """What is to be asked before this run, or None: it costs little, or a cap was agreed to.

    A job on the local sandbox is free. What costs less than `budget.confirm_above_usd` at the most is not asked about.
    """
    if prepared.job.model.provider == "sandbox":
        return None
    changed = ("--fresh starts over, and asks for everything again",) if fresh else changes(prepared)
    capped = prepared.job.budget.max_usd is not None
    if (capped and not changed) or _bound_usd(prepared) <= prepared.job.budget.confirm_above_usd:
        return None
    if changed and _answers_on_record(prepared):
        if not fresh and _to_pay(prepared) == 0:
            return None  # worked out again from answers on record
        told = _estimated(prepared, all_rows=fresh)
        why = ", ".join(changed) if fresh else f"changed since the last run: {', '.join(changed)}"
        rows = f"{told.counts.requests:,} requests would be sent for {told.counts.rows:,} rows"
        return _if_dear(prepared, Question(f"{why}; {rows}", told))
    if capped:
        return None
    told = _estimated(prepared)
    return _if_dear(prepared, Question(f"{told.counts.requests:,} requests, and budget.max_usd is not set", told))


def require_unchanged(prepared: Prepared) -> None:
    """A retry is of the job that failed: under another one no row has failed yet, and all would be left pending.

    Raises:
        JobError: nothing has run here, or another job.
    """
    folder = Path(prepared.job.output.path)
    if last_hashes(folder / FILE) is None:
        raise JobError(f"{folder}: no run here yet, so nothing to retry. Start one with: pipeline run JOB")
    if found := changes(prepared):
        raise JobError(
            f"{prepared.job.file}: changed since the last run: {', '.join(found)}. So no row has failed under this job "
            "yet: `pipeline run JOB` runs what it makes due, `pipeline retry JOB` needs the job as it was"
        )


def changes(prepared: Prepared) -> tuple[str, ...]:
    """The keys of the job that differ from the last run's and make its rows due again; empty without an earlier run."""
    folder = Path(prepared.job.output.path)
    last = last_hashes(folder / FILE)
    plan = prepared.plan
    if last is None or last == (plan.request_hash, plan.doc_hash):
        return ()
    manifest = read_manifest(folder) or {}
    before, now = manifest.get("job", {}), prepared.job.as_dict()
    found = [
        f"{section}.{key}"
        for section, keys in PARTS.items()
        for key in keys
        if _value(before, section, key) != _value(now, section, key)
    ]
    if manifest.get("schema_hash") not in {None, prepared.schema_hash}:
        found.append("the schema")
    return tuple(found) or ("the job",)


def _value(job: Mapping[str, Any], section: str, key: str) -> Any:  # noqa: ANN401 (any JSON value)
    return (job.get(section) or {}).get(key)


def _if_dear(prepared: Prepared, question: Question) -> Question | None:
    cost = question.estimate.cost_usd
    return question if cost is None or cost[2] > prepared.job.budget.confirm_above_usd else None


def _estimated(prepared: Prepared, *, all_rows: bool = False) -> Estimate:
    return estimate(measure(prepared, all_rows=all_rows), terms_of(prepared), history(prepared))


def _bound_usd(prepared: Prepared) -> Decimal:
    """More than the run can cost, by the input's size in bytes and its number of rows; 0 where no price is known."""
    rate = prepared.rate
    if rate is None:
        return Decimal(0)
    source, plan = prepared.source, prepared.plan
    dearest_in = max([rate.input, rate.cache_write, *(max(t.input, t.cache_write) for t in rate.tiers)])
    dearest_out = max([rate.output, *(tier.output for tier in rate.tiers)])
    size = source.size_bytes()
    if size is None:
        return Decimal("Infinity")  # compressed: nobody knows how much text it holds
    rows = source.count_rows()
    requests = rows + size // max(1, plan.chunk_tokens)
    inputs = size + requests * plan.fixed_tokens
    return REPAIRS * (inputs * dearest_in + requests * plan.max_output_tokens * dearest_out) / MTOK


def _answers_on_record(prepared: Prepared) -> bool:
    with closing(connect(Path(prepared.job.output.path) / FILE, read_only=True)) as db:
        return db.execute("SELECT 1 FROM answers LIMIT 1").fetchone() is not None


def _to_pay(prepared: Prepared) -> int:
    """Requests of rows without an outcome under this job, to which no answer is on record."""
    plan, missing = prepared.plan, 0
    with closing(connect(Path(prepared.job.output.path) / FILE, read_only=True)) as db:
        for rows in rows_to_send(prepared, Sums()):
            keys = []
            for row in rows:
                pieces = chunk(row.text, prepared.counter, plan.chunk_tokens, plan.overlap_tokens, exact=prepared.exact)
                keys += [planning.extract_request(plan, row, piece).key for piece in pieces]
            missing += len(keys) - answered(db, keys)
    return missing
