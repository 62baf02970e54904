"""Which rows the report shows, with source texts and answers: what failed, was repaired or conflicts, and some ok ones.

Bounded, so that the file opens on any machine: results.parquet has all of them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct, convert
from msgspec.structs import replace

from pipeline.catalog.file_limits import file_limits
from pipeline.commands.answers import Heard, first_errors, heard_for
from pipeline.commands.report.words import usd
from pipeline.documents.pages import Rules
from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.folder import RESULTS
from pipeline.job.settings import Documents, Input, Model
from pipeline.output.manifest import Manifest

T = TypeVar("T")
MOST_OF_CODE = 60  # failed rows of one error_code
MOST_FAILED, MOST_NOTED, MOST_OK, MOST_PENDING = 500, 200, 300, 20
MOST_CHARS = 6000  # of a text or a record
MOST_ANSWERS, MOST_ANSWER_CHARS = 4, 2000  # the last ones of a row that failed or was repaired
COLUMNS = (
    "row", "id", "status", "record", "error_code", "error", "repaired", "conflicts", "chunks", "calls", "cost_usd",
    "latency_ms", "answer_from",
)  # fmt: skip
FILE_COLUMNS = ("document", "xml_conflicts")  # in jobs over documents


class ShownAnswer(Struct, frozen=True):
    """`more`: characters that are cut off."""

    title: str
    text: str
    more: int
    errors: tuple[str, ...]


class ShownRow(Struct, frozen=True):
    row: int
    id: str
    status: str
    record: str | None  # JSON, indented
    error_code: str | None
    error: str | None
    marks: tuple[str, ...]  # repaired, conflicts, duplicate, ledger, previous
    chunks: int
    calls: int
    cost_usd: str | None
    latency_ms: int | None
    text: str | None = None
    document: Mapping[str, Any] | None = None  # of a row that is a file: media_type, pages, mode, digest
    link: str | None = None  # to the file, where it is one of a folder on this machine
    answers: tuple[ShownAnswer, ...] = ()
    answers_left_out: int = 0
    mended: tuple[str, ...] = ()  # what was wrong with the answers that were repaired


class Shown(Struct, frozen=True):
    """`why_no_text`: what kept the source texts away, if anything did."""

    rows: tuple[ShownRow, ...]
    total: int
    why_no_text: str | None


def shown_rows(folder: Path, manifest: Manifest) -> Shown:
    rows = _chosen(folder)
    try:
        texts, why = _texts(manifest, {row.row for row in rows})
    except (JobError, OSError, KeyError, ValueError, TypeError) as error:
        texts, why = {}, f"the input cannot be read any more: {error}"
    asked = [row.row for row in rows if row.status == "failed" or "repaired" in row.marks]
    heard = heard_for(folder, manifest.job, asked)
    link = _links(manifest.job)
    whole = (_heard(replace(row, text=texts.get(row.row), link=link(row)), heard.get(row.row, [])) for row in rows)
    return Shown(tuple(whole), manifest.rows.total, why)


def _links(job: Mapping[str, Any]) -> Callable[[ShownRow], str | None]:
    """Where a row's file is, where its id is its path below a local folder."""
    path = Path(job["input"]["path"])
    folder = path if path.is_dir() else path.parent

    def link(row: ShownRow) -> str | None:
        file = folder / row.id
        return file.as_uri() if row.document is not None and file.is_file() else None

    return link


def _heard(row: ShownRow, heard: Sequence[Heard]) -> ShownRow:
    return replace(
        row,
        answers=tuple(map(_answer, heard[-MOST_ANSWERS:])),
        answers_left_out=max(0, len(heard) - MOST_ANSWERS),
        mended=first_errors(heard) if row.status == "ok" else (),
    )


def _answer(heard: Heard) -> ShownAnswer:
    said = heard.said
    text = said.text or ""
    replaced = ": replaced by a later one" if said.text is None else ""
    title = f"Answer, chunk {said.chunk}, {said.purpose}{replaced}"
    return ShownAnswer(title, text[:MOST_ANSWER_CHARS], max(0, len(text) - MOST_ANSWER_CHARS), heard.errors)


def _chosen(folder: Path) -> list[ShownRow]:
    """In input order; of a row with several chunks the first line."""
    kept: list[ShownRow] = []
    left = {"failed": MOST_FAILED, "noted": MOST_NOTED, "ok": MOST_OK, "pending": MOST_PENDING}
    of_code: dict[str, int] = {}
    last = None
    for line in _lines(folder):
        if line["row"] == last:
            continue
        last = line["row"]
        kind = line["status"]
        if kind == "ok" and (line["repaired"] or line["conflicts"] or line.get("xml_conflicts")):
            kind = "noted"
        code = line["error_code"] or ""
        if left[kind] <= 0 or (code and of_code.get(code, 0) >= MOST_OF_CODE):
            continue
        left[kind] -= 1
        if code:
            of_code[code] = of_code.get(code, 0) + 1
        kept.append(_shown(line))
    return kept


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of results.parquet; a batch in which nothing can be wanted any more is not turned into objects."""
    wanted_ok = MOST_OK
    with pq.ParquetFile(folder / RESULTS) as file:
        columns = [*COLUMNS, *(name for name in FILE_COLUMNS if name in file.schema_arrow.names)]
        for batch in file.iter_batches(2048, columns=columns):
            if wanted_ok > 0:
                wanted_ok -= batch.num_rows
                yield from batch.to_pylist()
                continue
            repaired = pc.fill_null(batch["repaired"], False)
            conflicts = pc.greater(pc.fill_null(pc.list_value_length(batch["conflicts"]), 0), 0)
            wanted = pc.or_(pc.not_equal(batch["status"], "ok"), pc.or_(repaired, conflicts))
            if "xml_conflicts" in columns:
                differ = pc.greater(pc.fill_null(pc.list_value_length(batch["xml_conflicts"]), 0), 0)
                wanted = pc.or_(wanted, differ)
            yield from batch.filter(wanted).to_pylist()


def _shown(line: Mapping[str, Any]) -> ShownRow:
    record = line["record"]
    marks = ["repaired"] if line["repaired"] else []
    marks += [f"conflict: {name}" for name in line["conflicts"] or ()]
    marks += [f"XML differs: {name}" for name in line.get("xml_conflicts") or ()]
    marks += [line["answer_from"]] if line["answer_from"] in {"duplicate", "ledger", "previous"} else []
    return ShownRow(
        row=line["row"],
        id=line["id"] or "",
        status=line["status"],
        record=None if record is None else _cut(json.dumps(record, indent=2, ensure_ascii=False, default=str)),
        error_code=line["error_code"],
        error=None if line["error"] is None else _cut(line["error"]),
        marks=tuple(marks),
        chunks=line["chunks"] or 0,
        calls=line["calls"] or 0,
        cost_usd=None if line["cost_usd"] is None else usd(line["cost_usd"]),
        latency_ms=line["latency_ms"],
        document=line.get("document"),
    )


def _texts(manifest: Manifest, wanted: set[int]) -> tuple[dict[int, str], str | None]:
    job = manifest.job
    source = Source(_typed(Input, job["input"]), (), job["limit_rows"], rules=_rules(job))
    if source.fingerprint() != manifest.input_fingerprint:
        return {}, "the input has changed since the run"
    texts: dict[int, str] = {}
    most = max(wanted, default=-1)
    for batch in source.batches(512, wanted):
        texts.update({row.index: _cut(row.text) for row in batch if row.index in wanted})
        if batch[-1].index >= most:
            break
    source.close()
    return texts, None


def _rules(job: Mapping[str, Any]) -> Rules:
    """How its files were read; of those that went as they are there is no text to show."""
    model = _typed(Model, job["model"])
    return Rules(_typed(Documents, job.get("documents", {})), model, file_limits(model, job["extract"]["mode"]))


def _typed(kind: type[T], settings: Mapping[str, Any]) -> T:
    return convert(settings, kind, strict=False)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}… ({len(text) - MOST_CHARS:,} more characters)"
