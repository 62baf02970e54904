"""The verb that writes the report."""

from pathlib import Path

import click

from pipeline.cli.options import HASH_TENANTS, PLACE, errors_to_exit_code, json_option, output_place, tell


@click.command()
@PLACE
@click.option(
    "--to",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write here instead of DIR/report.html; for an output in a bucket, instead of ./report.html.",
)
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@click.option(
    "--golden", metavar="FILE", type=click.Path(path_type=Path), help="Known answers: how right the results are."
)
@HASH_TENANTS
@json_option
@errors_to_exit_code
def report(
    place: str,
    to: Path | None,
    opened: bool,  # noqa: FBT001 (click's way)
    golden: Path | None,
    hash_tenants: bool,  # noqa: FBT001 (click's way)
    as_json: bool,  # noqa: FBT001 (click's way)
) -> None:
    """Write report.html: one file with outcome, cost, times, failures and a searchable table of rows.

    It is in the output folder; of an output in a bucket, which is only read, in the current one.

    It needs no network and no other file. Documents, answers and tenants are in it: give it only to people who may
    read them.

    \b
    Examples:
      pipeline report out/invoices --open
      pipeline report out/invoices --to night.html
      pipeline report s3://acme/invoices                                  report.html in the current folder
      pipeline report out/invoices --golden jobs/invoices.golden.jsonl    with what pipeline eval finds
    """  # noqa: D301
    import webbrowser

    from pipeline.commands.report.report import report as written

    found = written(output_place(place), to, golden=golden, hash_tenants=hash_tenants)
    size = f"{found['bytes'] / 1e6:.1f} MB, {found['rows_shown']:,} of {found['rows']:,} rows"
    tell(found, f"{found['report']}  ({size})", as_json=as_json)
    if opened:
        webbrowser.open(Path(found["report"]).resolve().as_uri())
