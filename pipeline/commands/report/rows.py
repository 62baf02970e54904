"""Which rows the report shows, with source texts and answers: what failed, was repaired or conflicts, and some ok ones.

Bounded, so that the file opens on any machine: results.parquet has all of them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from pipeline.columns import EVIDENCE_COLUMNS, MODELS_COLUMNS
from pipeline.commands.answers import Heard, first_errors, heard_for
from pipeline.commands.doubted import Doubts
from pipeline.commands.report.grounded import has_evidence
from pipeline.commands.report.marks import SourcePage, pages_of
from pipeline.commands.report.record_lines import Line, bounded, lines_of
from pipeline.commands.report.texts import InputChanged, texts_of
from pipeline.commands.report.words import short, usd
from pipeline.errors import JobError
from pipeline.extraction.evidence.share import XML
from pipeline.extraction.review import reasons_on
from pipeline.job.folder import RESULTS
from pipeline.output.manifest import Manifest
from pipeline.types import Evidence

MOST_OF_CODE = 60  # failed rows of one error_code
MOST_FAILED, MOST_NOTED, MOST_OK, MOST_PENDING = 500, 200, 300, 20
LINES_AT_ONCE = 2048
MOST_CHARS = 6000  # of a text or a record
MOST_ANSWERS, MOST_ANSWER_CHARS = 4, 2000  # the last ones of a row that failed or was repaired
COLUMNS = (
    "row", "id", "status", "record", "error_code", "error", "repaired", "conflicts", "chunks", "calls", "cost_usd",
    "latency_ms", "answer_from",
)  # fmt: skip
SOME_COLUMNS = ("document", "xml_conflicts", "chunk")  # of jobs over documents; of those with a record per chunk

NOWHERE = (0, 0)
NOTED = ("repaired", "conflicts", "xml_conflicts", "needs_review")  # what puts an ok row among those that are noted


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
    record: tuple[Line, ...] | None
    record_more: int  # characters that are cut off
    error_code: str | None
    error: str | None
    marks: tuple[str, ...]  # repaired, conflicts, duplicate, ledger, previous
    chunks: int
    calls: int
    cost_usd: str | None
    latency_ms: int | None
    begins: str = ""  # how its text does
    source: tuple[SourcePage, ...] | None = None  # its text; marks are numbered as `evidence` is
    document: Mapping[str, Any] | None = None  # of a row that is a file: media_type, pages, mode, digest
    link: str | None = None  # to the file, where it is one of a folder on this machine
    answers: tuple[ShownAnswer, ...] = ()
    answers_left_out: int = 0
    mended: tuple[str, ...] = ()  # what was wrong with the answers that were repaired
    evidence: tuple[Evidence, ...] | None = None  # None where values were not looked for
    reasons: tuple[str, ...] = ()  # why a person should look at it


class Shown(Struct, frozen=True):
    """`why_no_text`: what kept the source texts away, if anything did."""

    rows: tuple[ShownRow, ...]
    total: int
    why_no_text: str | None


def shown_rows(folder: Path, manifest: Manifest) -> Shown:
    """Those that a person should look at first, the others after them, both in input order."""
    rows = _chosen(folder)
    asked = [row.row for row in rows if row.status == "failed" or "repaired" in row.marks]
    heard = heard_for(folder, manifest.job, asked)
    link, doubts = _links(manifest.job), Doubts(manifest.job)
    rows = [_heard(replace(row, link=link(row)), heard.get(row.row, []), doubts) for row in rows]
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.row, []).append(place)
    why = None
    try:
        for number, text in texts_of(folder, manifest, places, max(places, default=-1)):
            for place in places[number]:
                row = _with_text(rows[place], text)
                rows[place] = replace(row, mended=_mended(row, heard.get(number, []), doubts, text))
    except InputChanged as error:
        why = str(error)
    except (JobError, OSError, KeyError, ValueError, TypeError) as error:
        why = f"the input cannot be read any more: {error}"
    return Shown(tuple(sorted(rows, key=lambda row: not row.reasons)), manifest.rows.total, why)


def _with_text(row: ShownRow, text: str) -> ShownRow:
    """With its text, in which the values of the record that are shown are marked."""
    paths = {line.path for line in row.record or ()}
    marks = [_span(one, text) if one.path in paths else NOWHERE for one in row.evidence or ()]
    begins = short(" ".join(text[:MOST_CHARS].split()))
    return replace(row, begins=begins, source=pages_of(text, marks, MOST_CHARS))


def _span(one: Evidence, text: str) -> tuple[int, int]:
    """Where the text says what is quoted."""
    if one.start is None or one.end is None or not text[one.start : one.end].startswith(one.quote or ""):
        return NOWHERE
    return one.start, one.end


def _mended(row: ShownRow, heard: Sequence[Heard], doubts: Doubts, text: str | None) -> tuple[str, ...]:
    """What was wrong before a repair: errors of form, or else values that the text does not have."""
    if row.status != "ok":
        return ()
    in_xml = {one.path for one in row.evidence or () if one.status == XML}
    return first_errors(heard) or doubts.told(heard, text, in_xml)


def _links(job: Mapping[str, Any]) -> Callable[[ShownRow], str | None]:
    """Where a row's file is, where its id is its path below a local folder."""
    path = Path(job["input"]["path"])
    folder = path if path.is_dir() else path.parent

    def link(row: ShownRow) -> str | None:
        file = folder / row.id
        return file.as_uri() if row.document is not None and file.is_file() else None

    return link


def _heard(row: ShownRow, heard: Sequence[Heard], doubts: Doubts) -> ShownRow:
    return replace(
        row,
        answers=tuple(map(_answer, heard[-MOST_ANSWERS:])),
        answers_left_out=max(0, len(heard) - MOST_ANSWERS),
        mended=_mended(row, heard, doubts, None),
    )


def _answer(heard: Heard) -> ShownAnswer:
    said = heard.said
    text = said.text or ""
    replaced = ": replaced by a later one" if said.text is None else ""
    title = f"Answer, chunk {said.chunk}, {said.purpose}{replaced}"
    return ShownAnswer(title, text[:MOST_ANSWER_CHARS], max(0, len(text) - MOST_ANSWER_CHARS), heard.errors)


def _chosen(folder: Path) -> list[ShownRow]:
    """In input order; of a row with several lines the first, and those that a person should look at."""
    with pq.ParquetFile(folder / RESULTS) as file:
        names = file.schema_arrow.names
        some = (*SOME_COLUMNS, *MODELS_COLUMNS, *(EVIDENCE_COLUMNS if has_evidence(file.schema_arrow) else ()))
        columns = [*COLUMNS, *(name for name in some if name in names)]
        noted = [name for name in NOTED if name in columns]
        return [_shown(line) for line in _lines_at(file, _places(file, noted), columns)]


def _places(file: pq.ParquetFile, noted: Sequence[str]) -> list[int]:
    """Which lines, by what is small of them."""
    kept: list[int] = []
    left = {"failed": MOST_FAILED, "noted": MOST_NOTED, "ok": MOST_OK, "pending": MOST_PENDING}
    of_code: Counter[str] = Counter()
    place, last = -1, None
    for batch in file.iter_batches(LINES_AT_ONCE, columns=["row", "status", "error_code", *noted]):
        for line in batch.to_pylist():
            place += 1
            if line["row"] == last and not line.get("needs_review"):
                continue
            last, code = line["row"], line["error_code"] or ""
            kind = "noted" if line["status"] == "ok" and any(line[name] for name in noted) else line["status"]
            if left[kind] <= 0 or (code and of_code[code] >= MOST_OF_CODE):
                continue
            left[kind] -= 1
            of_code[code] += 1
            kept.append(place)
    return kept


def _lines_at(file: pq.ParquetFile, places: Sequence[int], columns: list[str]) -> Iterator[dict[str, Any]]:
    """Whole lines; nothing else is read of a file's parts than those that have one."""
    start = 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        wanted = places[bisect_left(places, start) : bisect_left(places, end)]
        for batch in file.iter_batches(LINES_AT_ONCE, row_groups=[group], columns=columns) if wanted else ():
            here = [place - start for place in wanted if start <= place < start + batch.num_rows]
            yield from batch.take(pa.array(here, pa.int64())).to_pylist()
            start += batch.num_rows
        start = end


def _shown(line: Mapping[str, Any]) -> ShownRow:
    found, record = line.get("evidence"), line["record"]
    lines, more = ((), 0) if record is None else bounded(lines_of(record), MOST_CHARS)
    return ShownRow(
        row=line["row"],
        id=line["id"] or "",
        status=line["status"],
        record=None if record is None else lines,
        record_more=more,
        error_code=line["error_code"],
        error=None if line["error"] is None else _cut(line["error"]),
        marks=_marks(line),
        chunks=line["chunks"] or 0,
        calls=line["calls"] or 0,
        cost_usd=None if line["cost_usd"] is None else usd(line["cost_usd"]),
        latency_ms=line["latency_ms"],
        document=line.get("document"),
        evidence=tuple(Evidence(**one) for one in found) if found and record is not None else None,
        reasons=reasons_on(line) if line.get("needs_review") else (),
    )


def _marks(line: Mapping[str, Any]) -> tuple[str, ...]:
    marks = ["repaired"] if line["repaired"] else []
    marks += [f"conflict: {name}" for name in line["conflicts"] or ()]
    marks += [f"XML differs: {name}" for name in line.get("xml_conflicts") or ()]
    marks += [line["answer_from"]] if line["answer_from"] in {"duplicate", "ledger", "previous"} else []
    return (*marks, *([f"chunk {line['chunk']}"] if line.get("chunk") is not None else []))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}… ({len(text) - MOST_CHARS:,} more characters)"
