"""How a process of a run is set up: its event loop, and when Python looks for garbage."""

import asyncio
import gc
from collections.abc import Callable

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
