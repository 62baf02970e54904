"""The verb that writes the report."""

from pathlib import Path

import click

from pipeline.cli.options import DIR, errors_to_exit_code, json_option, tell


@click.command()
@DIR
@click.option("--to", metavar="FILE", type=click.Path(path_type=Path), help="Write here instead of DIR/report.html.")
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@json_option
@errors_to_exit_code
def report(folder: Path, to: Path | None, opened: bool, as_json: bool) -> None:  # noqa: FBT001 (click's way)
    """Write report.html: one file with outcome, cost, times, failures and a searchable table of rows.

    It needs no network and no other file. Documents are in it: give it only to people who may read them.

    \b
    Examples:
      pipeline report out/invoices --open
      pipeline report out/invoices --to night.html
    """  # noqa: D301
    import webbrowser

    from pipeline.commands.report.report import report as written

    found = written(folder, to)
    size = f"{found['bytes'] / 1e6:.1f} MB, {found['rows_shown']:,} of {found['rows']:,} rows"
    tell(found, f"{found['report']}  ({size})", as_json=as_json)
    if opened:
        webbrowser.open(Path(found["report"]).resolve().as_uri())
