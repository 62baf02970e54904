"""The files of a new job, written where none stands in the way."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.columns import RESULT_COLUMNS
from pipeline.commands.init.guess import fields_of, language_of
from pipeline.commands.init.look import REHEARSED, Column, Looked, look
from pipeline.commands.init.texts import Plan, job_text, sample_text, schema_text
from pipeline.errors import JobError
from pipeline.job.file import absolute
from pipeline.job.settings import REMOTE
from pipeline.text import did_you_mean

JOB, SCHEMA, SAMPLE = "job.toml", "schema.py", "sample.jsonl"
SAMPLE_ROWS = 5
SAMPLE_CHARS = 2000  # of a document that was read
MOST_KEPT, KEPT_CHARS = 5, 100
BUILT_IN = (
    """\
Order no: A-1001
Date: 2026-03-02
Customer: Acorn Foods
Deliver by: 2026-03-09

12 copper kettles, 4 descaling kits

Total: 319.00 EUR""",
    """\
Order no: A-1002
Date: 2026-03-04
Customer: Blauwal Logistik
Deliver by: 2026-03-20

200 boxes, folded

Total: 1,240.50 EUR""",
    """\
Order no: A-1003
Date: 2026-03-05
Customer: Quill & Finch

One desk lamp, brass. No hurry.

Total: 64.90 EUR""",
)


class Wishes(Struct, frozen=True):
    """What was said of a new job; "" leaves it to us."""

    text: str = ""
    id: str = ""
    provider: str = REHEARSED.provider
    model: str = REHEARSED.name


class Started(Struct, frozen=True):
    """What was written, and what it was made of."""

    files: tuple[str, ...]
    fields: tuple[str, ...]
    seen: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        return {"files": list(self.files), "fields": list(self.fields), "input": list(self.seen)}


def require_room(folder: Path) -> None:
    """Raises JobError, which names it, where a file of that name is there already, or the folder is none."""
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder}: is a file, where a folder for the job is wanted. Give another name")
    for name in (JOB, SCHEMA, SAMPLE):
        if os.path.lexists(folder / name):
            raise JobError(
                f"{folder / name}: is there already, and stays as it is. Give another folder:  pipeline init DIR"
            )


def looked_at(source: str, folder: Path) -> Looked:
    """What `--from` names.

    Raises:
        JobError: it cannot be read, or would have the job's own files among its rows.
    """
    path = absolute(source, Path.cwd())
    home, within = os.path.realpath(folder), os.path.realpath(path)
    if os.path.isdir(path) and (home == within or home.startswith(within.rstrip(os.sep) + os.sep)):  # noqa: PTH112
        told = f"the job's own files would lie in {path}, and be read as documents"
        raise JobError(
            f"--from {source!r}: {told}. Give the job a folder beside it:  pipeline init DIR --from {source}"
        )
    return look(path)


def start(folder: Path, looked: Looked | None, wishes: Wishes) -> Started:
    """Write job, schema and sample; of `looked`, or of a few orders that nobody made.

    Raises:
        JobError: a file is in the way, a column that was named is not there, or nothing can be written.
    """
    require_room(folder)
    rows: list[Mapping[str, Any]] = [{"id": f"order-{number}", "text": text} for number, text in enumerate(BUILT_IN, 1)]
    if looked is None:
        plan = Plan(folder.resolve().name, SAMPLE, "text", "id", "", (), "", wishes.provider, wishes.model, (), False)
        texts = list(BUILT_IN)
    else:
        plan = _plan(folder, looked, wishes)
        rows = [_shown(row, looked) for row in looked.rows[:SAMPLE_ROWS]]
        texts = [text for row in looked.rows if isinstance(text := row.get(plan.text or "text"), str) and text.strip()]
    fields = fields_of(texts)
    content = {JOB: job_text(plan), SCHEMA: schema_text(fields), SAMPLE: sample_text(rows)}
    _write(folder, content)
    written = tuple(str(folder / name) for name in content)
    return Started(written, tuple(f"{one.name}: {one.kind}" for one in fields), plan.seen)


def _plan(folder: Path, looked: Looked, wishes: Wishes) -> Plan:
    for flag, name in (("--text", wishes.text), ("--id", wishes.id)):
        if name and looked.column(name) is None:
            names = [column.name for column in looked.columns]
            told = did_you_mean(name, names, f" Its columns: {', '.join(names) or 'none: each file is a row'}")
            raise JobError(f"{flag} {name!r}: {looked.path} has no such column.{told}")
    document = "" if wishes.text else looked.file_column
    text = "" if document or looked.documents else wishes.text or looked.text
    if not looked.documents and not document and not text:
        raise JobError(f"{looked.path}: no column holds text. Name the one with the document:  --text COLUMN")
    row_id = "" if looked.documents else wishes.id or looked.id
    kept = [one.name for one in looked.columns if one.name not in {text, row_id, document} and _is_kept(one)]
    texts = [value for row in looked.rows if isinstance(value := row.get(text or "text"), str)]
    language = language_of(texts)
    path = looked.path
    if not path.startswith(REMOTE):
        path = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    seen = tuple(_seen(looked, language))
    sampled = not looked.documents and not document
    return Plan(
        folder.resolve().name, path, text, row_id, document, tuple(kept[:MOST_KEPT]), language,
        wishes.provider, wishes.model, seen, sampled,
    )  # fmt: skip


def _is_kept(column: Column) -> bool:
    simple = column.kind in {"text", "number", "true or false"} and column.most_chars <= KEPT_CHARS
    return simple and column.name not in RESULT_COLUMNS


def _seen(looked: Looked, language: str) -> list[str]:
    """What is told of the input, in lines without anything of its content but names."""
    count = f"{'the first ' if looked.more else ''}{len(looked.rows):,}"
    if looked.documents:
        lengths = [len(row["text"]) for row in looked.rows]
        with_text = sum(1 for length in lengths if length)
        told = f"{count} documents looked at: {with_text} with text, {max(lengths, default=0):,} characters at the most"
        return [f"{told}; in {language}" if language else told]
    lines = [f"{count} rows looked at" + (f", in {language}:" if language else ":")]
    for one in looked.columns:
        size = (
            f", {one.mean_chars:,} characters on average, {one.most_chars:,} at the most" if one.kind == "text" else ""
        )
        gaps = f", in {one.filled:,} rows" if one.filled < len(looked.rows) else ""
        own = ", no two the same" if one.distinct == len(looked.rows) else ""
        lines.append(f"  {_inert(one.name)}: {one.kind}{size}{gaps}{own}")
    return lines


def _inert(name: str) -> str:
    """Of a column's name nothing ends the comment that it stands in."""
    return name if name.isprintable() else repr(name)


def _shown(row: Mapping[str, Any], looked: Looked) -> Mapping[str, Any]:
    if looked.documents:
        return {"id": row["id"], "text": row["text"][:SAMPLE_CHARS]}
    return {name: value for name, value in row.items() if not isinstance(value, bytes)}


def _write(folder: Path, content: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in content.items():
            with (folder / name).open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
    except OSError as error:
        raise JobError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
