"""Which files the input is: a file, a folder or a glob → its files in order, and one hash of them all.

The same rules hold on a disk and in a bucket. Hidden files, and those that begin with _ or ., are no input.
"""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace
from pyarrow import fs as pafs

from pipeline.documents.sources.filesystems import FilePlace, Places, is_link, parent, place
from pipeline.documents.sources.listing import (
    FILE,
    FOLDER,
    NOWHERE,
    Found,
    found_at,
    found_in,
    given_in,
    is_local,
    is_utf_8,
    readable_name,
)
from pipeline.errors import JobError
from pipeline.job.folder import GIVEN_PATHS
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
WEB = re.compile(r"(?:^|/)https?:/")
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
    return _readable(path, _listed(path), tables_only=tables_only)


def left_out(path: str, taken: Iterable[File]) -> list[str]:
    """Names of the files that `path` names, too, and that are no input, sorted.

    Raises:
        JobError: they cannot be listed.
    """
    return sorted({file.name for file in _listed(path)} - {file.name for file in taken})


def _listed(path: str) -> list[File]:
    where = place(path)
    try:
        found = found_at(where, where.path)
        if found.kind == FILE and found.base_name == GIVEN_PATHS and is_local(where.fs):
            given = given_in(where.path)
            return [replace(_file(where, one, name), format=DOCUMENT, compression=None) for name, one in given]
        if found.kind == FILE:
            files = [_file(where, found, found.base_name)]
        elif found.kind == FOLDER:
            files = _below(where, where.path, ("**", "*"))
        elif MAGIC.intersection(where.path):
            root, pattern = _split(where.path)
            files = _below(where, root, pattern)
        else:
            raise JobError(f"input.path = {path!r}: {_is_nothing(where, found)}")
    except (OSError, pa.ArrowException) as error:
        raise JobError(f"{path}: cannot be listed: {error}") from None
    return files


def fingerprint(files: Sequence[File], named: Iterable[str] = ()) -> str:
    """blake2b-128 over names, sizes, times of change, and both ends of every file; and over what is `named` by them.

    Of documents in a bucket no ends: that were a request for each, and a row goes by its content.

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
    return name.startswith(REMOTE) or ("://" not in name and not is_local(table.fs))


def _near(table: File, name: str) -> str:
    try:
        found = Path(table.path).parent.joinpath(name).stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def unreadable(file: File, error: BaseException) -> JobError:
    return JobError(f"{file.url}: cannot be read: {error}")


def _edges(file: File) -> str:
    """Of a document in a bucket, or one that cannot be opened, "": its row says why, and no other row pays for it."""
    if file.format == DOCUMENT:
        return _edges_on_disk(file) if is_local(file.fs) else ""
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


def _edges_on_disk(file: File) -> str:
    digest = blake2b(digest_size=DIGEST_BYTES)
    try:
        if not Path(file.path).is_file():
            return ""
        with open(file.path, "rb", buffering=0) as stream:  # noqa: PTH123 (a name need not be UTF-8)
            digest.update(stream.read(EDGE_BYTES))
            if file.size > EDGE_BYTES:
                stream.seek(max(EDGE_BYTES, file.size - EDGE_BYTES))
                digest.update(stream.read(EDGE_BYTES))
    except OSError:
        return ""
    return digest.hexdigest()


def _file(where: FilePlace, found: Found, path: str) -> File:
    name = readable_name(path)
    kind, compression = ENDINGS.get(_ending(name), (DOCUMENT, None) if _may_be_document(name) else ("", None))
    if kind not in {"", DOCUMENT} and not is_utf_8(found.path):
        raise JobError(f"{readable_name(found.path)}: the name of a table has to be UTF-8: rename it, or its folder")
    url = where.url(readable_name(found.path))
    return File(where.fs, found.path, name, url, found.size, found.mtime_ns, kind, compression)


def _may_be_document(name: str) -> bool:
    return name.lower().endswith(DOCUMENT_ENDINGS)


def _is_nothing(where: FilePlace, found: Found) -> str:
    if WEB.search(where.path):
        return "nothing is read from the web. Fetch it, and name the file"
    if found.kind != NOWHERE:
        return "it is a pipe, a socket or a device, and no file"
    if is_link(where, found.path):
        return "it is a link to nothing"
    return f"there is nothing.{_nearest(where)}"


def _ending(name: str) -> str:
    lower = name.lower()
    return next((ending for ending in ENDINGS if lower.endswith(ending)), "")


def _readable(path: str, files: Sequence[File], *, tables_only: bool) -> tuple[File, ...]:
    beside_tables = any(file.format in {"jsonl", "parquet"} for file in files)  # what lies there in words is no input
    kept = [file for file in files if file.format and not _passed_over(file, beside_tables, tables_only)]
    if not path.endswith(f"/{GIVEN_PATHS}"):
        kept.sort(key=lambda file: file.name)
    if not kept:
        found = f"none of its {len(files)} files ends" if files else "there is no file that ends"
        if len(files) == 1:
            found = f"{files[0].name!r} does not end"
        if tables_only and any(file.format == DOCUMENT for file in files):
            told = "it has documents and no table that could name them. Leave input.document out: each file is a row"
            raise JobError(f"input.path = {path!r}: {told}")
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
    files = {found.path: found for found in _walk(where, root, pattern)}  # ** can come to a file by two ways
    return [_file(where, found, found.path.removeprefix(root).lstrip("/")) for found in files.values()]


def _walk(where: FilePlace, folder: str, pattern: Sequence[str]) -> Iterator[Found]:
    """Files; and what a row can tell of that is called like a document and is none: a pipe, a link to nothing."""
    part, rest = pattern[0], pattern[1:]
    if part == "**" and rest:
        yield from _walk(where, folder, rest)
    for found in found_in(where, folder):
        if not _matches(found.base_name, "*" if part == "**" else part):
            continue
        if found.kind != FOLDER:
            if not rest and (found.kind == FILE or _may_be_document(found.base_name)):
                yield found
        elif part == "**":
            if not is_link(where, found.path):
                yield from _walk(where, found.path, pattern)
        elif rest:
            yield from _walk(where, found.path, rest)


def _matches(name: str, part: str) -> bool:
    hidden = name.startswith((".", "_")) and name[0] != part[0]
    return not hidden and fnmatch.fnmatchcase(name, part)


def _nearest(where: FilePlace) -> str:
    try:
        beside = list(found_in(where, parent(where.path)))
    except (OSError, pa.ArrowException):  # the parent of a bucket: not ours to list
        return ""
    names = {found.base_name: found.path for found in beside if is_utf_8(found.path)}
    near = nearest(where.path.rpartition("/")[2], names, cutoff=0.6)
    return "" if near is None else f" Did you mean {where.url(names[near])!r}?"
