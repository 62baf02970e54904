"""`pipeline cancel`: calls off batches that are out; by a note to the run that has the folder, or by itself."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import convert

from pipeline.commands.tune import ask
from pipeline.engine.control import TuneRequest
from pipeline.errors import JobError
from pipeline.job.environment import environ_of
from pipeline.job.folder import LEDGER
from pipeline.job.settings import Batch, Model
from pipeline.ledger.batches import CANCELLING, OUT, open_batches
from pipeline.ledger.files import reading
from pipeline.ledger.lock import held, who
from pipeline.output.manifest import read_run

PATIENCE_S = 60.0


def cancel(folder: Path, batch_id: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Call off the batch of that id, or all ("").

    Returns {cancelled: ids, failed: {id: why}, by: "run" | "itself" | null where nothing was out}.

    Raises:
        JobError: no run was here, no such batch is out, or the provider cannot be asked. LedgerError: as a run's.
    """
    manifest, path = read_run(folder), folder / LEDGER
    if manifest is None or not path.exists():
        raise JobError(f"{folder}: no run here yet, so no batch is out")
    with reading(path) as db:
        out = [one for one in open_batches(db) if one.state in {OUT, CANCELLING}]
    ids = [one.remote_id for one in out if batch_id in {"", one.remote_id, one.nonce}]
    if batch_id and not ids:
        raise JobError(
            f"{folder}: no batch {batch_id!r} is out. Out are: {', '.join(o.remote_id for o in out) or 'none'}"
        )
    if not ids:
        return {"cancelled": [], "failed": {}, "by": None}
    if held(folder) is not None:
        return _by_the_run(folder, ids, batch_id)
    from pipeline.engine.batches.call_off import call_off  # noqa: PLC0415 (its client, for this alone)

    model = convert(manifest.job["model"], Model, strict=False)
    batch = convert(manifest.job.get("batch", {}), Batch, strict=False)
    found = asyncio.run(call_off(folder, model, batch, batch_id, environ_of(manifest.job["file"], environ)))
    return {"cancelled": [one.remote_id for one in found.done], "failed": dict(found.failed), "by": "itself"}


def _by_the_run(folder: Path, ids: list[str], batch_id: str) -> dict[str, Any]:
    wish = TuneRequest(None, None, who(), datetime.now(UTC).isoformat(timespec="seconds"), cancel=batch_id or "*")
    if not ask(folder, wish, PATIENCE_S):
        raise JobError(f"{folder}: the run did not take it up within {PATIENCE_S:g} s. Is it ending? Ask again then")
    return {"cancelled": ids, "failed": {}, "by": "run"}


def cancel_text(found: Mapping[str, Any]) -> str:
    if found["by"] is None:
        return "nothing is out: nothing to cancel"
    lines = [f"{one}: called off" for one in found["cancelled"]]
    lines += [f"{one}: not called off: {why}" for one, why in found["failed"].items()]
    if found["cancelled"]:
        lines.append("What was answered by then is billed. pipeline run JOB collects it, and asks for the rest again")
    return "\n".join(lines)
