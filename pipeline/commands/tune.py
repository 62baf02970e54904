"""`pipeline tune`: leaves a note for the run in an output folder, and waits until it is carried out."""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from uuid import uuid4

from pipeline.engine.control import LOOK_S, TuneRequest
from pipeline.errors import JobError
from pipeline.job.folder import TUNE_PREFIX, TUNE_SUFFIX, UNFINISHED
from pipeline.ledger.lock import held, who
from pipeline.output.manifest import read_run
from pipeline.platforms import usable_cores
from pipeline.telemetry.snapshot import read_live
from pipeline.telemetry.workers import workers_advice


def tune_request(concurrency: int | None, max_usd: str | None) -> TuneRequest:
    """A checked wish of this process.

    Raises:
        JobError: there is nothing to change, or a value is wrong.
    """
    usd = None
    if max_usd is not None:
        try:
            usd = Decimal(max_usd)
        except InvalidOperation:
            usd = Decimal("NaN")
        if not usd.is_finite() or usd < 0:
            raise JobError(f"--max-usd {max_usd!r}: should be 0 or more USD, such as 2.50")
    if concurrency is None and usd is None:
        raise JobError("nothing to change: give --concurrency N, --max-usd X or both")
    return TuneRequest(concurrency, usd, who(), datetime.now(UTC).isoformat(timespec="seconds"))


def ask(folder: Path, wish: TuneRequest, patience_s: float = 10.0) -> bool:
    """Leave the note for the run in `folder`; whether it was carried out within `patience_s`.

    Raises:
        JobError: no run is going on there.
    """
    if held(folder) is None:
        raise JobError(
            f"{folder}: no run is going on here. Start one with the flag instead:  pipeline run JOB --max-usd X, "
            "or --set limits.concurrency=N"
        )
    note = folder / f"{TUNE_PREFIX}{time.time_ns():020d}-{uuid4().hex[:8]}{TUNE_SUFFIX}"
    temporary = note.with_suffix(UNFINISHED)
    temporary.write_text(
        json.dumps(
            {
                "concurrency": wish.concurrency,
                "max_usd": None if wish.max_usd is None else str(wish.max_usd),
                "by": wish.by,
                "at": wish.at,
                "cancel": wish.cancel,
            }
        )
    )
    temporary.replace(note)
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        if not note.exists():
            return True
        if held(folder) is None:
            break
        time.sleep(LOOK_S)
    done = not note.exists()
    note.unlink(missing_ok=True)
    return done


def workers_told(folder: Path) -> str:
    """Whether the run in `folder` has too few workers or too many, as far as they tell by now; "" where it has none."""
    now, manifest = read_live(folder), read_run(folder)
    if now is None or manifest is None:
        return ""
    on_cluster = manifest.job.get("engine", {}).get("on") == "ray"
    setting, cores = ("engine.workers", None) if on_cluster else ("limits.workers", usable_cores())
    told = workers_advice(now.get("workers", ()), setting, cores)
    return f"{told}; a run that goes on keeps those it has" if "--set" in told else told
