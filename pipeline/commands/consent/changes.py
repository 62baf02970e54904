"""What a run would do with an output folder as it is: whether the job changed, what that makes due, what it costs.

Reads the ledger and the input, sends nothing. What is made of it is decided in `decide`.
"""

from collections import Counter
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from pipeline.commands.consent.decide import (
    EARLIER,
    FRESH,
    Consent,
    ConsentPrompt,
    RowsDue,
    changed_parts,
    changed_words,
    most_usd,
    rehearsed,
    unpriced,
    weigh,
)
from pipeline.commands.consent.rehearse import SomeRows, due_rows
from pipeline.commands.estimate.compare import terms_of
from pipeline.commands.estimate.counted import History
from pipeline.commands.estimate.estimator import estimate
from pipeline.commands.estimate.history import history
from pipeline.commands.estimate.measure import measure
from pipeline.commands.estimate.several import with_models
from pipeline.engine.feed import Selection
from pipeline.errors import JobError, LedgerError, LedgerUnreadable
from pipeline.extraction.prepare import Prepared
from pipeline.job.folder import LEDGER
from pipeline.ledger.files import reading
from pipeline.ledger.head import missing, missing_text
from pipeline.ledger.nights import agreed_key
from pipeline.ledger.queries import last_hashes, readable, remembered, rows_by_end, several_jobs
from pipeline.money import dearer
from pipeline.output.manifest import Manifest, read_run


def prompt_before(prepared: Prepared, selection: Selection, *, fresh: bool) -> ConsentPrompt | None:
    """What is to be said or asked before this command spends; None: nothing.

    The local sandbox is free: there a question is told, not asked. The input is read for it only where the job changed,
    or where its size in bytes does not show by itself that it costs little.

    Raises:
        JobError: the input cannot be read. LedgerError: the ledger cannot.
    """
    job, path = prepared.job, prepared.ledger_path
    sandbox = job.model.provider == "sandbox"
    if sandbox and (fresh or not changes(prepared)):
        return None
    consent = Consent(job.budget.max_usd is not None, job.budget.confirm_above_usd, job.model.name)
    why = (FRESH if path.exists() else "") if fresh else changed_words(changes(prepared))
    if not why and not fresh and not selection.failed:
        why = _earlier_words(prepared)
    if not why and (consent.capped or (not selection.failed and finished(prepared))):
        return None
    if not why and prepared.rate is None:
        return unpriced(job.model.name)
    if not why and _at_most_usd(prepared) <= consent.above_usd:
        return None
    word = _weighed(prepared, selection, why, consent)
    return rehearsed(word) if sandbox else word


def loss_before(prepared: Prepared) -> ConsentPrompt | None:
    """What is to be asked where the ledger has lost what was paid for; None: nothing is known to be missing.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    lost = missing(prepared.ledger_path)
    if lost is None or not lost.paid:
        return None
    return ConsentPrompt("ask", missing_text(prepared.ledger_path, lost), rerun=True)


def _earlier_words(prepared: Prepared) -> str:
    """Why rows may be due again under a job that is no longer a changed one: it was tried on some of them; or ""."""
    path = prepared.ledger_path
    if not path.exists() or finished(prepared) or not readable(path):
        return ""
    with reading(path) as db:
        agreed = remembered(db, agreed_key(prepared.plan.outcome_salt))
        return EARLIER if agreed is None and several_jobs(db) else ""


def require_unchanged(prepared: Prepared) -> None:
    """A retry is of the job that failed: under another one no row has failed yet, and all would be left pending.

    Raises:
        JobError: nothing has run here, or another job. LedgerError: the ledger cannot be read.
    """
    if last_hashes(prepared.ledger_path) is None:
        if (lost := loss_before(prepared)) is not None:
            raise LedgerError(lost.text)
        raise JobError(
            f"{prepared.job.output.path}: no run here yet, so nothing to retry. Start one with: pipeline run JOB"
        )
    if found := changes(prepared):
        raise JobError(
            f"{prepared.job.file}: changed since the last run: {', '.join(found)}. So no row has failed under this job "
            "yet: `pipeline run JOB` runs what it makes due, `pipeline retry JOB` needs the job as it was"
        )


def changes(prepared: Prepared) -> tuple[str, ...]:
    """The keys of the job that differ from the last run's and make its rows due again; empty without an earlier run."""
    last, plan = last_hashes(prepared.ledger_path), prepared.plan
    if last is None or last == (plan.request_hash, plan.outcome_salt):
        return ()
    manifest = read_run(prepared.output_folder) or Manifest()
    schema = ""
    if manifest.schema_hash not in {"", prepared.schema_hash}:
        schema = "the schema" if last[0] != plan.request_hash else "the schema's validators"
    return changed_parts(manifest.job, prepared.job.as_dict(), schema)


def finished(prepared: Prepared) -> bool:
    """Whether the last run was of this job and this input, and left nothing pending."""
    manifest = read_run(prepared.output_folder)
    return manifest is not None and manifest.state == "finished" and same_input(prepared)


def same_input(prepared: Prepared) -> bool:
    """Whether the last run was of this job and these rows: the same files, columns and --limit."""
    manifest, plan = read_run(prepared.output_folder), prepared.plan
    if manifest is None or last_hashes(prepared.ledger_path) != (plan.request_hash, plan.outcome_salt):
        return False
    before, now = manifest.job, prepared.job.as_dict()
    same = all(before.get(key) == now[key] for key in ("input", "limit_rows"))
    return same and manifest.input_fingerprint == prepared.source.fingerprint()


def failed_rows(folder: Path) -> Counter[str]:
    """Rows of the last run by the code that they failed with."""
    with reading(folder / LEDGER) as db:
        return rows_by_end(db).failed


def _at_most_usd(prepared: Prepared) -> Decimal:
    """More than the whole input can cost, from its size in bytes; endless where that does not bound its text."""
    size = prepared.source.size_bytes()
    if size is None or prepared.rate is None or prepared.models:  # a row may go on to another, dearer model
        return Decimal("Infinity")
    rate = dearer(prepared.rate, prepared.rate.expected)  # a tier without room may be left for the standard one
    if (bare := most_usd(0, size, prepared.plan, rate)) > prepared.job.budget.confirm_above_usd:
        return bare  # without reading the file to count its rows
    return most_usd(prepared.source.count_rows(), size, prepared.plan, rate)


def _weighed(prepared: Prepared, selection: Selection, why: str, consent: Consent) -> ConsentPrompt | None:
    fresh, cost_usd = why == FRESH, None
    if not why and selection.error_code is None and not _other_jobs(prepared):
        counts = measure(prepared, failed_only=selection.failed)
        due = RowsDue(counts.rows, new=counts.rows - counts.bad_rows - counts.done_rows)
    elif fresh and not readable(prepared.ledger_path):
        counts = measure(prepared, all_rows=True)
        due = RowsDue(counts.rows, again=counts.rows - counts.bad_rows)
    else:
        due, paid = due_rows(prepared, selection, afresh=fresh, changed=bool(why))
        some = replace(prepared, source=SomeRows(prepared.source, paid))
        counts = measure(some, failed_only=selection.failed, all_rows=fresh)
    if why == EARLIER and not due.again:
        why = ""
    if prepared.rate is not None and due.paid:
        lane = estimate(counts, terms_of(prepared), _history(prepared)).chosen
        cost_usd, consent = lane.cost_usd, replace(consent, by_batch=lane.lane == "batch")
        if prepared.models and (whole := with_models(prepared).bands.cost_usd) is not None:
            cost_usd = whole
    return weigh(due, why, cost_usd, consent)


def _history(prepared: Prepared) -> History | None:
    try:
        return history(prepared)
    except LedgerUnreadable:
        return None  # --fresh gets by without


def _other_jobs(prepared: Prepared) -> bool:
    """Whether rows of this input may have been paid for under another job than the last."""
    if not prepared.ledger_path.exists():
        return False
    with reading(prepared.ledger_path) as db:
        return several_jobs(db)
