"""The verbs that spend money: run and retry."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import JOB, command_line, errors_to_exit_code, job_options, json_option, load, tell
from pipeline.errors import JobError
from pipeline.saying import emit, in_json, say, speak

LOG_FORMAT = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: progress, warnings, calls and the summary as one JSON object a line, on standard error.",
)


@click.command()
@JOB
@job_options
@LOG_FORMAT
@click.option("--yes", is_flag=True, help="Don't ask before much is spent; for cron.")
@click.option("--fresh", is_flag=True, help="Start over in a new ledger; the old one is kept beside it.")
@json_option
@errors_to_exit_code
def run(job_file: Path, fresh: bool, yes: bool, as_json: bool, log_format: str, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Run everything in the input that has no outcome yet.

    \b
    Examples:
      pipeline run jobs/invoices.toml --limit 20
      pipeline run jobs/invoices.toml --max-usd 2.50 --set limits.concurrency=8
      pipeline run jobs/invoices.toml --yes --log-format json      for cron
    """  # noqa: D301
    from pipeline.feeding import Selection

    speak(log_format)
    _run(job_file, {**overrides, "fresh": fresh, "yes": yes}, "run", Selection(), as_json=as_json)


@click.command()
@JOB
@job_options
@LOG_FORMAT
@click.option("--where", metavar="error_code=CODE", help="Only rows that failed with this code.")
@json_option
@errors_to_exit_code
def retry(job_file: Path, where: str | None, as_json: bool, log_format: str, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Run only the rows that failed, and merge them into the same output.

    \b
    Examples:
      pipeline retry jobs/invoices.toml
      pipeline retry jobs/invoices.toml --where error_code=timeout
    """  # noqa: D301
    from pipeline.feeding import Selection

    speak(log_format)
    _run(job_file, overrides, "retry", Selection(failed=True, error_code=_where(where)), as_json=as_json)


def _run(job_file: Path, overrides: dict[str, Any], verb: str, selection: Any, *, as_json: bool) -> None:  # noqa: ANN401 (selection's type would cost an import)
    from pipeline.confirming import require_unchanged
    from pipeline.engine import exit_code, run_job
    from pipeline.preparing import prepare, require_affordable
    from pipeline.summaries import summary

    prepared = prepare(load(job_file, overrides))
    require_affordable(prepared)
    fresh, band_usd = overrides.pop("fresh", False), None
    if verb == "run":
        band_usd = _consent(
            prepared, command_line(verb, job_file, overrides), fresh=fresh, yes=overrides.get("yes", False)
        )
    else:
        require_unchanged(prepared)
    ended = run_job(prepared, verb, selection, os.environ, fresh=fresh, band_usd=band_usd)
    next_step = ""
    if ended.manifest["rows"]["pending"]:
        next_step = _how_to_go_on(ended, job_file, overrides, verb)
    elif ended.manifest["rows"]["failed"]:
        next_step = f"To run only the failed rows again:  {command_line('retry', job_file, overrides)}"
    if in_json():
        emit({"event": "summary", "next": next_step or None, **ended.manifest})
    if as_json or not in_json():
        text = summary(ended.manifest, prepared.job.output.path, next_step)
        tell(ended.manifest, text, as_json=as_json, quiet=True)
    sys.exit(exit_code(ended, prepared.job.limits.max_failed_share))


def _consent(prepared: Any, command: str, *, fresh: bool, yes: bool) -> Any:  # noqa: ANN401 (see _run)
    """Ask before much is spent; the cost that was agreed to, as low, expected and high, if it was worked out."""
    from pipeline.confirming import question_of

    question = question_of(prepared, fresh=fresh)
    if question is None:
        return None
    if yes:
        say("notice", str(question))
    elif not (sys.stdin.isatty() and sys.stderr.isatty()):
        again = f"{command} --fresh" if fresh else command
        raise JobError(f"{question}. Nothing was sent. To go on:  {again} --yes   (or with a cap: --max-usd X)")
    elif not click.confirm(f"{question}. Go on?", err=True):
        click.echo("Nothing was sent.", err=True)
        sys.exit(2)
    return question.estimate.cost_usd


def _how_to_go_on(ended: Any, job_file: Path, overrides: dict[str, Any], verb: str) -> str:  # noqa: ANN401 (see _run)
    from pipeline.work import ParkReason

    why = f"Stopped early: {ended.message}\n" if ended.message else ""
    cap = ended.manifest["job"]["budget"]["max_usd"]
    tuned = any(event["event"] == "tuned" and event["after"]["max_usd"] for event in ended.manifest["events"])
    if ended.park is ParkReason.BUDGET and tuned:
        return f"{why}To go on under the job's own cap:  {command_line(verb, job_file, overrides)}"
    if ended.park is ParkReason.BUDGET and cap is None:
        return f"{why}To go on tomorrow (UTC), or with a higher cap:  {command_line(verb, job_file, overrides)}"
    if ended.park is ParkReason.BUDGET:
        overrides = {**overrides, "max_usd": f"{2 * float(cap):g}"}
        return f"{why}To go on with twice the budget:  {command_line(verb, job_file, overrides)}"
    return f"{why}To go on from here:  {command_line(verb, job_file, overrides)}"


def _where(text: str | None) -> str | None:
    from pipeline.work import ErrorCode

    if text is None:
        return None
    key, equals, code = text.partition("=")
    codes = [str(known) for known in ErrorCode]
    if key.strip() != "error_code" or not equals or code.strip() not in codes:
        raise JobError(f"--where {text!r}: write error_code=CODE with one of {', '.join(codes)}")
    return code.strip()
