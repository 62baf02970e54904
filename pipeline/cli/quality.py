"""The verbs that say how good results are: eval and diff."""

import math
import sys
from pathlib import Path

import click

from pipeline.cli.options import PLACE, errors_to_exit_code, json_option, output_folder, output_place, tell


def _share(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """From 0 to 1, and NaN is not."""
    del ctx, parameter
    if value is not None and not 0 <= value <= 1:
        percent = f" Write {value / 100:g} for {value:g} %." if math.isfinite(value) and 1 < value <= 100 else ""
        raise click.BadParameter(f"{value:g} is not from 0 to 1.{percent}")
    return value


@click.command("eval")
@PLACE
@click.option(
    "--golden",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="Known answers: JSON lines or Parquet of {id, record}.",
)
@click.option("--gate", metavar="SHARE", type=float, callback=_share, help="Exit with 1 when accuracy is below this.")
@click.option("--by", metavar="FIELD", help="Also for each value of this column of the results.")
@json_option
@errors_to_exit_code
def evaluate(place: str, golden: Path, gate: float | None, by: str | None, as_json: bool) -> None:  # noqa: FBT001 (click's way)
    """Compare the results with known answers, field by field.

    Numbers and dates are compared by value, text after Unicode normalisation (NFKC) and with blanks as one. Items of
    lists are matched to each other first; their order does not count. A key that a known record leaves out is not
    judged; a null says that there is nothing. Known rows that are pending or not in the results are not compared; a row
    that failed has all its values missing.

    \b
    Examples:
      pipeline eval out/invoices --golden jobs/invoices.golden.jsonl
      pipeline eval out/invoices --golden jobs/invoices.golden.jsonl --gate 0.95    exit code 1 below
      pipeline eval out/invoices --golden jobs/invoices.golden.jsonl --by model     or document.media_type, tenant, …
    """  # noqa: D301
    from pipeline.commands.evaluate.evaluate import evaluate as evaluated
    from pipeline.commands.evaluate.evaluate import passes
    from pipeline.commands.evaluate.words import eval_text

    found = evaluated(output_folder(place), golden, by)
    passed = gate is None or passes(found, gate)
    if gate is not None:
        found |= {"gate": gate, "passed": passed}
    tell(found, eval_text(found), as_json=as_json)
    sys.exit(0 if passed else 1)


@click.command()
@click.argument("left", metavar="JOB|DIR")
@click.argument("right", metavar="JOB|DIR")
@click.option("--to", metavar="FILE.html", type=click.Path(path_type=Path), help="Write both sides as a page, too.")
@json_option
@errors_to_exit_code
def diff(left: str, right: str, to: Path | None, as_json: bool) -> None:  # noqa: FBT001 (click's way)
    """What changed between two outputs: rows and fields, with both values, evidence and cost.

    Rows are those of the same id, in any order. Values are compared as by `pipeline eval`. Where the schemas differ,
    what both have is compared, and what one has alone is named. Exit code 0 when they are equal, 1 when not.

    \b
    Examples:
      pipeline diff out/invoices out/invoices-new-prompt
      pipeline diff out/mini out/large --to diff.html      two models side by side
    """  # noqa: D301
    from pipeline.commands.diff.diff import MOST_SHOWN
    from pipeline.commands.diff.diff import diff as compared
    from pipeline.commands.diff.page import MOST_ON_PAGE, write_page
    from pipeline.commands.diff.words import diff_text

    found = compared(output_place(left), output_place(right), MOST_SHOWN if to is None else MOST_ON_PAGE)
    if to is not None:
        write_page(found, to)
        click.echo(f"{to}: {len(found['changes']):,} of {found['changed']:,} changed rows", err=True)
    tell(found, diff_text(found), as_json=as_json)
    sys.exit(0 if found["equal"] else 1)
