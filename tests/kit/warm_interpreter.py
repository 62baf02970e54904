"""An interpreter that has imported everything and waits: each process that is asked of it is forked, in a hundredth.

`python -P warm_interpreter.py DOOR LIFE HOME`: two open sockets, one that listens and one that its owner holds, and the
folder that is to go with it.

Each asker has a connection. It says what is to run (in `marshal`: it shall import little for it) and hands over its
descriptors; it is told the process's id and, at its end, the exit code as `subprocess` has it. A process whose asker is
gone is killed, as it would be itself.
"""

import contextlib
import fcntl
import gc
import importlib
import marshal
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
from pathlib import Path

PRELOADED = (
    "pipeline.cli", "pipeline.engine.run", "pipeline.commands.consent.rehearse", "pipeline.commands.consent.changes",
    "pipeline.commands.estimate.compare", "pipeline.commands.status", "pipeline.documents.token_pool",
    "pipeline.engine.workers.process", "pipeline.output.publish", "pipeline.providers.openai.wire",
    "pipeline.providers.openai.stream", "pipeline.sandbox.server", "genai_prices.data", "encodings.idna",
)  # fmt: skip
OF_EXTRAS = ("pypdfium2_raw", "PIL.Image")
MESSAGE_BYTES, DESCRIPTORS = 200_000, 32
HIGH = 1000  # above all descriptors that somebody asks for
SEEN_AT_START = ("PYTHON", "LC_", "LANG", "TZ")  # variables that only an interpreter that starts looks at
NOT_SEEN = {"PYTHONPATH", "PYTHONUNBUFFERED"}  # the first is obeyed all the same; nobody has the other one here


def alike(env):
    """Whether an interpreter of this environment would have started as this one did."""
    names = {name for name in {*env, *os.environ} if name.startswith(SEEN_AT_START)} - NOT_SEEN
    return all(env.get(name) == os.environ.get(name) for name in names)


class Waiting:
    """Who listens, and who waits for which process."""

    def __init__(self, door, life):
        self._door, self._life = door, life
        self._events = selectors.DefaultSelector()
        self._children = {}  # what is waited for → connection, process id, its handle
        for waited in (door, life):
            self._events.register(waited, selectors.EVENT_READ)

    def asked(self):
        """What this process, forked, is to become: the ask and its descriptors. None once the owner is gone."""
        while True:
            waited = self._events.select()[0][0].fileobj  # one at a time: the next may be another one's by then
            if waited is self._life:
                return None
            if waited is not self._door:
                self._ended(waited)
            elif (found := self._forked(self._door.accept()[0])) is not None:
                return found

    def _forked(self, connection):
        message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, DESCRIPTORS)
        ask = marshal.loads(message) if message else {}
        if not ask or not alike(ask["env"]):
            _told(connection, b"no")
            connection.close()
        elif pid := os.fork():
            _told(connection, b"%d" % pid)
            child = (connection, pid, os.pidfd_open(pid))
            for waited in (connection, child[2]):
                self._events.register(waited, selectors.EVENT_READ)
                self._children[waited] = child
        else:
            connection.close()
            self._close()
            return ask, descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _ended(self, waited):
        connection, pid, handle = self._children[waited]
        if waited is connection:
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for one in (connection, handle):
            self._events.unregister(one)
            del self._children[one]
        _told(connection, b"%d" % code)
        connection.close()
        os.close(handle)

    def _close(self):
        """What a child has no business with."""
        self._events.close()
        for one in (self._door, self._life, *self._children):
            os.close(one) if isinstance(one, int) else one.close()


def _told(connection, word):
    """Who asked may be gone; the others must not go with it."""
    with contextlib.suppress(OSError):
        connection.send(word)


def become(ask, descriptors):
    """The process that was asked for, up to its first line."""
    kept = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, HIGH) for descriptor in descriptors]
    os.closerange(3, HIGH)
    for descriptor, number in zip(kept, ask["numbers"], strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    env, here = ask["env"], os.environ.get("PYTHONPATH", "")
    own = [folder for folder in sys.path if folder not in here.split(os.pathsep)]
    first = [] if ask["safe_path"] else [ask["cwd"]]
    sys.path[:] = [*first, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *own]
    os.chdir(ask["cwd"])
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = ask["arguments"]
    sys.executable = ask["executable"]
    importlib.reload(sys.modules["pipeline.crash_points"])  # which has read its variables


def preload():
    for name in PRELOADED:
        importlib.import_module(name)
    for name in OF_EXTRAS:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    sys.modules["pipeline.documents.tokens"].vocabulary("o200k_base")
    threads = list(Path("/proc/self/task").iterdir())
    assert len(threads) == 1, f"{len(threads)} threads, of which a fork has one"
    gc.collect()
    gc.freeze()


def main(door, life, home):
    """Only in a child it returns something: the module that is to run."""
    preload()
    found = Waiting(socket.socket(fileno=int(door)), socket.socket(fileno=int(life))).asked()
    if found is None:
        shutil.rmtree(home)
        return None
    become(*found)
    return found[0]["module"]


if __name__ == "__main__":
    if _module := main(*sys.argv[1:]):
        runpy.run_module(_module, run_name="__main__", alter_sys=True)
