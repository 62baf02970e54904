"""`python -m pipeline.engine.workers DESCRIPTOR`: a worker of a run, started by it."""

import asyncio
import gc
import sys

from pipeline.console import speak
from pipeline.engine.workers.process import live
from pipeline.runtime import loop_factory, settle_garbage

if __name__ == "__main__":
    speak("text")
    settle_garbage()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(live(int(sys.argv[1])))
    gc.disable()
    sys.exit(code)
