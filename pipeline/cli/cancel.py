"""The verb that calls batches off."""

import os
import sys
from typing import Any

import click

from pipeline.cli.options import PLACE, errors_to_exit_code, job_options, json_option, output_folder, tell


@click.command()
@PLACE
@click.argument("batch_id", metavar="[BATCH]", default="")
@job_options
@json_option
@errors_to_exit_code
def cancel(place: str, batch_id: str, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Call off the batches that are at the provider: all, or one by its id as `pipeline status` shows it.

    What was answered by then is billed, and the next run collects it. A run that is going on ends, unless only one
    batch is meant.

    \b
    Examples:
      pipeline cancel jobs/invoices.toml
      pipeline cancel out/invoices batch_abc123
    """  # noqa: D301
    from pipeline.commands.cancel import cancel as called_off
    from pipeline.commands.cancel import cancel_text

    found = called_off(output_folder(place, overrides), batch_id, os.environ)
    tell(found, cancel_text(found), as_json=as_json)
    sys.exit(2 if found["failed"] else 0)
