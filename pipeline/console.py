"""The one way to standard error while a run goes on: lines for people, one JSON object a line, or nothing at all.

A program that imports us hears nothing until it, or our command line, has called `speak`.

A terminal that is gone must not cost a run: what cannot be written is not written.
"""

import atexit
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_format = "off"
_here: ContextVar[str | None] = ContextVar("format", default=None)  # of one run of several in a process


def speak(log_format: str) -> None:
    """`text`, `json` or `off`, for the rest of the process."""
    global _format  # noqa: PLW0603 (one standard error, one format)
    _format = log_format
    _here.set(None)


@contextlib.contextmanager
def speaking(log_format: str) -> Iterator[None]:
    """As `speak`, for a while, and for what is called from here: other threads of the process say what they did."""
    token = _here.set(log_format)
    try:
        yield
    finally:
        _here.reset(token)


def as_here(work: Callable[..., T]) -> Callable[..., T]:
    """`work` for another thread, which is to say what this one does."""
    return partial(copy_context().run, work)


def in_json() -> bool:
    return _spoken() == "json"


def _spoken() -> str:
    return _here.get() or _format


@contextlib.contextmanager
def own_stdout() -> Iterator[None]:
    """Where the process is ours, standard output is the command's answer: what else is printed goes beside it."""
    if _format == "off":
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def say(event: str, message: str, **fields: Any) -> None:  # noqa: ANN401 (any JSON value)
    """One line: a `warning` or `notice` with its message. `fields` are told in JSON only."""
    if in_json():
        emit({"event": event, "at": _now(), "message": message, **fields})
    else:
        write(f"{event}: {message}\n" if event == "warning" else f"{message}\n")


def emit(value: dict[str, Any]) -> None:
    """One JSON line."""
    unicode = (getattr(sys.stderr, "encoding", None) or "").lower().replace("-", "") == "utf8"
    write(json.dumps(value, ensure_ascii=not unicode, default=str) + "\n")


def write(text: str) -> None:
    if _spoken() == "off":
        return
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def own_stderr() -> None:
    """For a process that is ours: when it ends, what nobody reads any more is no failure."""
    atexit.register(_let_go)


def _let_go() -> None:
    """Drop what could not be written: Python would try once more at its end, and exit with 120 for it."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
