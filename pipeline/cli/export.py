"""The verb that writes results in other forms."""

import contextlib
import sys
from pathlib import Path

import click

from pipeline.cli.options import PLACE, errors_to_exit_code, output_folder


@click.command()
@PLACE
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--to", metavar="FILE", type=click.Path(path_type=Path), help="Write here instead of standard output.")
@click.option("--raw", is_flag=True, help="CSV: leave texts that a spreadsheet would run as formulas as they are.")
@click.option("--review", is_flag=True, help="Rows that need review first, and why, in a column review_reasons.")
@errors_to_exit_code
def export(place: str, form: str, to: Path | None, raw: bool, review: bool) -> None:  # noqa: FBT001 (click's way)
    """Write the results as CSV or JSON lines.

    In CSV the fields of the record are columns record.FIELD, lists are JSON in a cell, and a text that begins with =, +
    - or @ gets an apostrophe, so that no spreadsheet runs it.

    \b
    Examples:
      pipeline export out/invoices --to invoices.csv
      pipeline export out/invoices --format jsonl | jq .record.total
      pipeline export out/invoices --review --to to_look_at.csv
    """  # noqa: D301
    from pipeline.commands.export import export as exported
    from pipeline.commands.export import whole_file
    from pipeline.errors import JobError

    folder = output_folder(place)
    try:
        with contextlib.ExitStack() as opened:
            out = sys.stdout if to is None else opened.enter_context(whole_file(to))
            if to is None:
                sys.stdout.reconfigure(encoding="utf-8", errors="replace", newline="")  # type: ignore[union-attr]
            rows = exported(folder, form, out, raw=raw, review=review)
    except BrokenPipeError:
        sys.exit(0)  # whoever read it has had enough
    except OSError as error:
        raise JobError(f"{to or 'standard output'}: cannot be written: {error.strerror}") from None
    if to is not None:
        click.echo(f"{to}: {rows:,} rows", err=True)
