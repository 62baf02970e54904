"""The verb that makes a job to start from."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from pipeline.cli.options import errors_to_exit_code, json_option, tell
from pipeline.errors import JobError

if TYPE_CHECKING:
    from pipeline.commands.init.look import Looked
    from pipeline.commands.init.start import Wishes


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="PATH", help="Your own file, folder or glob: the job reads it.")
@click.option("--text", metavar="COLUMN", default="", help="The column that holds the document.")
@click.option("--id", "row_id", metavar="COLUMN", default="", help="The column that names a row.")
@click.option("--model", metavar="PROVIDER:NAME", default="", help="Default: sandbox:gpt-4o-mini, to rehearse.")
@click.option("--yes", is_flag=True, help="Ask nothing, also on a terminal.")
@json_option
@errors_to_exit_code
def init(folder: Path, source: str | None, yes: bool, as_json: bool, **flags: str) -> None:  # noqa: FBT001 (click's way)
    """Write a job, a schema and a sample to start from. No file is ever written over.

    With --from they are made of what you have: its columns, and a schema guessed of its first documents, to be edited.
    The job runs in the local sandbox as it stands.

    \b
    Examples:
      pipeline init orders
      pipeline init mail --from inbox/
      pipeline init tickets --from tickets.parquet --text body --model openai:gpt-4o-mini
    """  # noqa: D301
    from pipeline.commands.init.start import Wishes, looked_at, require_room, start

    require_room(folder)
    looked = None if source is None else looked_at(source, folder)
    if looked is None and (flags["text"] or flags["row_id"]):
        raise JobError("--text and --id name columns of your own file. Give it with --from")
    wishes = _with_model(Wishes(text=flags["text"], id=flags["row_id"]), flags["model"])
    if not (yes or as_json) and sys.stdin.isatty() and sys.stderr.isatty():
        wishes = _asked(wishes, looked, ask_model=not flags["model"])
    started = start(folder, looked, wishes)
    job = started.files[0]
    lines = [*(f"wrote {name}" for name in started.files), *started.seen, f"fields: {', '.join(started.fields)}"]
    told = [*lines, f"Edit {started.files[1]}, then:  pipeline check {job}  &&  pipeline run {job}"]
    tell({**started.as_json(), "next": f"pipeline check {job}"}, "\n".join(told), as_json=as_json)


def _with_model(wishes: "Wishes", text: str) -> "Wishes":
    from pipeline.job.names import provider_and_model

    if not text:
        return wishes
    provider, name = provider_and_model(text, "--model ")
    return replace(wishes, provider=provider, model=name)


def _asked(wishes: "Wishes", looked: "Looked | None", *, ask_model: bool) -> "Wishes":
    """What is not said by flags, asked with what was guessed as the answer."""
    if looked is not None and looked.columns:
        names = [column.name for column in looked.columns]
        if not wishes.text and not looked.file_column:
            text = click.prompt("Column with the document", looked.text, type=click.Choice(names), err=True)
            wishes = replace(wishes, text=text)
        if not wishes.id and looked.id:
            wishes = replace(
                wishes, id=click.prompt("Column that names a row", looked.id, type=click.Choice(names), err=True)
            )
    if ask_model:
        asked = click.prompt("Model (sandbox rehearses for free)", f"{wishes.provider}:{wishes.model}", err=True)
        wishes = _with_model(wishes, asked)
    return wishes
