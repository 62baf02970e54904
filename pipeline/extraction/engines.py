"""What a job cannot have where its rows are worked on by a cluster. Found without an import of what runs that."""

from collections.abc import Iterator
from importlib.util import find_spec

from pipeline.job.settings import Job
from pipeline.platforms import POSIX, WAY_OUT

INSTALL = "pip install 'ledger-pipeline[ray]'"


def engine_problem(job: Job) -> str | None:
    """Why the job cannot run where it asks to, and what to do instead; None: it can."""
    return next(_problems(job), None) if job.engine.on == "ray" else None


def _problems(job: Job) -> Iterator[str]:
    on = "engine.on = 'ray'"
    if not POSIX:
        yield f"{on} does not go on this system. {WAY_OUT}"
    if job.limits.workers > 1:
        told = f"limits.workers = {job.limits.workers} is of this machine and does not go with {on}"
        yield f"{told}: leave it out, and say engine.workers"
    if job.model.lane != "live":
        told = f"{on} does not go with model.lane = {job.model.lane!r}: batches are planned and collected in one place"
        yield f"{told}. Set model.lane = 'live', or engine.on = 'local'"
    if find_spec("ray") is None:
        yield f"{on} needs Ray:  {INSTALL}"
