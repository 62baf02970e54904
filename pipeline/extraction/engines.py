"""What a job cannot have where its rows are worked on by a cluster. Found without an import of what runs that."""

from collections.abc import Iterator
from importlib.util import find_spec

from pipeline.errors import Finding
from pipeline.job.settings import REMOTE, Job
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


def told_of_engine(job: Job, *, documents: bool) -> list[Finding]:
    """What is asked of a cluster, and what of the job only this machine has. Nothing of a job that stays here."""
    engine, where = job.engine, "of this machine" if job.engine.address == "auto" else f"at {job.engine.address}"
    if engine.on != "ray":
        return []
    asked = f"{engine.workers} workers, {engine.cpus_per_worker:g} CPUs each, on the Ray cluster {where}"
    found = [Finding("engine", "ok", f"{asked}; it is not asked here")]
    models = (job.model, *(one.model for one in job.models.values()))
    if any(model.provider == "sandbox" and not model.base_url for model in models):
        told = "the built-in sandbox listens on this machine alone: workers on other nodes do not reach it"
        found.append(Finding("engine", "warning", f"{told}. Start `pipeline sandbox` where all do: model.base_url"))
    if documents and not job.input.path.startswith(REMOTE):
        those = f"those that {job.input.path} names by a path" if job.input.document else job.input.path
        told = f"files are read where the worker is: each node needs {those}"
        found.append(Finding("engine", "warning", f"{told}, or name them in a bucket"))
    return found
