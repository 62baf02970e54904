"""Which files the input is: a file, a folder or a glob → its files in order, and one hash of them all.

The same rules hold on a disk and in a bucket. Hidden files, and those that begin with _ or ., are no input.
"""

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
from msgspec import Struct
from pyarrow import fs as pafs

from pipeline.documents.sources.filesystems import FilePlace, Places, is_link, parent, place
from pipeline.errors import JobError
from pipeline.job.settings import REMOTE
from pipeline.text import nearest

ENDINGS = {
    ".jsonl": ("jsonl", None),
    ".ndjson": ("jsonl", None),
    ".jsonl.gz": ("jsonl", "gzip"),
    ".ndjson.gz": ("jsonl", "gzip"),
    ".jsonl.zst": ("jsonl", "zstd"),
    ".ndjson.zst": ("jsonl", "zstd"),
    **{
        f".{form}{ending}": (form, compression)
        for form in ("csv", "tsv")
        for ending, compression in (("", None), (".gz", "gzip"), (".zst", "zstd"))
    },
    ".parquet": ("parquet", None),
}
TEXTS = (".txt", ".md", ".html", ".htm")
DOCUMENT_ENDINGS = (
    ".pdf", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".heic", *TEXTS, ".eml", ".docx", ".xlsx",
)  # fmt: skip
DOCUMENT = "document"  # a file that is one row; what it is, its bytes tell
KNOWN_ENDINGS = (
    ".jsonl, .ndjson, .csv, .tsv (each also .gz or .zst) or .parquet, nor as a document does (.pdf, .png, .jpg, .webp, "
    ".gif, .tiff, .heic, .txt, .md, .html, .eml, .docx, .xlsx)"
)
MAGIC = frozenset("*?[")
EDGE_BYTES = 64 * 1024  # of both ends of a file that its fingerprint covers
DIGEST_BYTES = 16
STATS_AT_ONCE, ASKED_AT_ONCE = 1024, 16


class File(Struct, frozen=True):
    """One file of the input. `name` is what messages call it: its path below the folder or glob."""

    fs: pafs.FileSystem
    path: str  # inside `fs`
    name: str
    url: str
    size: int
    mtime_ns: int
    format: str  # jsonl, csv, tsv, parquet or document
    compression: str | None


def find(path: str, *, tables_only: bool = False) -> tuple[File, ...]:
    """The files that `path` names, sorted by name. `tables_only`: documents are what tables name, and no rows.

    Raises:
        JobError: there are none, or they are of no known kind.
    """
    where = place(path)
    try:
        (info,) = where.fs.get_file_info([where.path])
        if info.type == pafs.FileType.File:
            files = [_file(where, info, where.path.rpartition("/")[2])]
        elif info.type == pafs.FileType.Directory:
            files = _below(where, where.path, ("**", "*"))
        elif MAGIC.intersection(where.path):
            root, pattern = _split(where.path)
            files = _below(where, root, pattern)
        else:
            raise JobError(f"input.path = {path!r}: there is nothing.{_nearest(where)}")
    except (OSError, pa.ArrowException) as error:
        raise JobError(f"{path}: cannot be listed: {error}") from None
    return _readable(path, files, tables_only=tables_only)


def fingerprint(files: Sequence[File], named: Iterable[str] = ()) -> str:
    """blake2b-128 over names, sizes, times of change, and both ends of every file; and over what is `named` by them.

    Raises:
        JobError: a file cannot be read.
    """
    entries = [(file.name, file.size, file.mtime_ns, _edges(file)) for file in files]
    digest = blake2b(orjson.dumps(entries), digest_size=DIGEST_BYTES)
    for one in named:
        digest.update(b"\x00" + one.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class Stats:
    """What changes of files that tables name when they do. A bucket is asked about many of them at once."""

    def __init__(self) -> None:
        self._places = Places("the URL")

    def of(self, named: Iterable[tuple[File, str]]) -> Iterator[str]:
        """Size and time of change of each, in order; "" where there is none, or it is not told."""
        waiting = iter(named)
        with ThreadPoolExecutor(ASKED_AT_ONCE, "stats") as threads:
            while batch := list(islice(waiting, STATS_AT_ONCE)):
                far = iter(threads.map(self._far, [one for one in batch if _is_far(*one)]))
                yield from (next(far) if _is_far(*one) else _near(*one) for one in batch)

    def _far(self, named: tuple[File, str]) -> str:
        table, name = named
        try:
            fs, path = self._places.of(name) if "://" in name else (table.fs, f"{parent(table.path)}/{name}")
            found = fs.get_file_info(path)
        except (OSError, pa.ArrowException, JobError):  # who reads it says why
            return ""
        return f"{found.size} {found.mtime_ns}"


def _is_far(table: File, name: str) -> bool:
    return name.startswith(REMOTE) or ("://" not in name and not isinstance(table.fs, pafs.LocalFileSystem))


def _near(table: File, name: str) -> str:
    try:
        found = Path(table.path).parent.joinpath(name).stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def unreadable(file: File, error: BaseException) -> JobError:
    return JobError(f"{file.url}: cannot be read: {error}")


def _edges(file: File) -> str:
    digest = blake2b(digest_size=DIGEST_BYTES)
    try:
        with file.fs.open_input_file(file.path) as stream:
            digest.update(stream.read(EDGE_BYTES))
            if file.size > EDGE_BYTES:
                stream.seek(max(EDGE_BYTES, file.size - EDGE_BYTES))
                digest.update(stream.read(EDGE_BYTES))
    except (OSError, pa.ArrowException) as error:
        raise unreadable(file, error) from None
    return digest.hexdigest()


def _file(where: FilePlace, info: pafs.FileInfo, name: str) -> File:
    document = (DOCUMENT, None) if name.lower().endswith(DOCUMENT_ENDINGS) else ("", None)
    kind, compression = ENDINGS.get(_ending(name), document)
    size, mtime_ns = info.size or 0, info.mtime_ns or 0
    return File(where.fs, info.path, name, where.url(info.path), size, mtime_ns, kind, compression)


def _ending(name: str) -> str:
    lower = name.lower()
    return next((ending for ending in ENDINGS if lower.endswith(ending)), "")


def _readable(path: str, files: Sequence[File], *, tables_only: bool) -> tuple[File, ...]:
    beside_tables = any(file.format in {"jsonl", "parquet"} for file in files)  # what lies there in words is no input
    kept = sorted(
        (file for file in files if file.format and not _passed_over(file, beside_tables, tables_only)),
        key=lambda file: file.name,
    )
    if not kept:
        found = f"none of its {len(files)} files ends" if files else "there is no file that ends"
        if len(files) == 1:
            found = f"{files[0].name!r} does not end"
        raise JobError(f"input.path = {path!r}: {found} in {KNOWN_ENDINGS}")
    for file in kept:
        if file.compression and not file.size:
            raise JobError(f"{file.url}: is empty, and no {file.compression} file is: it is cut off. Fetch it again")
    return tuple(kept)


def _passed_over(file: File, beside_tables: bool, tables_only: bool) -> bool:  # noqa: FBT001 (facts)
    if file.format != DOCUMENT:
        return False
    return tables_only or (beside_tables and file.name.lower().endswith(TEXTS))


def _split(path: str) -> tuple[str, tuple[str, ...]]:
    """The folder before the first part with * ? or [, and the parts from there."""
    parts = path.split("/")
    first = next(number for number, part in enumerate(parts) if MAGIC.intersection(part))
    return "/".join(parts[:first]) or "/", tuple(parts[first:])


def _below(where: FilePlace, root: str, pattern: Sequence[str]) -> list[File]:
    found = {info.path: info for info in _walk(where, root, pattern)}  # ** can come to a file by two ways
    return [_file(where, info, info.path.removeprefix(root).lstrip("/")) for info in found.values()]


def _walk(where: FilePlace, folder: str, pattern: Sequence[str]) -> Iterator[pafs.FileInfo]:
    part, rest = pattern[0], pattern[1:]
    if part == "**" and rest:
        yield from _walk(where, folder, rest)
    for info in where.fs.get_file_info(pafs.FileSelector(folder, allow_not_found=True)):
        if not _matches(info.base_name, "*" if part == "**" else part):
            continue
        if info.type == pafs.FileType.File and not rest:
            yield info
        elif info.type == pafs.FileType.Directory and part == "**":
            if not is_link(where, info.path):
                yield from _walk(where, info.path, pattern)
        elif info.type == pafs.FileType.Directory and rest:
            yield from _walk(where, info.path, rest)


def _matches(name: str, part: str) -> bool:
    hidden = name.startswith((".", "_")) and name[0] != part[0]
    return not hidden and fnmatch.fnmatchcase(name, part)


def _nearest(where: FilePlace) -> str:
    try:
        beside = where.fs.get_file_info(pafs.FileSelector(parent(where.path), allow_not_found=True))
    except (OSError, pa.ArrowException):  # the parent of a bucket: not ours to list
        return ""
    names = {info.base_name: info.path for info in beside}
    near = nearest(where.path.rpartition("/")[2], names, cutoff=0.6)
    return "" if near is None else f" Did you mean {where.url(names[near])!r}?"
