"""What the verbs share: the flags that override a job file, how errors end, and how an answer is told."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipeline.cli.streams import in_unicode
from pipeline.console import write
from pipeline.errors import JobError, LedgerError, machine_words
from pipeline.job.environment import environ_of
from pipeline.job.file import absolute, parse_set
from pipeline.job.file import load as load_job
from pipeline.job.folder import OutputPlace
from pipeline.job.given import JOB_OR_FOLDER, refusal
from pipeline.job.settings import REMOTE, Job

Command = Callable[..., Any]

INTERRUPTED = 130
FLAGS = {
    "input_path": "--input", "output_path": "--output", "limit": "--limit", "max_usd": "--max-usd", "sets": "--set",
    "on": "--on", "ray_address": "--ray-address",
}  # fmt: skip

JOB = click.argument("job_file", metavar="JOB", type=click.Path(path_type=Path))


PLACE = click.argument("place", metavar="JOB|DIR")


HASH_TENANTS = click.option("--hash-tenants", is_flag=True, help="Tenants by their hash, as calls.parquet has them.")


def job_options(command: Command) -> Command:
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


def engine_options(command: Command) -> Command:
    """The flags that say where the rows are worked on."""
    on = click.option("--on", type=click.Choice(["local", "ray"]), help="Where the rows are worked on.")
    address = click.option("--ray-address", metavar="HOST:PORT", help="The head of the Ray cluster; with --on ray.")
    return on(address(command))


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else.")(
        command
    )


def errors_to_exit_code(command: Command) -> Command:
    """A wrong job, schema, input or folder ends with its message and exit code 2."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (click passes what it parsed)
        try:
            return command(*args, **kwargs)
        except (JobError, LedgerError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)
        except Exception as error:
            told = machine_words(error)
            if told is None:
                raise
            click.echo(f"error: {told}. What was answered so far is kept: the same command goes on", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            write("stopped by a signal, before or after the calls: the same command goes on\n")
            sys.exit(INTERRUPTED)

    return wrapped


def load(job_file: Path, overrides: dict[str, Any]) -> Job:
    """The job with the command line's overrides; paths given there are relative to the current folder."""
    pairs: list[tuple[str, Any]] = [parse_set(text) for text in overrides.get("sets", ())]
    here = Path.cwd()
    for name, dotted in (("input_path", "input.path"), ("output_path", "output.path")):
        if overrides.get(name) is not None:
            pairs.append((dotted, absolute(overrides[name], here)))
    if overrides.get("max_usd") is not None:
        pairs.append(("budget.max_usd", overrides["max_usd"]))
    for name, dotted in (("on", "engine.on"), ("ray_address", "engine.address")):
        if overrides.get(name) is not None:
            pairs.append((dotted, overrides[name]))
    job = load_job(job_file, pairs, overrides.get("limit"))
    if overrides.get("ray_address") is not None and job.engine.on != "ray":
        raise JobError(f"--ray-address: {job.file} is worked on here (engine.on = {job.engine.on!r}). Add --on ray")
    if not job.output.path.startswith(REMOTE):
        return job
    from pipeline.output.remote.sync import localized

    return localized(job, environ_of(job.file))


def output_folder(place: str, overrides: Mapping[str, Any] | None = None) -> Path:
    """As `output_place`, where it is."""
    return output_place(place, overrides).path


def output_place(place: str, overrides: Mapping[str, Any] | None = None) -> OutputPlace:
    """The output folder that is given, or that of the job that is given; of a remote one its local mirror.

    Raises:
        JobError: it is neither; or a folder with flags that override a job file.
    """
    a_folder = place.startswith(REMOTE) or Path(place).is_dir()
    flags = [FLAGS[name] for name, value in (overrides or {}).items() if value not in (None, ())]
    if a_folder and flags:
        told = f"is an output folder, and {', '.join(flags)} is for a job file. Give the job, or no such flag"
        raise JobError(f"{place}: {told}")
    if place.startswith(REMOTE):
        from pipeline.output.remote.sync import mirrored

        return OutputPlace(mirrored(place, os.environ), place.rstrip("/"))
    if (refused := refusal(Path(place), JOB_OR_FOLDER)) is not None:
        raise JobError(refused)
    if a_folder:
        return OutputPlace(Path(place))
    job = load(Path(place), dict(overrides or {}))
    return OutputPlace(Path(job.output.path), job.output_url)


def tell(value: dict[str, Any], text: str, *, as_json: bool, quiet: bool = False) -> None:
    """JSON to standard output when asked for; text for people otherwise, to standard error if it is not the answer."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=not in_unicode(sys.stdout), default=str))
    elif quiet:
        write(f"{text}\n")
    else:
        click.echo(text)
