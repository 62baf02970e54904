"""The verbs that read an output folder: status, show, verify and costs."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import (
    HASH_TENANTS,
    PLACE,
    errors_to_exit_code,
    job_options,
    json_option,
    output_folder,
    tell,
)


@click.command()
@PLACE
@click.option("--watch", is_flag=True, help="Look again and again, until the run has ended.")
@click.option("--every", type=click.FloatRange(min=0.2), default=2.0, show_default=True, metavar="S", help="Seconds.")
@job_options
@json_option
@errors_to_exit_code
def status(place: str, watch: bool, every: float, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Counts, cost and state of a run that is running, parked or finished.

    \b
    Examples:
      pipeline status jobs/invoices.toml
      pipeline status jobs/invoices.toml --watch
      pipeline status jobs/invoices.toml --watch --json      one object a line
    """  # noqa: D301
    from pipeline.commands.status import status as read_status
    from pipeline.commands.status import watched
    from pipeline.telemetry.summary import status_text

    folder = output_folder(place, overrides)
    if not watch:
        found = read_status(folder)
        tell(found, status_text(found), as_json=as_json)
        return
    on_screen = sys.stdout.isatty() and not as_json
    for found in watched(folder, every):
        if on_screen:
            click.clear()
        tell(found, status_text(found), as_json=as_json)


@click.command()
@PLACE
@click.argument("row_id", metavar="ID")
@click.option("--answers", is_flag=True, help="Also the whole text of every answer; in JSON as `answer` of each call.")
@job_options
@json_option
@errors_to_exit_code
def show(place: str, row_id: str, answers: bool, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """All that is known of one row: outcome, record, every call, the errors in full, the answers.

    \b
    Examples:
      pipeline show jobs/invoices.toml inv-0007
      pipeline show jobs/invoices.toml inv-0007 --answers
    """  # noqa: D301
    from pipeline.commands.show import answers_text, without_answers
    from pipeline.commands.show import show as read_row
    from pipeline.commands.show_evidence import evidence_text

    found = read_row(output_folder(place, overrides), row_id, answers=answers)
    text = json.dumps(without_answers(found), indent=2, ensure_ascii=False, default=str)
    told = [text, evidence_text(found), answers_text(found) if answers else ""]
    tell(found, "\n\n".join(filter(None, told)), as_json=as_json)


@click.command()
@PLACE
@json_option
@errors_to_exit_code
def verify(place: str, as_json: bool) -> None:  # noqa: FBT001 (click's way)
    """Recompute every invariant of an output folder from its files alone."""
    from pipeline.commands.verify import verify as verified

    checks = verified(output_folder(place))
    right = all(check.problem is None for check in checks)
    listed = [{"check": check.name, "problem": check.problem} for check in checks]
    lines = [
        f"ok      {check.name}" if check.problem is None else f"BROKEN  {check.name}: {check.problem}"
        for check in checks
    ]
    tell({"ok": right, "checks": listed}, "\n".join(lines), as_json=as_json)
    sys.exit(0 if right else 1)


@click.command()
@PLACE
@click.option(
    "--by",
    type=click.Choice(["tenant", "model", "day", "error_code", "lane"]),
    default="model",
    show_default=True,
)
@click.option(
    "--run",
    "which",
    type=click.Choice(["all", "last"]),
    default="all",
    show_default=True,
    help="All runs, or the last.",
)
@click.option("--against", metavar="CSV", type=click.Path(path_type=Path), help="A provider's usage or cost export.")
@HASH_TENANTS
@json_option
@errors_to_exit_code
def costs(
    place: str,
    by: str,
    which: str,
    against: Path | None,
    hash_tenants: bool,  # noqa: FBT001 (click's way)
    as_json: bool,  # noqa: FBT001 (click's way)
) -> None:
    """Cost and tokens of all runs, by tenant, model, day, error_code or lane; or our books against a provider's.

    \b
    Examples:
      pipeline costs out/invoices --by tenant
      pipeline costs out/invoices --by error_code --json
      pipeline costs out/invoices --by lane                what went live, and what by batch
      pipeline costs out/invoices --by model --run last    what run.json speaks of: tonight alone
      pipeline costs out/invoices --against usage.csv      exit code 1 when they disagree
    """  # noqa: D301
    from pipeline.commands.costs import costs as grouped
    from pipeline.commands.reconcile import reconcile
    from pipeline.telemetry.summary import books_text, costs_text

    folder = output_folder(place)
    if against is not None:
        found = reconcile(folder, against)
        tell(found, books_text(found), as_json=as_json)
        sys.exit(0 if found["agrees"] else 1)
    entries = grouped(folder, by, which, hash_tenants=hash_tenants)
    tell({"by": by, "run": which, "groups": entries}, costs_text(by, entries), as_json=as_json)
