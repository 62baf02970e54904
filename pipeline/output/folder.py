"""The output folder before a run: made ready, and looked at for a run that has finished already."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.codes import ErrorCode
from pipeline.columns import RESULT_COLUMNS
from pipeline.errors import JobError
from pipeline.extraction.prepare import Prepared
from pipeline.job.folder import BALLAST, CALLS, HEAD, LEDGER, LIVE, LOCK, RESULTS, RUN, TURNS, UNFINISHED
from pipeline.job.settings import Job
from pipeline.ledger.ledger import Ledger
from pipeline.output.manifest import Manifest, read_run
from pipeline.schema.arrow import RecordColumn

PUBLISHED = (RESULTS, CALLS, RUN)
WRITTEN = (*PUBLISHED, LEDGER + HEAD, LOCK, BALLAST, TURNS, LIVE)  # the ledger tells by itself what it is


def ready_folder(job: Job) -> Path:
    """The output folder, made if need be."""
    folder = Path(job.output.path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise JobError(
            f"{job.file}: output.path = {str(folder)!r} is a file. Give a folder, with output.path or --output"
        ) from None
    except OSError as error:
        raise JobError(f"{job.file}: output.path = {str(folder)!r} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise JobError(f"{job.file}: output.path = {str(folder)!r} is not writable for this user")
    for name in (*WRITTEN, *(name + UNFINISHED for name in PUBLISHED)):
        path = folder / name
        if path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "no plain file"
            raise JobError(f"{path} is {found}, and a run writes a file there. Move it away, or give another --output")
    return folder


def finished(prepared: Prepared, ledger: Ledger) -> Manifest | None:
    """run.json, when it says that this very job has finished this very input and its files are in place."""
    manifest = read_run(ledger.path.parent)
    plan = prepared.plan
    if manifest is None or manifest.state != "finished" or manifest.rows.pending:
        return None
    if not ledger.is_last(plan.request_hash, plan.outcome_salt, prepared.source.fingerprint()):
        return None
    if prepared.source.documents and ErrorCode.BAD_ROW in manifest.failed_by_code:
        return None  # what stood against a file may be gone, though it looks the same: a password, who may read it
    same = manifest.job == json.loads(json.dumps(prepared.job.as_dict()))
    whole = all((ledger.path.parent / name).is_file() for name in (RESULTS, CALLS))
    return manifest if same and whole and _of_today(prepared, ledger.path.parent / RESULTS) else None


def _of_today(prepared: Prepared, results: Path) -> bool:
    """Whether results.parquet has all columns that it has today, the record's typed so; else it is published anew."""
    try:
        published = pq.read_schema(results)
        typed = published.field("record").type
    except (OSError, ValueError, KeyError):  # damaged
        return False
    return not {*RESULT_COLUMNS} - {"chunk", *published.names} and bool(typed == RecordColumn(prepared.model).type)
