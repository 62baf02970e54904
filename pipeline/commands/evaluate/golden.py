"""Known answers from a file: JSON lines or Parquet of {id, record}."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.commands.aside import Aside, key_of
from pipeline.commands.evaluate.meanings import Shape, meaning_of, misfit, paths_of
from pipeline.documents.sources import parquet
from pipeline.documents.sources.files import File, find
from pipeline.documents.sources.jsonl import MAX_LINE_BYTES, lines
from pipeline.errors import JobError
from pipeline.schema.arrow import DECODE
from pipeline.text import did_you_mean

ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst", ".parquet")
FORM = 'a line is {"id": "inv-1", "record": {"total": "12.00"}}'
PLACE = 0  # in what is put aside
NOT_THERE = object()


def put_aside(path: Path, shape: Shape, known: Aside, *, per_chunk: bool) -> int:
    """Every answer under the key of its row, as (id, meaning of the record); returns how many.

    Args:
        path: the file.
        shape: of the records in results.parquet, which the known ones have to fit.
        known: where they are put, in PLACE.
        per_chunk: the results have a line for each chunk, and so has to have the file.

    Raises:
        JobError: it cannot be read, lacks an id or a record, has an id twice, or a record has a field of no such name.
    """
    count, meaning = 0, meaning_of(shape)
    for where, line in _lines(path):
        row_id, chunk, record = _id(line, where), line.get("chunk") if per_chunk else None, _record(line, where)
        if per_chunk and (isinstance(chunk, bool) or not isinstance(chunk, int)):
            told = "the results have a line for each chunk (merge = none). Add its number as `chunk`, from 0"
            raise JobError(f"{where} ({row_id!r}): {told}")
        if (wrong := misfit(shape, record)) is not None:
            raise JobError(f"{where} ({row_id!r}): {_told(shape, *wrong)}")
        key = key_of(row_id, chunk)
        if known.has(PLACE, key):
            raise JobError(f"{where}: the id {row_id!r} is there twice. Keep the line that is right")
        known.put(PLACE, key, (row_id, meaning(record)))
        count += 1
    if not count:
        raise JobError(f"{path}: holds no known answers; {FORM}")
    return count


def _told(shape: Shape, at: str, wrong: str) -> str:
    if wrong:
        return f"{at or 'the record'} {wrong}"
    near = did_you_mean(at, paths_of(shape), ". Known answers have the names of the fields in results.parquet")
    return f"the results have no field {at!r}{near if near.startswith('.') else f'.{near}'}"


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where it stands, the line as an object) of each."""
    if not path.is_file():
        raise JobError(f"{path}: no such file. Give known answers as JSON lines or Parquet; {FORM}")
    if not path.name.lower().endswith(ENDINGS):
        raise JobError(f"{path}: known answers are JSON lines (.jsonl) or Parquet (.parquet); {FORM}")
    (file,) = find(str(path))
    return _of_parquet(file, path) if file.format == "parquet" else _of_jsonl(file, path)


def _of_jsonl(file: File, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in lines(file, MAX_LINE_BYTES):
        where = f"{path}:{number}"
        try:
            found = DECODE((line or b"").decode())
        except (ValueError, RecursionError) as error:
            told = "longer than 64 MB" if line is None else error
            raise JobError(f"{where}: not valid JSON: {told}") from None
        if not isinstance(found, dict):
            raise JobError(f"{where}: the line is no object; {FORM}")
        yield where, found


def _of_parquet(file: File, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    names = parquet.schema(file).names
    columns = [name for name in ("id", "record", "chunk") if name in names]
    for number, found in parquet.records(file, columns):
        where = f"{path}, row {number}"
        if isinstance(found, str):
            raise JobError(f"{where}: {found}")
        yield where, found


def _id(line: Mapping[str, Any], where: str) -> str:
    found = line.get("id")
    if isinstance(found, bool) or not isinstance(found, str | int):
        said = "has no `id`" if found is None else f"has the id {found!r:.60}, and not text or a whole number"
        raise JobError(f"{where}: {said}; {FORM}")
    return str(found)


def _record(line: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401 (an object, or of a model that is a value any)
    """An object, or one as JSON in text. Null: it is known that there is no record."""
    found = line.get("record", NOT_THERE)
    if found is NOT_THERE:
        raise JobError(f"{where}: has no `record`; {FORM}")
    if isinstance(found, str) and found.lstrip().startswith("{"):
        try:
            return DECODE(found)
        except (ValueError, RecursionError) as error:
            raise JobError(f"{where}: its `record` is text that is not valid JSON: {error}") from None
    return found
