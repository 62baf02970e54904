"""The verbs that spend money: run and retry."""

import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct
from msgspec.structs import replace

from pipeline.cli.options import JOB, engine_options, errors_to_exit_code, job_options, json_option, load, tell
from pipeline.console import emit, in_json, say, speak
from pipeline.errors import JobError
from pipeline.job.command import command_line
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


class _Command(Struct, frozen=True):
    """One command as it was given, to be carried out, and to be printed for the next time."""

    verb: str
    job_file: Path
    overrides: dict[str, Any]  # of the job, by `job_options`
    yes: bool
    as_json: bool
    yes_rerun: bool = False  # not repeated by itself: the job that goes on is no longer a changed one
    fresh: bool = False
    wait: bool = True
    where: str | None = None

    def again(self, verb: str, *, extra: str = "") -> str:
        """The command line of `verb` with the flags that this one had; starting over is not repeated by itself."""
        words = [command_line(verb, self.job_file, {**self.overrides, "yes": self.yes})]
        words += [f"--where {shlex.quote(self.where)}"] if self.where and verb == "retry" else []
        words += ["--log-format json"] if in_json() else []
        words += ["--json"] if self.as_json else []
        return " ".join([*words, *extra.split()])


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
    _run(_Command("run", job_file, flags, **own), Selection())


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
    _run(_Command("retry", job_file, flags, **own), chosen)


def _run(command: _Command, selection: "Selection") -> None:
    from pipeline.engine.run import run_job
    from pipeline.engine.session import Host, RunCommand
    from pipeline.extraction.prepare import prepare, require_affordable
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
        _tell_end(ended, prepared, command)
    elif in_json() or command.as_json:
        _tell_end(ended, prepared, command)
    sys.exit(exit_code(ended))


def _warn_of_no_wait(prepared: "Prepared", command: _Command) -> None:
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


def _consent(prepared: "Prepared", selection: "Selection", command: _Command) -> "tuple[Band[Decimal] | None, bool]":
    """Say what is about to be spent, and ask where it is much.

    Returns its cost as low, expected and high, if worked out, and whether all rows are agreed to be paid for again.
    """
    from pipeline.commands.consent.changes import prompt_before

    word = prompt_before(prepared, selection, fresh=command.fresh)
    if word is None:
        return None, False
    _say_or_ask(word, command)
    return word.cost_usd, word.rerun and word.level == "ask" and prepared.job.limit_rows is None


def _agree_to_loss(prepared: "Prepared", command: _Command) -> bool:
    """Ask before what the ledger has lost is paid for again; whether it has, and that was agreed to."""
    from pipeline.commands.consent.changes import loss_before

    word = None if command.fresh else loss_before(prepared)
    if word is None:
        return False
    _say_or_ask(word, command)
    return True


def _say_or_ask(word: "ConsentPrompt", command: _Command) -> None:
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


def _how_to_agree(word: "ConsentPrompt", command: _Command) -> str:
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


def _tell_end(ended: "Ended", prepared: "Prepared", command: _Command) -> None:
    from pipeline.commands.status import causes_in
    from pipeline.telemetry.summary import summary

    next_step = _next_step(ended, command)
    if ended.unsaved is not None:
        job = prepared.job
        say("warning", f"{job.output_url} has not everything: {ended.unsaved}. It is in {job.output.path}; run again")
    if in_json():
        emit({"event": "summary", "next": next_step or None, **ended.manifest.as_json()})
    if command.as_json or not in_json():
        causes = causes_in(prepared.output_folder) if ended.manifest.rows.failed else []
        text = summary(ended.manifest, prepared.job.output_url or prepared.job.output.path, next_step, causes)
        tell(ended.manifest.as_json(), text, as_json=command.as_json, quiet=True)


def _next_step(ended: "Ended", command: _Command) -> str:
    from pipeline.commands.consent.decide import nothing_to_retry, unusable
    from pipeline.types import ErrorCode

    failed = ended.manifest.failed_by_code
    if ended.manifest.rows.pending or ended.park is not None:
        return _how_to_go_on(ended, command)
    if not failed:
        return ""
    if nothing_to_retry(failed, None):
        return f"{unusable(failed[ErrorCode.BAD_ROW])}, then:  {command.again('run')}"
    return f"To run only the failed rows again:  {command.again('retry')}"


def _how_to_go_on(ended: "Ended", command: _Command) -> str:
    from pipeline.types import ParkReason

    why = f"Stopped early: {ended.message}\n" if ended.message else ""
    cap = ended.manifest.job["budget"]["max_usd"]
    tuned = any(event["event"] == "tuned" and event["after"]["max_usd"] for event in ended.manifest.events)
    if ended.park is None and command.verb == "retry":
        return f"{why}To run the rows that have no outcome yet:  {command.again('run')}"
    if ended.park is ParkReason.BUDGET and tuned:
        return f"{why}To go on under the job's own cap:  {command.again(command.verb)}"
    if ended.park is ParkReason.BUDGET and cap is None:
        return f"{why}To go on tomorrow (UTC), or with a higher cap:  {command.again(command.verb)}"
    if ended.park is ParkReason.BUDGET:
        dearer = replace(command, overrides={**command.overrides, "max_usd": f"{2 * float(cap):g}"})
        return f"{why}To go on with twice the budget:  {dearer.again(command.verb)}"
    return f"{why}To go on from here:  {command.again(command.verb)}"


def _where(text: str | None) -> str | None:
    from pipeline.types import ErrorCode

    if text is None:
        return None
    key, equals, code = text.partition("=")
    codes = [str(known) for known in ErrorCode]
    if key.strip() != "error_code" or not equals or code.strip() not in codes:
        raise JobError(f"--where {text!r}: write error_code=CODE with one of {', '.join(codes)}")
    return code.strip()
