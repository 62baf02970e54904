"""The command line: click in, one function of the package called, text or JSON out. Decides nothing but exit codes.

Heavy modules are imported inside the commands that need them, so that `pipeline --help` answers at once.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipeline import __version__
from pipeline.errors import JobError, LedgerError
from pipeline.job import Job
from pipeline.job_file import absolute, load, parse_set

Command = Callable[..., Any]

JOB = click.argument("job_file", metavar="JOB", type=click.Path(path_type=Path))


def _job_options(command: Command) -> Command:
    """The flags that override the job file."""
    options = (
        click.option("--input", "input_path", metavar="PATH", help="Read this file, folder or glob instead."),
        click.option("--output", "output_path", metavar="DIR", help="Write to this folder instead."),
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows."),
        click.option("--max-usd", metavar="X", help="Never spend more than this, not even by calls in flight."),
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Override any key of the job file. Repeatable.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else.")(
        command
    )


def _errors_to_exit_code(command: Command) -> Command:
    """A wrong job, schema, input or folder ends with its message and exit code 2."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (click passes what it parsed)
        try:
            return command(*args, **kwargs)
        except (JobError, LedgerError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="pipeline")
def main() -> None:
    """Batch extraction you can trust with money.

    Documents in, typed rows out, every call on a durable ledger: a crash loses nothing that was paid for, a second run
    sends nothing twice, and every row ends in exactly one place.

    \b
    Examples:
      pipeline check jobs/invoices.toml          is everything right, before a cent is spent?
      pipeline estimate jobs/invoices.toml       what will it cost?
      pipeline run jobs/invoices.toml            run it; run it again to go on where it stopped
      pipeline retry jobs/invoices.toml          only the rows that failed
      pipeline show jobs/invoices.toml inv-0007  all that is known of one row
    """  # noqa: D301 (\b is click's mark for text that is not to be re-wrapped)


@main.command()
@JOB
@_job_options
@click.option("--fresh", is_flag=True, help="Start over in a new ledger; the old one is kept beside it.")
@_json_option
@_errors_to_exit_code
def run(job_file: Path, fresh: bool, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Run everything in the input that has no outcome yet.

    \b
    Examples:
      pipeline run jobs/invoices.toml --limit 20
      pipeline run jobs/invoices.toml --max-usd 2.50 --set limits.concurrency=8
    """  # noqa: D301
    from pipeline.feeding import Selection

    _run(job_file, overrides, "run", Selection(), fresh=fresh, as_json=as_json)


@main.command()
@JOB
@_job_options
@click.option("--where", metavar="error_code=CODE", help="Only rows that failed with this code.")
@_json_option
@_errors_to_exit_code
def retry(job_file: Path, where: str | None, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Run only the rows that failed, and merge them into the same output.

    \b
    Examples:
      pipeline retry jobs/invoices.toml
      pipeline retry jobs/invoices.toml --where error_code=timeout
    """  # noqa: D301
    from pipeline.feeding import Selection

    _run(job_file, overrides, "retry", Selection(failed=True, error_code=_where(where)), fresh=False, as_json=as_json)


@main.command()
@JOB
@_job_options
@click.option("--exact", is_flag=True, help="Have the provider count the input, for free. Needs the key.")
@_json_option
@_errors_to_exit_code
def estimate(job_file: Path, exact: bool, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """The dry-run: tokens, cost and time from the real input. Opens no connection, but with --exact.

    \b
    Examples:
      pipeline estimate jobs/invoices.toml
      pipeline estimate jobs/invoices_openai.toml --limit 1000 --json
    """  # noqa: D301
    from pipeline.estimating import estimate as estimated
    from pipeline.exactly import counted_exactly
    from pipeline.measuring import history, measure
    from pipeline.preparing import prepare
    from pipeline.progress import estimate_text
    from pipeline.shape_size import answer_tokens

    prepared = prepare(_load(job_file, overrides))
    job = prepared.job
    size = answer_tokens(prepared.shaped.shape.schema)
    counts, notes = measure(prepared), []
    if exact:
        counts, note = counted_exactly(prepared, counts, os.environ)
        notes.append(note)
    result = estimated(counts, prepared.rate, size, job.model.max_output_tokens, history(prepared), job.limits)
    report = {"name": job.name, "provider": job.model.provider, "model": job.model.name, **result.as_json()}
    report["assumptions"] = [*notes, *report["assumptions"]]
    _tell(report, estimate_text(report), as_json=as_json)


@main.command()
@JOB
@_job_options
@_json_option
@_errors_to_exit_code
def check(job_file: Path, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Look at everything that can be known to be wrong before a cent is spent."""
    from pipeline.checking import check as checked

    findings = checked(_load(job_file, overrides), os.environ)
    right = all(finding.level != "problem" for finding in findings)
    listed = [{"what": finding.what, "level": finding.level, "detail": finding.detail} for finding in findings]
    signs = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}
    text = "\n".join(f"{signs[finding.level]} {finding.what}: {finding.detail}" for finding in findings)
    _tell({"ok": right, "findings": listed}, text, as_json=as_json)
    sys.exit(0 if right else 2)


@main.command()
@JOB
@_job_options
@_json_option
@_errors_to_exit_code
def status(job_file: Path, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Counts, cost and state of a run that is running, parked or finished."""
    from pipeline.inspecting import status as read_status
    from pipeline.progress import status_text

    found = read_status(_folder(job_file, overrides))
    _tell(found, status_text(found), as_json=as_json)


@main.command()
@JOB
@click.argument("row_id", metavar="ID")
@_job_options
@_json_option
@_errors_to_exit_code
def show(job_file: Path, row_id: str, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """All that is known of one row: outcome, record, every call, the errors in full."""
    from pipeline.inspecting import show as read_row

    found = read_row(_folder(job_file, overrides), row_id)
    _tell(found, json.dumps(found, indent=2, ensure_ascii=False, default=str), as_json=as_json)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_json_option
@_errors_to_exit_code
def verify(folder: Path, as_json: bool) -> None:  # noqa: FBT001 (click's way)
    """Recompute every invariant of an output folder from its files alone."""
    from pipeline.verifying import verify as verified

    checks = verified(folder)
    right = all(check.problem is None for check in checks)
    listed = [{"check": check.name, "problem": check.problem} for check in checks]
    lines = [
        f"ok      {check.name}" if check.problem is None else f"BROKEN  {check.name}: {check.problem}"
        for check in checks
    ]
    _tell({"ok": right, "checks": listed}, "\n".join(lines), as_json=as_json)
    sys.exit(0 if right else 1)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--by", type=click.Choice(["tenant", "model", "day", "error_code"]), default="model", show_default=True)
@_json_option
@_errors_to_exit_code
def costs(folder: Path, by: str, as_json: bool) -> None:  # noqa: FBT001 (click's way)
    """Cost and tokens grouped by tenant, model, day or error_code.

    \b
    Examples:
      pipeline costs out/invoices --by tenant
      pipeline costs out/invoices --by error_code --json
    """  # noqa: D301
    from pipeline.costing import costs as grouped
    from pipeline.progress import costs_text

    entries = grouped(folder, by)
    _tell({"by": by, "groups": entries}, costs_text(by, entries), as_json=as_json)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any free port.")
@click.option("--requests-per-minute", type=click.IntRange(min=0), default=0, help="0: no limit.")
@click.option("--tokens-per-minute", type=click.IntRange(min=0), default=0, help="0: no limit.")
@click.option("--latency-ms", type=click.FloatRange(min=0), default=0.0)
@click.option("--seed", type=int, default=0)
@click.option("--throttled", type=click.FloatRange(0, 1), default=0.0, help="Share of answers that are a 429.")
@click.option("--server-error", type=click.FloatRange(0, 1), default=0.0, help="Share of 500s and 503s.")
@click.option("--timeout", type=click.FloatRange(0, 1), default=0.0, help="Share of requests that are never answered.")
@click.option(
    "--invalid-output", type=click.FloatRange(0, 1), default=0.0, help="Share of answers that break the schema."
)
@click.option("--truncated", type=click.FloatRange(0, 1), default=0.0, help="Share of answers cut off at the cap.")
@click.option("--refused", type=click.FloatRange(0, 1), default=0.0, help="Share of refusals.")
@click.option("--disconnect", type=click.FloatRange(0, 1), default=0.0, help="Share of connections cut in the middle.")
@_errors_to_exit_code
def sandbox(port: int, **settings: Any) -> None:  # noqa: ANN401 (click passes what it parsed)
    """A local provider that answers by rules, to rehearse a job for free.

    \b
    Examples:
      pipeline sandbox --port 8765 --latency-ms 200 --throttled 0.05
      pipeline run jobs/invoices.toml --set model.base_url=http://127.0.0.1:8765/v1
    """  # noqa: D301
    from pipeline.job import Sandbox
    from pipeline.sandbox import run_forever

    run_forever(Sandbox(**settings), port)


# ── shared ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(job_file: Path, overrides: dict[str, Any], verb: str, selection: Any, *, fresh: bool, as_json: bool) -> None:  # noqa: ANN401 (selection's type would cost an import)
    from pipeline.engine import exit_code, run_job
    from pipeline.preparing import prepare, require_affordable
    from pipeline.progress import summary

    prepared = prepare(_load(job_file, overrides))
    require_affordable(prepared)
    ended = run_job(prepared, verb, selection, os.environ, fresh=fresh)
    next_step = ""
    if ended.manifest["rows"]["pending"]:
        next_step = _how_to_go_on(ended, job_file, overrides, verb)
    elif ended.manifest["rows"]["failed"]:
        next_step = f"To run only the failed rows again:  {_command('retry', job_file, overrides)}"
    text = summary(ended.manifest, prepared.job.output.path, next_step)
    _tell(ended.manifest, text, as_json=as_json, quiet=True)
    sys.exit(exit_code(ended, prepared.job.limits.max_failed_share))


def _how_to_go_on(ended: Any, job_file: Path, overrides: dict[str, Any], verb: str) -> str:  # noqa: ANN401 (see _run)
    from pipeline.work import ParkReason

    why = f"Stopped early: {ended.message}\n" if ended.message else ""
    cap = ended.manifest["job"]["budget"]["max_usd"]
    if ended.park is ParkReason.BUDGET and cap is None:
        return f"{why}To go on tomorrow (UTC), or with a higher cap:  {_command(verb, job_file, overrides)}"
    if ended.park is ParkReason.BUDGET:
        overrides = {**overrides, "max_usd": f"{2 * float(cap):g}"}
        return f"{why}To go on with twice the budget:  {_command(verb, job_file, overrides)}"
    return f"{why}To go on from here:  {_command(verb, job_file, overrides)}"


def _command(verb: str, job_file: Path, overrides: dict[str, Any]) -> str:
    """The command line that does `verb` with the flags that this one had."""
    flags = (("--input", "input_path"), ("--output", "output_path"), ("--limit", "limit"), ("--max-usd", "max_usd"))
    words = ["pipeline", verb, str(job_file)]
    for flag, name in flags:
        if overrides.get(name) is not None:
            words += [flag, str(overrides[name])]
    for text in overrides.get("sets", ()):
        words += ["--set", text]
    return shlex.join(words)


def _load(job_file: Path, overrides: dict[str, Any]) -> Job:
    """The job with the command line's overrides; paths given there are relative to the current folder."""
    pairs: list[tuple[str, Any]] = [parse_set(text) for text in overrides.get("sets", ())]
    here = Path.cwd()
    for name, dotted in (("input_path", "input.path"), ("output_path", "output.path")):
        if overrides.get(name) is not None:
            pairs.append((dotted, absolute(overrides[name], here)))
    if overrides.get("max_usd") is not None:
        pairs.append(("budget.max_usd", overrides["max_usd"]))
    return load(job_file, pairs, overrides.get("limit"))


def _folder(job_file: Path, overrides: dict[str, Any]) -> Path:
    return Path(_load(job_file, overrides).output.path)


def _where(text: str | None) -> str | None:
    from pipeline.work import ErrorCode

    if text is None:
        return None
    key, equals, code = text.partition("=")
    codes = [str(known) for known in ErrorCode]
    if key.strip() != "error_code" or not equals or code.strip() not in codes:
        raise JobError(f"--where {text!r}: write error_code=CODE with one of {', '.join(codes)}")
    return code.strip()


def _tell(value: dict[str, Any], text: str, *, as_json: bool, quiet: bool = False) -> None:
    """JSON to standard output when asked for; text for people otherwise, to standard error if it is not the answer."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, default=str))
    else:
        click.echo(text, err=quiet)


def commands() -> Sequence[str]:
    """The verbs, for the docs."""
    return sorted(main.commands)
