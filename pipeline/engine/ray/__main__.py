"""`python -m pipeline.engine.ray DESCRIPTOR`: the bridge between a run and a Ray cluster, started by the run."""

import os
import sys

from pipeline.engine.ray.bridge import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]))
    os._exit(0)  # Ray's own threads are not waited for: what it started dies with this process
