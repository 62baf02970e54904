"""A test's end of `ray_nodes`: the cluster is started once, and asked to do things to its nodes."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

SCRIPT = Path(__file__).with_name("ray_nodes.py")
ROOT = Path(__file__).parents[2]


class RayCluster:
    """`address` is its head's, `environ` what its users have in their environment."""

    def __init__(self, process, environ):
        self._process = process
        self.environ = environ
        self.pid = process.pid
        self.address = self._answer()["address"]

    def ask(self, word, *arguments):
        self._process.stdin.write(json.dumps([word, *arguments]) + "\n")
        self._process.stdin.flush()
        return self._answer()[word]

    def _answer(self):
        line = self._process.stdout.readline()
        assert line, "the cluster has ended"
        return json.loads(line)


def ray_environ(folder):
    """What Ray writes goes there; what it would say of its use to others is not said."""
    home = Path(folder, "home")
    home.mkdir(exist_ok=True)
    return {"HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}


@contextmanager
def ray_cluster(folder, nodes=2, **environ):
    """A cluster with so many nodes of two CPUs each."""
    env = {**os.environ, **ray_environ(folder), **environ}
    env["RAY_TMPDIR"] = str(folder)  # else it writes to a /tmp/ray that need not be there
    with Path(folder, "nodes.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    try:
        cluster = RayCluster(process, ray_environ(folder))
        cluster.nodes = [cluster.ask("add") for _ in range(nodes)]
        yield cluster
    finally:
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
