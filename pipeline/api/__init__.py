"""Batch extraction from Python: what `pipeline` does on the command line, as functions over values.

    import pipeline

    job = pipeline.Job.load("jobs/invoices.toml", set={"limits.concurrency": 8})
    for finding in pipeline.check(job):
        print(finding.level, finding.what, finding.detail)
    print(pipeline.estimate(job).expected_usd)
    result = pipeline.run(job)
    for row in result:
        print(row.id, row.status, row.record, row.error)

Nothing is printed, no signal handler is set and nothing else of the host process is changed unless it is asked for. A
run that parks is a result with its state, not an exception.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from pipeline import console
from pipeline.commands.check import check as check_job
from pipeline.commands.consent.retry import nothing_left
from pipeline.commands.estimate.of_job import estimate_of
from pipeline.engine.feed import Selection
from pipeline.engine.run import run_job
from pipeline.engine.session import Host, RunCommand
from pipeline.errors import Finding, JobError
from pipeline.extraction.prepare import Prepared, prepare, require_affordable
from pipeline.job.settings import REMOTE, Job
from pipeline.output.publish import Ended
from pipeline.output.read import Result, results_of
from pipeline.output.remote.sync import localized, mirrored
from pipeline.types import ErrorCode

T = TypeVar("T")


class Estimate(Struct, frozen=True):
    """What is still to be sent, and what it comes to. USD are None where the model has no price."""

    low_usd: Decimal | None
    expected_usd: Decimal | None
    high_usd: Decimal | None
    rows: int
    requests: int
    input_tokens: int
    assumptions: tuple[str, ...]


def check(job: Job, *, online: bool = False, strict: bool = False) -> list[Finding]:
    """Everything that can be known to be wrong before a cent is spent. Sends nothing, but for `online`.

    A finding's `level` is ok, warning or problem; `detail` says what was found and how to mend it.

    Args:
        job: as `Job.load` gives it.
        online: ask the provider's listing endpoints about the key, the model and the region, which costs nothing.
        strict: what a job needs in production is a problem where it is missing.
    """
    return _outside_a_loop(lambda: check_job(_local(job), os.environ, online=online, strict=strict))


def estimate(job: Job) -> Estimate:
    """What `run` would cost, counted over the whole input. Sends nothing.

    Raises:
        JobError: the job, its schema or its input is wrong.
    """
    found = estimate_of(prepare(_local(job)), os.environ)
    of_all = found.estimate
    low, expected, high = of_all.cost_usd or (None, None, None)
    counts = of_all.counts
    assumptions = (*found.notes, *of_all.assumptions)
    return Estimate(low, expected, high, counts.rows, counts.requests, of_all.input_tokens.expected, assumptions)


def run(job: Job, *, fresh: bool = False, yes: bool = False, progress: bool = False, signals: bool = False) -> Result:
    """Run everything in the input that has no outcome yet, and pay for nothing twice.

    Nobody is asked before much is spent, as on a terminal: `budget.max_usd` is what keeps a program from that.

    Args:
        job: as `Job.load` gives it.
        fresh: start over in a new ledger, after keeping the old one beside it.
        yes: pay again for what the ledger has lost, where its end was deleted or cut; without, that is a LedgerError.
        progress: show on standard error how far it is.
        signals: drain on SIGINT and SIGTERM, as the command line does; only in the main thread.

    Raises:
        JobError: the job, its schema or its input is wrong; nothing was sent.
        LedgerError: the durable record cannot be used: another run holds it, it is damaged, or has lost its end.
    """
    prepared = _affordable(job)
    return _ran(RunCommand(prepared, "run", Selection(), os.environ, fresh, yes, host=_host(progress, signals)))


def retry(job: Job, *, where: Mapping[str, str] | None = None, progress: bool = False, signals: bool = False) -> Result:
    """Run only the rows that failed, all or (where={"error_code": "timeout"}) those of one code; the others stay.

    Raises:
        JobError: nothing has run here yet, the job has changed since, or `where` is none; nothing was sent.
        LedgerError: the durable record cannot be used.
    """
    prepared = _affordable(job)
    selection = Selection(failed=True, error_code=_code(where or {}))
    if (nothing := nothing_left(prepared, selection.error_code)) is not None:
        return _result(prepared, nothing.ended)
    return _ran(RunCommand(prepared, "retry", selection, os.environ, host=_host(progress, signals)))


def results(output: str | Path) -> Result:
    """What an output folder holds, whoever ran it.

    Raises:
        JobError: there is no finished or parked run in it.
    """
    text = str(output)
    folder = mirrored(text, os.environ) if text.startswith(REMOTE) else Path(text)
    return results_of(folder)


def _local(job: Job) -> Job:
    """The job with a remote output's mirror on this machine."""
    return localized(job, os.environ) if job.output.path.startswith(REMOTE) else job


def _affordable(job: Job) -> Prepared:
    prepared = prepare(_local(job))
    require_affordable(prepared)
    return prepared


def _host(progress: bool, signals: bool) -> Host:  # noqa: FBT001 (passed on as they came)
    return Host(progress=progress, signals=signals)


def _code(where: Mapping[str, str]) -> str | None:
    code = where.get("error_code")
    codes = [str(known) for known in ErrorCode]
    if where.keys() - {"error_code"} or (where and code not in codes):
        raise JobError(f"where={dict(where)!r}: give error_code, one of {', '.join(codes)}")
    return code


def _ran(command: RunCommand) -> Result:
    def whole() -> Ended:
        with console.speaking("text" if command.host.progress else "off"):
            return run_job(command)

    return _result(command.prepared, _outside_a_loop(whole))


def _outside_a_loop(work: Callable[[], T]) -> T:
    """A run has an event loop of its own; where one is running in this thread already, it gets a thread too."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="pipeline") as thread:
        return thread.submit(work).result()


def _result(prepared: Prepared, ended: Ended) -> Result:
    return Result(prepared.output_folder, ended, prepared.model)
