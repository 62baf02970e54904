"""The end of a session: what the ledger holds becomes the published files, and how it went becomes run.json."""

import base64
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from pipeline.codes import ParkReason, Status
from pipeline.crash_points import crash_point
from pipeline.errors import LedgerError, machine_words, out_of_room
from pipeline.extraction.evidence.share import columns_of
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.prompt_cache import Caching, saved_usd
from pipeline.job.folder import RUN
from pipeline.ledger import night_figures, nights
from pipeline.ledger.files import reading
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.run_calls import calls_at_risk
from pipeline.money import from_units
from pipeline.output import write as results
from pipeline.output.advice import sizing_of
from pipeline.output.batches import batches_told
from pipeline.output.manifest import (
    AtRisk,
    CacheUse,
    Manifest,
    RowCounts,
    SessionFigures,
    SessionRows,
    manifest_of,
    nothing_to_do,
)
from pipeline.schema.arrow import RecordColumn

KEPT = "kept_schema"


class Ended(Struct, frozen=True):
    """How a session ended. `manifest` is run.json."""

    manifest: Manifest
    park: ParkReason | None
    message: str  # why it was parked, in full
    enough_usd: Decimal | None = None  # of one that budget.max_usd has parked: the least cap that its next call fits
    unsaved: str | None = None  # why a remote output has not all that is in its mirror


def ended_before(manifest: Manifest) -> Ended:
    """How an earlier session ended, as far as run.json tells."""
    reasons = {str(reason): reason for reason in ParkReason}
    park = reasons.get(manifest.reason or "") if manifest.rows.pending else None
    return Ended(manifest, park, "")


def exit_code(ended: Ended) -> int:
    """The contract's exit codes; a remote output that has not everything is resumable."""
    if ended.park is not None:
        return {ParkReason.BUDGET: 3, ParkReason.WAITING: 5, ParkReason.INTERRUPTED: 130}.get(ended.park, 4)
    rows = ended.manifest.rows
    if rows.pending or ended.unsaved is not None:
        return 4
    return 0 if rows.failed <= ended.manifest.max_failed_share * rows.total else 1


class SessionEnd(Struct, frozen=True):
    """How a session came to its end, before anything is published."""

    stopped: ParkReason | None
    message: str
    over_budget: tuple[str, ...]  # tenants whose rows are left for another day, in words
    only_some: bool  # it was to run some rows only
    limits_key: str  # under which `learned` is kept
    learned: Mapping[str, Any]
    waited_share: Mapping[str, float]
    events: tuple[Mapping[str, Any], ...]
    caching: Caching
    enough_usd: Decimal | None = None  # as of Ended
    workers: tuple[Mapping[str, Any], ...] = ()  # where it had some, as run.json tells them


class Publisher:
    """Of one session, which begins when it is made."""

    def __init__(self, prepared: Prepared, ledger: Ledger, column: RecordColumn, verb: str) -> None:
        self._verb = verb
        self._prepared = prepared
        self._ledger = ledger
        self._column = column
        self._folder = ledger.path.parent
        self._started = datetime.now(UTC)
        self._total = 0  # rows of the input
        self._assumed_usd: Decimal | None = None

    def begun(self, total: int, assumed_usd: Decimal | None = None) -> None:
        """Say in run.json that a session is going on. `assumed_usd`: what counts as spent by a lost machine."""
        self._total, self._assumed_usd = total, assumed_usd
        totals = results.OutputTotals(total=total, pending=total)
        self._write(self._manifest(totals, "running", None))

    def publish(self, end: SessionEnd) -> Ended:
        """Write both Parquet files, close the session in the ledger, write run.json.

        Where the machine does not let it, as `unpublished`; before that, the room kept for answers is given to results.
        """
        try:
            return self._published(end)
        except Exception as error:  # noqa: BLE001 (a bug is raised again)
            if not out_of_room(error):
                return self.unpublished(error)
        self._ledger.make_room()
        try:
            return self._published(end)
        except Exception as error:  # noqa: BLE001 (a bug is raised again)
            return self.unpublished(error)

    def unpublished(self, error: Exception) -> Ended:
        """End the session without results, as parked. Says what it can of that in the ledger and in run.json.

        Raises `error` where it is none of the machine's.
        """
        told = machine_words(error)
        if told is None:
            raise error
        park = ParkReason.DISK_FULL if out_of_room(error) else ParkReason.MACHINE
        totals = results.OutputTotals(total=self._total, pending=self._total)
        with contextlib.suppress(LedgerError):
            totals = results.counted(self._ledger.path, self._ledger.run, self._total)
            self._ledger.end("parked", str(park))
        manifest = self._manifest(totals, "parked", str(park))
        with contextlib.suppress(OSError):
            self._write(manifest)
        kept = f"Every answer on record stays in {self._ledger.path}, and is not paid for again"
        return Ended(manifest, park, f"{told}: the results could not be written. {kept}")

    def _published(self, end: SessionEnd) -> Ended:
        totals = self._files()
        ledger = self._ledger
        ledger.remember(end.limits_key, json.dumps(end.learned))
        park, message = end.stopped, end.message
        if park is None and end.over_budget:
            park, message = ParkReason.BUDGET, "; ".join(end.over_budget)
        park = park if totals.pending else None
        state, reason = "finished", str(park) if park else None
        if totals.pending:
            state = "interrupted" if park is ParkReason.INTERRUPTED else "parked"
            reason = reason or ("pilot" if end.only_some else None)
        self._ledger.end(state, reason)
        if not totals.pending and self._prepared.job.limit_rows is None:
            self._ledger.remember(nights.agreed_key(self._prepared.plan.outcome_salt), "done")
        crash_point("session-ended")
        advised = sizing_of(self._prepared) if totals.calls else None
        manifest = replace(
            self._manifest(totals, state, reason),
            at_risk=self._at_risk(),
            waited_share=dict(end.waited_share),
            events=tuple(map(dict, end.events)),
            advice=() if advised is None else (advised.told,),
            caching=self._cached(end.caching, totals),
            workers=tuple(map(dict, end.workers)),
            batches=tuple(batches_told(ledger.path, ledger.run)),
            session=self._session_figures(totals),
        )
        self._write(manifest)
        return Ended(manifest, park, message if park else "", end.enough_usd if park else None)

    def _files(self) -> results.OutputTotals:
        prepared, ledger, job = self._prepared, self._ledger, self._prepared.job
        kept_schema = prepared.source.kept_schema(_remembered_schema(ledger))
        view = results.View(
            provider=job.model.provider,
            model=job.model.name,
            prompt_version=job.prompt_version,
            feature=job.name,
            stream=job.model.stream,
            betas=job.model.betas,
            priced=prepared.rate is not None,
            per_chunk=job.extract.merge == "none",
            record=self._column,
            kept_schema=kept_schema,
            documents=prepared.source.documents,
            compared=prepared.source.documents and job.documents.embedded_xml == "compare",
            models={name: (one.model.provider, one.model.name) for name, one in job.models.items()},
            evidence=columns_of(job.extract),
            selects=bool(job.chunks.select),
            packs=job.chunks.pack > 1,
            fits=partial(_fits, prepared.model, self._column),
        )
        crash_point("publishing")
        totals = results.publish(self._folder, ledger.path, ledger.run, view, prepared.source.kept(), ledger.session)
        crash_point("published")
        _remember_schema(ledger, kept_schema)
        return totals

    def _session_figures(self, totals: results.OutputTotals) -> SessionFigures:
        """What this session did by itself; run.json's other figures are the run's."""
        ledger, ended = self._ledger, datetime.now(UTC)
        with reading(ledger.path) as db:
            sent = night_figures.session_calls(db, ledger.session)
            whole = self._prepared.job.limit_rows is None
            rows = night_figures.night_rows(db, ledger.session, ledger.entered, whole=whole)
        ok, failed = totals.session_ends[Status.OK], totals.session_ends[Status.FAILED]
        idle = not (sent.calls or ok or failed or rows.new or rows.changed or totals.pending)
        counts = RowCounts(totals.total, totals.ok, totals.failed, totals.pending)
        return SessionFigures(
            nothing_to_do=nothing_to_do(counts) if idle and self._verb == "run" else None,
            verb=self._verb,
            started_at=self._started.isoformat(timespec="milliseconds"),
            ended_at=ended.isoformat(timespec="milliseconds"),
            seconds=round((ended - self._started).total_seconds(), 3),
            rows=SessionRows(rows.new, rows.changed, rows.known, rows.gone, ok + failed, ok, failed),
            calls=sent.calls,
            cost_usd=from_units(sent.cost_units) if self._prepared.rate is not None else None,
            tokens=sent.usage,
        )

    def _cached(self, caching: Caching, totals: results.OutputTotals) -> CacheUse:
        read, written = totals.tokens["cached_input_tokens"], totals.tokens["cache_write_tokens"]
        rate, whole = self._prepared.expected_rate, totals.tokens["input_tokens"]
        return CacheUse(
            decision=caching.told,
            hit_rate=round(read / whole, 4) if whole else 0.0,
            saved_usd=None if rate is None else f"{saved_usd(read, written, rate):.6f}",
        )

    def _manifest(self, totals: results.OutputTotals, state: str, reason: str | None) -> Manifest:
        made = manifest_of(self._prepared, totals, state, reason, self._started)
        return replace(made, assumed_usd=self._assumed_usd or None)

    def _at_risk(self) -> AtRisk | None:
        with reading(self._ledger.path) as db:
            calls, units = calls_at_risk(db)
        return AtRisk(calls, f"{from_units(units):.10f}") if calls else None

    def _write(self, manifest: Manifest) -> None:
        results.write_json(self._folder / RUN, manifest.as_json())


def _fits(model: type[BaseModel], column: RecordColumn, record: str) -> bool:
    """Whether a record of before is one of the schema as it is now."""
    try:
        model.model_validate_json(record, by_alias=True, by_name=True)
    except (Exception, SystemExit):  # noqa: BLE001 (the user's validators may raise anything)
        return False
    return column.problem_of(record) is None


def _remembered_schema(ledger: Ledger) -> pa.Schema | None:
    """The types of the kept columns on earlier runs, so that a column that is all null tonight keeps its type."""
    text = ledger.remembered(KEPT)
    return None if text is None else pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _remember_schema(ledger: Ledger, schema: pa.Schema) -> None:
    ledger.remember(KEPT, base64.b64encode(schema.serialize().to_pybytes()).decode())
