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

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from pydantic import BaseModel

from pipeline.api.hosted import Hosting, ProgressTo, outside_a_loop
from pipeline.codes import ErrorCode
from pipeline.commands.check import check as check_job
from pipeline.commands.consent.retry import nothing_left
from pipeline.commands.estimate.of_job import estimate_of
from pipeline.commands.extract import Wanted, prepared_for
from pipeline.engine.feed import Selection
from pipeline.engine.session import RunCommand
from pipeline.errors import Finding, JobError
from pipeline.extraction.affordable import require_affordable
from pipeline.extraction.prepare import Prepared, prepare
from pipeline.job.environment import environ_of
from pipeline.job.settings import REMOTE, Job
from pipeline.output.read import Result, results_of
from pipeline.output.remote.sync import localized, mirrored

M = TypeVar("M", bound=BaseModel)


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
    return outside_a_loop(lambda: check_job(_local(job), environ_of(job.file), online=online, strict=strict))


def estimate(job: Job) -> Estimate:
    """What `run` would cost, counted over the whole input. Sends nothing.

    Raises:
        JobError: the job, its schema or its input is wrong.
    """
    found = estimate_of(prepare(_local(job)), environ_of(job.file))
    of_all = found.estimate
    low, expected, high = of_all.cost_usd or (None, None, None)
    counts = of_all.counts
    assumptions = (*found.notes, *of_all.assumptions)
    return Estimate(low, expected, high, counts.rows, counts.sent, of_all.input_tokens.expected, assumptions)


def run(
    job: Job,
    *,
    fresh: bool = False,
    yes: bool = False,
    progress: ProgressTo = False,
    signals: bool = False,
    own_process: bool = False,
) -> Result:
    """Run everything in the input that has no outcome yet, and pay for nothing twice.

    Nobody is asked before much is spent, as on a terminal: `budget.max_usd` is what keeps a program from that. It works
    in a thread of its own: Ctrl-C lets the answers in flight come in, once more cuts them off.

    Args:
        job: as `Job.load` gives it.
        fresh: start over in a new ledger, after keeping the old one beside it.
        yes: pay again for what the ledger has lost, where its end was deleted or cut; without, that is a LedgerError.
        progress: show on standard error how far it is; or a function that is told, a few times a second and once at the
            end, as a `Progress`. It is called in the run's thread, which waits for it; what it raises ends the run as
            a signal does, and comes out here.
        signals: drain on SIGINT, SIGTERM and SIGHUP, as the command line does; only in the main thread.
        own_process: nothing else lives here, so that Python's garbage collector, and pyarrow's way to pandas, may be
            set up for the run as the command line does it: less CPU, for scripts and workers.

    Raises:
        JobError: the job, its schema or its input is wrong; nothing was sent.
        LedgerError: the durable record cannot be used: another run holds it, it is damaged, or has lost its end.
    """
    hosting = Hosting(progress, signals=signals, own=own_process)
    return hosting.carried(lambda: _run(_affordable(job), hosting, fresh=fresh, yes=yes))


async def run_async(job: Job, *, fresh: bool = False, yes: bool = False, progress: ProgressTo = False) -> Result:
    """`run`, while the event loop goes on with other things.

    A cancellation does what SIGTERM does to the command: nothing more is sent, answers in flight come in and are kept,
    the results are published, and then `CancelledError` is raised. A second one cuts off what is in flight. The same
    call goes on from there.

        async with asyncio.timeout(3600):
            result = await pipeline.run_async(job)
    """
    hosting = Hosting(progress)
    return await hosting.awaited(lambda: _run(_affordable(job), hosting, fresh=fresh, yes=yes))


def retry(
    job: Job, *, where: Mapping[str, str] | None = None, progress: ProgressTo = False, signals: bool = False
) -> Result:
    """Run only the rows that failed, all or (where={"error_code": "timeout"}) those of one code; the others stay.

    Raises:
        JobError: nothing has run here yet, the job has changed since, or `where` is none; nothing was sent.
        LedgerError: the durable record cannot be used.
    """
    hosting = Hosting(progress, signals=signals)
    return hosting.carried(
        lambda: _retry(_affordable(job), Selection(failed=True, error_code=_code(where or {})), hosting)
    )


def extract(  # noqa: PLR0913 (what a job file says, in one call)
    documents: Any,  # noqa: ANN401 (see below)
    *,
    schema: type[M],
    model: str,
    output: str | Path,
    prompt: str = "{text}",
    max_usd: Decimal | float | str | None = None,
    set: Mapping[str, Any] | None = None,  # noqa: A002 (the flag's name)
    base_url: str = "",
    retry: bool = False,
    progress: ProgressTo = False,
    signals: bool = False,
) -> Result[M]:
    """A record of each document, without a job file. Called again with the same documents and output, it pays nothing.

        result = pipeline.extract(texts, schema=Invoice, model="openai:gpt-4o-mini", output="out/x", max_usd=1.0)

    Args:
        documents: an iterable of texts, of mappings (with `text`, maybe `id`, and what the prompt names) or of paths of
            files; a table of pyarrow, or a frame of polars or pandas, with these columns; or one path, of a folder or
            a file. They are written into the output folder first, one at a time: a generator may be longer than memory.
            A row is named by its `id`, else by its number; one that is a file, by its path as it is given.
        schema: the class that a record is an instance of.
        model: PROVIDER:NAME.
        output: a folder, or a URL.
        prompt: with {text}, and any other column.
        max_usd: never exceeded. Without, there is no cap.
        set: any other key of the job file, as of `Job.load`: {"model.max_output_tokens": 4096, "input.keep": ["page"]}.
        base_url: of a compatible server or gateway.
        retry: run only the rows that failed when these documents were extracted before; the others stay.
        progress: as of `run`.
        signals: as of `run`.

    Raises:
        JobError: documents, schema, model or a setting cannot be used; nothing was sent.
        LedgerError: the output folder is in use, or its ledger cannot be used.
        Exception: what iterating over `documents` has raised; nothing was sent.
    """
    wanted = Wanted(schema, model, prompt, str(output), max_usd, base_url, set or {})
    hosting = Hosting(progress, signals=signals)
    with prepared_for(documents, wanted, os.environ) as prepared:
        require_affordable(prepared)
        return hosting.carried(lambda: _extracted(prepared, hosting, retry=retry))


async def extract_async(  # noqa: PLR0913 (as `extract`)
    documents: Any,  # noqa: ANN401 (as `extract`)
    *,
    schema: type[M],
    model: str,
    output: str | Path,
    prompt: str = "{text}",
    max_usd: Decimal | float | str | None = None,
    set: Mapping[str, Any] | None = None,  # noqa: A002 (the flag's name)
    base_url: str = "",
    retry: bool = False,
    progress: ProgressTo = False,
) -> Result[M]:
    """`extract`, while the event loop goes on; cancelled as `run_async` is. `documents` are read in another thread."""
    wanted = Wanted(schema, model, prompt, str(output), max_usd, base_url, set or {})
    hosting = Hosting(progress)

    def whole() -> Result[M]:
        with prepared_for(documents, wanted, os.environ) as prepared:
            require_affordable(prepared)
            return _extracted(prepared, hosting, retry=retry)

    return await hosting.awaited(whole)


def results(output: str | Path) -> Result:
    """What an output folder holds, whoever ran it.

    Raises:
        JobError: there is no finished or parked run in it.
    """
    text = str(output)
    folder = mirrored(text, os.environ) if text.startswith(REMOTE) else Path(text)
    return results_of(folder)


def _run(prepared: Prepared, hosting: Hosting, *, fresh: bool = False, yes: bool = False) -> Result[Any]:
    environ = environ_of(prepared.job.file)
    command = RunCommand(prepared, "run", Selection(), environ, fresh, yes, host=hosting.host)
    return Result(prepared.output_folder, hosting.ended(command), prepared.model)


def _extracted(prepared: Prepared, hosting: Hosting, *, retry: bool) -> Result[Any]:
    return _retry(prepared, Selection(failed=True), hosting) if retry else _run(prepared, hosting)


def _retry(prepared: Prepared, selection: Selection, hosting: Hosting) -> Result[Any]:
    if (nothing := nothing_left(prepared, selection.error_code)) is not None:
        return Result(prepared.output_folder, nothing.ended, prepared.model)
    command = RunCommand(prepared, "retry", selection, environ_of(prepared.job.file), host=hosting.host)
    return Result(prepared.output_folder, hosting.ended(command), prepared.model)


def _local(job: Job) -> Job:
    """The job with a remote output's mirror on this machine."""
    return localized(job, environ_of(job.file)) if job.output.path.startswith(REMOTE) else job


def _affordable(job: Job) -> Prepared:
    prepared = prepare(_local(job))
    require_affordable(prepared)
    return prepared


def _code(where: Mapping[str, str]) -> str | None:
    code = where.get("error_code")
    codes = [str(known) for known in ErrorCode]
    if where.keys() - {"error_code"} or (where and code not in codes):
        raise JobError(f"where={dict(where)!r}: give error_code, one of {', '.join(codes)}")
    return code
