"""Whatever a terminal, a pipe or a locale can write: what it cannot is written as escapes, and ends nothing."""

import codecs
import os
import sys
from collections.abc import Sequence
from typing import IO

import click

UTF8_MODE = "PYTHONUTF8"


def in_utf8() -> None:
    """Start over in Python's UTF-8 mode where the locale would have paths be ASCII: files may have any name."""
    if not _is_utf8(sys.getfilesystemencoding()) and os.environ.get(UTF8_MODE) != "1":
        words = [sys.executable, "-m", "pipeline", *sys.argv[1:]]
        os.execve(sys.executable, words, {**os.environ, UTF8_MODE: "1"})  # noqa: S606 (this very program)


def writable() -> None:
    """Standard output and standard error that take any text."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def in_unicode(stream: IO[str]) -> bool:
    """Whether all of Unicode can be written to it, as JSON is to be."""
    return _is_utf8(getattr(stream, "encoding", None) or "ascii")


def require_utf8(words: Sequence[str]) -> None:
    """Refuse arguments whose bytes are no text: the ledger and run.json, which name them, could not be written."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            told = f"{word!r} is not valid UTF-8. Rename the file, or use a terminal in UTF-8"
            raise click.UsageError(told) from None


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"
