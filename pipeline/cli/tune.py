"""The verb that changes a run from outside."""

from typing import Any

import click

from pipeline.cli.options import PLACE, errors_to_exit_code, job_options, json_option, output_folder, tell


@click.command()
@PLACE
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Calls in flight at the most.")
@job_options
@json_option
@errors_to_exit_code
def tune(place: str, concurrency: int | None, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Change the concurrency or the cap of a run that is going on, from another terminal.

    The run says so, and run.json keeps it. A cap below what is spent and in flight parks the run. Of a run with
    workers it is told, too, whether more or fewer of them would do.

    \b
    Examples:
      pipeline tune jobs/invoices.toml --concurrency 16
      pipeline tune jobs/invoices.toml --max-usd 20
    """  # noqa: D301
    from pipeline.commands.tune import ask, tune_request, workers_told
    from pipeline.errors import JobError

    wish = tune_request(concurrency, overrides.pop("max_usd"))
    folder = output_folder(place, overrides)
    if not ask(folder, wish):
        raise JobError(f"{folder}: the run did not take it up within 10 s. Is it ending?  pipeline status {place}")
    told = {"concurrency": wish.concurrency, "max_usd": None if wish.max_usd is None else str(wish.max_usd)}
    advice = [line for line in (workers_told(folder),) if line]
    text = "\n".join([f"applied: {wish}", *(f"advice: {line}" for line in advice)])
    tell({"applied": told, **({"advice": advice} if advice else {})}, text, as_json=as_json)
