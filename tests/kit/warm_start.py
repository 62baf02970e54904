"""`python -m pipeline` and its like as processes that need no start of an interpreter: see warm_interpreter.py.

Each has an id, standard streams, an environment, signals, an exit code and a death of its own. What such a process
does not show is how an interpreter starts: `JobFolder.start(fresh=True)`, and whatever is not on Linux, does.
"""

import atexit
import contextlib
import functools
import marshal
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

INTERPRETER = Path(__file__).with_name("warm_interpreter.py")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}  # for the fork
# Stands in for sys.executable where the command starts processes: asks for one, and ends as that one does.
# A shell reads its first lines, for the path of an interpreter may be too long for a #!, or have blanks.
LAUNCHER = """#!/bin/sh
''':'
exec {quoted} -IS "$0" "$@"
'''
import os, sys
words = sys.argv[1:]
safe_path = words[:1] == ["-P"]
rest = words[safe_path:]
if rest[:1] == ["-m"] and rest[1].startswith("pipeline"):
    import _socket, array, marshal  # `socket` and `json` would take as long as all the rest
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    numbers = [number for number in numbers if number < 3 or os.path.exists(f"/proc/self/fd/{{number}}")]
    asker = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    asker.connect({door!r})
    ask = {{"module": rest[1], "arguments": rest[2:], "cwd": os.getcwd(), "env": dict(os.environ), "numbers": numbers,
            "safe_path": safe_path, "executable": sys.argv[0]}}
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", numbers))
    asker.sendmsg([marshal.dumps(ask)], [rights])
    if asker.recv(20) != b"no":
        for number in numbers:
            os.close(number)
        code = int(asker.recv(20))
        if code < 0:
            os.kill(os.getpid(), -code)
        os._exit(code)
os.execv({python!r}, [{python!r}, *words])
"""


class Warm:
    """A process of the command; to who has it a `subprocess.Popen` with text pipes, as far as tests go."""

    def __init__(self, arguments, *, cwd, env):
        """Raises ValueError where the environment wants an interpreter of its own."""
        home = _waiting()
        out, err = os.pipe(), os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        theirs = [nothing, out[1], err[1]]
        ask = {"module": "pipeline", "arguments": [*map(str, arguments)], "cwd": str(cwd), "env": env,
               "numbers": [0, 1, 2], "safe_path": False, "executable": str(home / "python")}  # fmt: skip
        self.stdout, self.stderr = os.fdopen(out[0]), os.fdopen(err[0])
        self._asker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asker.connect(str(home / "door"))
        socket.send_fds(self._asker, [marshal.dumps(ask)], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        self.pid = int(self._asker.recv(20))
        self.returncode = None

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            with selectors.DefaultSelector() as ended:
                ended.register(self._asker, selectors.EVENT_READ)
                if not ended.select(timeout):
                    raise subprocess.TimeoutExpired("pipeline", timeout)
            self.returncode = int(self._asker.recv(20))
            self._asker.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout=None):
        """What it says to its end, both ways at once."""
        said = {}
        pipes = (self.stdout, self.stderr)
        readers = [threading.Thread(target=lambda pipe=pipe: said.update({pipe: pipe.read()})) for pipe in pipes]
        for reader in readers:
            reader.daemon = True
            reader.start()
        for reader in readers:
            reader.join(timeout)
        self.wait(0 if any(reader.is_alive() for reader in readers) else timeout)
        for pipe in pipes:
            pipe.close()
        return said[self.stdout], said[self.stderr]


def launcher():
    """What to start `-m pipeline...` with in place of sys.executable."""
    return str(_waiting() / "python") if sys.platform == "linux" else sys.executable


@functools.cache
def _waiting():
    """The folder of the interpreter that waits: one for all tests of this process. It ends when we do."""
    home = Path(tempfile.mkdtemp(prefix="warm-"))
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(str(home / "door"))
    door.listen(100)
    ours, theirs = socket.socketpair()
    env = {**os.environ, **ONE_THREAD}
    env.pop("PYTHONUNBUFFERED", None)
    kept = [door.fileno(), theirs.fileno()]
    process = subprocess.Popen(
        [sys.executable, "-P", INTERPRETER, *map(str, kept), home],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # as its children have it: Python looks whether it is a terminal, or a file
        stderr=subprocess.PIPE,
        env=env,
        pass_fds=kept,
        start_new_session=True,
    )
    door.close()
    theirs.close()
    (home / "python").write_text(
        LAUNCHER.format(python=sys.executable, quoted=shlex.quote(sys.executable), door=str(home / "door"))
    )
    (home / "python").chmod(0o700)

    def end():
        ours.close()
        sys.stderr.write(process.communicate()[1].decode())

    atexit.register(end)
    return home
