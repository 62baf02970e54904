"""The verbs that spend money: run and retry."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from pipeline.cli.command import Command
from pipeline.cli.options import JOB, engine_options, errors_to_exit_code, job_options, json_option, load
from pipeline.cli.run_end import tell_end
from pipeline.console import in_json, say, speak
from pipeline.errors import JobError
from pipeline.job.environment import environ_of
from pipeline.platforms import STOPPING

if TYPE_CHECKING:  # their imports would cost what `--help` has no time for
    from decimal import Decimal

    from pipeline.commands.consent.decide import ConsentPrompt
    from pipeline.engine.feed import Selection
    from pipeline.extraction.prepare import Prepared
    from pipeline.money import Band
    from pipeline.output.publish import Ended


LOG_FORMAT = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: progress, warnings, calls and the summary as one JSON object a line, on standard error.",
)
YES = click.option("--yes", is_flag=True, help="Don't ask before much is spent on what is new; for cron.")
YES_RERUN = click.option(
    "--yes-rerun",
    is_flag=True,
    help="Don't ask either before rows are paid for again: the prompt, the model or the schema changed, "
    "or the ledger lost them.",
)


@click.command()
@JOB
@job_options
@engine_options
@LOG_FORMAT
@YES
@YES_RERUN
@click.option("--fresh", is_flag=True, help="Start over in a new ledger; the old one is kept beside it.")
@click.option(
    "--no-wait", is_flag=True, help="End (exit code 5) once batches are submitted; the next run collects them."
)
@json_option
@errors_to_exit_code
def run(job_file: Path, log_format: str, **flags: Any) -> None:  # noqa: ANN401 (click's way)
    """Run everything in the input that has no outcome yet.

    \b
    Examples:
      pipeline run jobs/invoices.toml --limit 20
      pipeline run jobs/invoices.toml --max-usd 2.50 --set limits.concurrency=8
      pipeline run jobs/invoices.toml --yes --max-usd 20 --log-format json      for cron
    """  # noqa: D301
    from pipeline.engine.feed import Selection

    speak(log_format)
    own = {name: flags.pop(name) for name in ("yes", "yes_rerun", "fresh", "as_json")}
    own["wait"] = not flags.pop("no_wait")
    _run(Command("run", job_file, flags, **own), Selection())


@click.command()
@JOB
@job_options
@engine_options
@LOG_FORMAT
@YES
@click.option("--where", metavar="error_code=CODE", help="Only rows that failed with this code.")
@click.option("--from-model", metavar="NAME", help="Begin with this model of the job, not with the first.")
@json_option
@errors_to_exit_code
def retry(job_file: Path, log_format: str, **flags: Any) -> None:  # noqa: ANN401 (click's way)
    """Run only the rows that failed, and merge them into the same output.

    \b
    Examples:
      pipeline retry jobs/invoices.toml
      pipeline retry jobs/invoices.toml --where error_code=timeout
    """  # noqa: D301
    from pipeline.engine.feed import Selection

    speak(log_format)
    own = {name: flags.pop(name) for name in ("yes", "where", "as_json")}
    from_model = flags.pop("from_model")
    chosen = Selection(failed=True, error_code=_where(own["where"]), from_model=from_model)
    _run(Command("retry", job_file, flags, **own), chosen)


def _run(command: Command, selection: "Selection") -> None:
    from pipeline.engine.run import run_job
    from pipeline.engine.session import Host, RunCommand
    from pipeline.extraction.affordable import require_affordable
    from pipeline.extraction.prepare import prepare
    from pipeline.extraction.routing import model_named
    from pipeline.output.publish import exit_code
    from pipeline.runtime import spare_pandas

    for number in set(STOPPING) - {signal.SIGINT}:  # as Ctrl-C is; while calls are made the engine has its own
        signal.signal(number, _interrupt)

    prepared = prepare(load(command.job_file, command.overrides))
    spare_pandas()
    require_affordable(prepared)
    if selection.from_model is not None:
        selection = replace(selection, from_model=model_named(prepared.job, selection.from_model))
    _warn_of_no_wait(prepared, command)
    lost = _agree_to_loss(prepared, command)
    ended = _nothing_to_retry(prepared, selection) if command.verb == "retry" else None
    if ended is None:
        cost_usd, agreed = _consent(prepared, selection, command)
        host, environ = Host(signals=True, progress=True, own=True), environ_of(prepared.job.file)
        ended = run_job(
            RunCommand(
                prepared, command.verb, selection, environ, command.fresh, lost, cost_usd, agreed, command.wait, host
            )
        )
        tell_end(ended, prepared, command)
    elif in_json() or command.as_json:
        tell_end(ended, prepared, command)
    sys.exit(exit_code(ended))


def _warn_of_no_wait(prepared: "Prepared", command: Command) -> None:
    """What --no-wait leaves out has to be there for the next run."""
    model = prepared.job.model
    if command.wait or model.provider != "sandbox" or model.base_url or model.lane == "live":
        return
    from pipeline.commands.lane import BUILT_IN

    say("warning", BUILT_IN)


def _nothing_to_retry(prepared: "Prepared", selection: "Selection") -> "Ended | None":
    """The last run's end, when no row of it is to be run; the files are left as they are."""
    from pipeline.commands.consent.retry import nothing_left

    nothing = nothing_left(prepared, selection.error_code)
    if nothing is None:
        return None
    pending = nothing.ended.manifest.rows.pending
    then = f". {pending:,} rows have no outcome yet: `pipeline run JOB` runs them" if pending else ""
    say("notice", f"{nothing.why}{then}")
    return nothing.ended


def _consent(prepared: "Prepared", selection: "Selection", command: Command) -> "tuple[Band[Decimal] | None, bool]":
    """Say what is about to be spent, and ask where it is much.

    Returns its cost as low, expected and high, if worked out, and whether all rows are agreed to be paid for again.
    """
    from pipeline.commands.consent.changes import prompt_before

    word = prompt_before(prepared, selection, fresh=command.fresh)
    if word is None:
        return None, False
    _say_or_ask(word, command)
    return word.cost_usd, word.rerun and word.level == "ask" and prepared.job.limit_rows is None


def _agree_to_loss(prepared: "Prepared", command: Command) -> bool:
    """Ask before what the ledger has lost is paid for again; whether it has, and that was agreed to."""
    from pipeline.commands.consent.changes import loss_before

    word = None if command.fresh else loss_before(prepared)
    if word is None:
        return False
    _say_or_ask(word, command)
    return True


def _say_or_ask(word: "ConsentPrompt", command: Command) -> None:
    if word.level != "ask" or command.yes_rerun or (command.yes and not word.rerun):
        say("warning" if word.level == "warning" else "notice", word.text)
    elif word.rehearsal:
        free = (
            "In the sandbox that is free and goes on; where it is paid for it would be asked, or end with exit code 2"
        )
        say("notice", f"{word.text}. {free}. {_how_to_agree(word, command)}")
    elif in_json() or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise JobError(f"{word.text}. Nothing was sent. {_how_to_agree(word, command)}")
    elif not _agreed(word.text):
        click.echo("Nothing was sent.", err=True)
        sys.exit(2)


def _how_to_agree(word: "ConsentPrompt", command: Command) -> str:
    if word.rerun:
        only = ", which --yes alone does not agree to" if command.yes else ""
        return f"To pay for those rows again{only}:  {command.again(command.verb, extra='--yes-rerun')}"
    flags = [*(["--fresh"] if command.fresh else []), *([] if command.yes else ["--yes"])]
    cap = "   (or with a cap: --max-usd X)" if word.cap_would_do else ""
    return f"To go on:  {command.again(command.verb, extra=' '.join(flags))}{cap}"


def _agreed(text: str) -> bool:
    try:
        return click.confirm(f"{text}. Go on?", err=True)
    except click.Abort:
        return False


def _interrupt(number: int, frame: Any) -> None:  # noqa: ANN401, ARG001 (the signal module's way)
    raise KeyboardInterrupt


def _where(text: str | None) -> str | None:
    from pipeline.codes import ErrorCode

    if text is None:
        return None
    key, equals, code = text.partition("=")
    codes = [str(known) for known in ErrorCode]
    if key.strip() != "error_code" or not equals or code.strip() not in codes:
        raise JobError(f"--where {text!r}: write error_code=CODE with one of {', '.join(codes)}")
    return code.strip()
