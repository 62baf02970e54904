"""How a process of a run is set up: its event loop, when Python looks for garbage, and pyarrow without pandas."""

import asyncio
import contextlib
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec

GARBAGE_OBJECTS = 20_000  # between two looks for cycles: a row in flight makes some hundred objects, and few cycles


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed (the extra `fast`), else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 (an extra)
    except ImportError:
        return None
    return uvloop.new_event_loop


def settle_garbage() -> None:
    """To be called when everything is imported: that lives as long as the process."""
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 20)


_quiet = threading.Lock()
_runs: list[tuple[int, int, int]] = []  # of runs at work in this process: what was set when each began


@contextlib.contextmanager
def seldom_garbage() -> Iterator[None]:
    """Python looks for cycles as seldom as a run needs it, and as often as before once the last run here has ended."""
    with _quiet:
        _runs.append(gc.get_threshold() if not _runs else _runs[0])
        if 0 < _runs[0][0] < GARBAGE_OBJECTS:  # else the program has its own mind
            gc.set_threshold(GARBAGE_OBJECTS, 20, 20)
    try:
        yield
    finally:
        with _quiet:
            before = _runs.pop()
            if not _runs and gc.get_threshold() == (GARBAGE_OBJECTS, 20, 20):
                gc.set_threshold(*before)


class _Nowhere:
    """A finder that has the say before all others, and no pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not looked for now", name=name)
        return None


def spare_pandas() -> None:
    """Have pyarrow do without pandas: 0.15 s and 50 MB less.

    To ask whether a list is one of pandas' own things, pyarrow imports pandas where it is installed, and the answer is
    no. Asked beforehand while pandas cannot be found, it remembers that. Whoever needs pandas still gets it:
    `to_pandas` looks again. To be called before the first `pa.array`, and after the user's modules are loaded: what
    they import stays.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa  # noqa: PLC0415 (0.1 s: most of what uses this module needs only a loop)

    sys.meta_path.insert(0, _Nowhere)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_Nowhere)
