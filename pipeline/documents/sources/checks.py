"""What can be wrong with the input as a whole, found before anything is sent; and the types that Parquet declares."""

import importlib.util
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from pipeline.documents.sources import jsonl, parquet
from pipeline.documents.sources.column_types import known_type
from pipeline.documents.sources.delimited import Table
from pipeline.documents.sources.files import File
from pipeline.documents.sources.folder_keys import folder_keys
from pipeline.errors import JobError
from pipeline.job.settings import Input
from pipeline.text import did_you_mean

SAMPLE_ROWS = 1000
SHOWN_COLUMNS = 30
FILE_TYPES = {  # columns of a file that is a row
    "id": pa.string(),
    "name": pa.string(),
    "size": pa.int64(),
    "pages": pa.int32(),
    "media_type": pa.string(),
}


def needed_columns(spec: Input, prompt_columns: Sequence[str]) -> dict[str, str]:
    """The columns that a job names → the first of its keys that names them."""
    document = (spec.document, "input.document") if spec.document else (spec.text, "input.text")
    named = [document, (spec.id, "input.id"), (spec.tenant, "input.tenant")]
    named += [(name, "input.keep") for name in spec.keep]
    named += [(name, "extract.prompt") for name in prompt_columns]
    return {name: key for name, key in reversed(named) if name}


def check_parquet(files: Sequence[File], needed: Mapping[str, str], spec: Input) -> None:
    """Every file is whole, has the columns, has text where text is to be, and agrees with the others on what is kept.

    Raises:
        JobError: names the file, or the two, and the column.
    """
    for file in files:
        schema = parquet.schema(file)
        names = [*schema.names, *folder_keys(file)]
        for name, key in needed.items():
            if name not in (schema.names if name in {spec.text, spec.document} else names):
                raise JobError(f"{file.url}: has no column {name!r} ({key}).{_nearest(name, names)}")
        if not spec.document and not _can_be_text(schema.field(spec.text).type):
            raise JobError(
                f"{file.url}: the column {spec.text!r} (input.text) is {schema.field(spec.text).type}, not text. "
                f"Its columns of text: {_listed([f.name for f in schema if _can_be_text(f.type)])}"
            )
    declared(files, spec.keep, None)


def check_jsonl(files: Sequence[File], needed: Mapping[str, str], max_line_bytes: int) -> None:
    """Every file opens, and among the first rows some row has each column.

    Raises:
        JobError: names the column and the nearest that was seen.
    """
    seen: dict[str, None] = {}
    rows = 0
    for file in files:
        seen.update(dict.fromkeys(folder_keys(file)))
        for _, record, _ in jsonl.records(file, max_line_bytes):
            if isinstance(record, dict):
                seen.update(dict.fromkeys(record))
            rows += 1
            if rows >= SAMPLE_ROWS or needed.keys() <= seen.keys():
                break
    for name, key in needed.items():
        if seen and name not in seen:
            what = f"none of the first {rows} rows has the column {name!r} ({key})"
            raise JobError(f"{files[0].url}: {what}.{_nearest(name, seen)}")


def check_documents(files: Sequence[File], needed: Mapping[str, str]) -> None:
    """What a job names of files that are rows is known of files.

    Raises:
        JobError: names the column, or the package that is missing.
    """
    for file in files[:1]:
        known = [*FILE_TYPES, *folder_keys(file)]
        for name, key in needed.items():
            if name not in known and key not in {"input.text", "input.id"}:
                raise JobError(f"{file.url}: a document has no column {name!r} ({key}).{_nearest(name, known)}")
    pdf = next((file for file in files if file.name.lower().endswith(".pdf")), None)
    if pdf is not None:
        require_reader(pdf.url)


def without_columns_of_files(needed: Mapping[str, str]) -> dict[str, str]:
    """What a table beside documents has to have: of the columns kept, it may lack those that only files have."""
    return {name: key for name, key in needed.items() if key != "input.keep" or name not in FILE_TYPES}


def require_reader(what: str) -> None:
    """PDFs are read by a package that not every installation has.

    Raises:
        JobError: names the extra.
    """
    if importlib.util.find_spec("pypdfium2") is None:
        raise JobError(f"{what}: reading PDFs needs an extra:  pip install 'ledger-pipeline[documents]'")


def with_file_types(kept: pa.Schema) -> pa.Schema:
    """The kept columns, those of a file with the types that they have, where tables beside them have no other."""
    null = pa.null()
    return pa.schema(
        [(field.name, FILE_TYPES.get(field.name, null) if field.type == null else field.type) for field in kept]
    )


def check_tables(tables: Sequence[tuple[File, Table]], needed: Mapping[str, str], spec: Input) -> None:
    """Every header has the columns.

    Raises:
        JobError: names the file, and what is wrong with its header.
    """
    for file, table in tables:
        names = [*table.columns, *folder_keys(file)]
        for name, key in needed.items():
            if name not in (table.columns if name in {spec.text, spec.document} else names):
                raise JobError(f"{file.url}: has no column {name!r} ({key}).{_nearest(name, names)}")


def declared(files: Sequence[File], keep: Sequence[str], known: pa.Schema | None) -> pa.Schema:
    """The types of the kept columns over all files; a column without a value anywhere has the `known` one.

    Raises:
        JobError: two files differ on a column, or its type cannot be copied.
    """
    found: dict[str, tuple[pa.DataType, File]] = {}  # without those that hold no value
    for file in files if keep else ():
        schema = parquet.schema(file)
        for name in keep:
            kind = parquet.kept_type(schema.field(name).type) if name in schema.names else pa.string()
            _require_copyable(file, name, kind)
            if kind == pa.null():
                continue
            first_kind, first_file = found.setdefault(name, (kind, file))
            if first_kind != kind:
                raise JobError(
                    f"input.keep: the column {name!r} is {first_kind} in {first_file.url} and {kind} in {file.url}. "
                    "Write both with one type, or give one folder to each"
                )
    types = [found[name][0] if name in found else known_type(name, known) or pa.null() for name in keep]
    return pa.schema(list(zip(keep, types, strict=True)))


def _require_copyable(file: File, name: str, kind: pa.DataType) -> None:
    """Publishing takes rows out of kept columns. Arrow cannot do that for every type, and must not fail at the end."""
    try:
        pa.nulls(1, kind).take(pa.array([0]))
    except pa.ArrowNotImplementedError:
        raise JobError(f"{file.url}: the column {name!r} (input.keep) is {kind}, which cannot be copied") from None


def _can_be_text(kind: pa.DataType) -> bool:
    plain = parquet.kept_type(kind)
    return plain in {pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.null()}


def _nearest(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known, f" Its columns: {_listed(known)}")


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:SHOWN_COLUMNS])
    return f"{shown}, ..." if len(names) > SHOWN_COLUMNS else shown or "none"
