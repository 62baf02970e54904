"""JSON lines → records: one object a line, read as bytes, one line in memory at a time.

Every line that is not blank is exactly one record or one stated problem; nothing is skipped, guessed or joined.
"""

import io
from collections.abc import Generator, Iterator
from typing import Any

import orjson
import pyarrow as pa

from pipeline.documents.sources.column_types import described
from pipeline.documents.sources.files import File, unreadable
from pipeline.errors import JobError

MAX_LINE_BYTES = 64 * 1024 * 1024
BLOCK_BYTES = 256 * 1024
BOM = b"\xef\xbb\xbf"
SNIPPET_CHARS = 16


def lines(file: File, max_line_bytes: int, *, blank: bool = False) -> Generator[tuple[int, bytes | None], None, None]:
    """(number from 1, line) of every line that is not blank; None for one that is too long, which is never held.

    `blank`: those that are, too.

    Raises:
        JobError: the file cannot be read to its end.
    """
    number = rows = 0
    try:
        stream = io.BufferedReader(file.fs.open_input_stream(file.path, compression=file.compression), BLOCK_BYTES)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(file, error) from None
    with stream:
        while True:
            number += 1
            try:
                line = stream.readline(max_line_bytes + 1)
                too_long = len(line) > max_line_bytes and line[-1:] != b"\n"
                if too_long:
                    _skip_line(stream)
            except (OSError, pa.ArrowException) as error:
                raise JobError(
                    f"{file.url}: cannot be read past row {rows} (line {number}): {error}. "
                    "It is cut off or damaged; replace it and run again"
                ) from None
            if not line:
                return
            if number == 1:
                line = line.removeprefix(BOM)
            if too_long:
                rows += 1
                yield number, None
            elif line and (blank or not line.isspace()):
                rows += 1
                yield number, line


def records(file: File, max_line_bytes: int) -> Iterator[tuple[int, dict[str, Any] | str, bytes]]:
    """(number, object, line) of every line that is not blank; in place of an object, what is wrong with the line."""
    loads = orjson.loads
    for number, line in lines(file, max_line_bytes):
        if line is None:
            yield number, f"the line is longer than {max_line_bytes} bytes", b""
            continue
        try:
            value = loads(line)
        except orjson.JSONDecodeError:
            yield number, _reason(line), line
            continue
        if type(value) is dict:
            yield number, value, line
        else:
            yield number, f"the line holds {described(value)}, not an object", line


def _skip_line(stream: io.BufferedReader) -> None:
    while (part := stream.readline(BLOCK_BYTES)) and part[-1:] != b"\n":
        pass


def _reason(line: bytes) -> str:
    """The parser's words, with the column in bytes from 1 and what stands there."""
    try:
        line.decode()
        orjson.loads(line.rstrip(b"\r\n"))  # again: a line end within quotes would hide that the line is cut off
    except UnicodeDecodeError as error:
        return f"invalid UTF-8: {error.reason} at byte {error.start + 1}"
    except orjson.JSONDecodeError as error:
        column = len(error.doc[: error.pos].encode()) + 1
        here = error.doc[error.pos : error.pos + SNIPPET_CHARS].rstrip()
        return f"not valid JSON: {error.msg} at byte {column}" + (f": {here!r}" if here else "")
    return "not valid JSON"
