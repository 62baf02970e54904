"""`python -m pipeline.workers DESCRIPTOR`: a worker of a run, started by it."""

import asyncio
import gc
import sys

from pipeline.loops import loop_factory, settle_garbage
from pipeline.workers.process import live

if __name__ == "__main__":
    settle_garbage()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(live(int(sys.argv[1])))
    gc.disable()
    sys.exit(code)
