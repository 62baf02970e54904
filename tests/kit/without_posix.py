"""A Python as on Windows, as far as that can be had elsewhere: put on the path as `sitecustomize`, it hides POSIX.

Child processes get it too. Locks are Windows' by name, and the kernel's own in truth.
"""

import asyncio
import fcntl
import os
import select
import signal
import subprocess
import sys
import types

MODULES = {"fcntl", "resource", "termios", "pwd", "grp", "uvloop"}
OF_OS = "O_DIRECTORY O_CLOEXEC O_NONBLOCK O_NOCTTY pread pwrite posix_fallocate sched_getaffinity execve fork killpg"
popen = subprocess.Popen.__init__


class Hidden:
    @staticmethod
    def find_spec(name, _path=None, _target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def locking(descriptor, how, _bytes):
    try:
        fcntl.lockf(descriptor, how, 1, os.lseek(descriptor, 0, os.SEEK_CUR))
    except BlockingIOError as error:
        raise PermissionError(error.errno, error.strerror) from None


def as_on_windows(self, *words, pass_fds=(), **more):
    assert not pass_fds, "pass_fds not supported on Windows."
    popen(self, *words, **more)


def no_handlers(*_):
    raise NotImplementedError


kinds = {"LK_LOCK": fcntl.LOCK_EX, "LK_NBLCK": fcntl.LOCK_EX | fcntl.LOCK_NB, "LK_UNLCK": fcntl.LOCK_UN}
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
vars(sys.modules["msvcrt"]).update(kinds, locking=locking)
asyncio.SelectorEventLoop.add_signal_handler = asyncio.SelectorEventLoop.remove_signal_handler = no_handlers
subprocess.Popen.__init__ = as_on_windows
for owner, names in ((os, OF_OS), (select, "poll epoll"), (signal, "SIGHUP SIGKILL SIGSTOP")):
    for name in names.split():
        if hasattr(owner, name):
            delattr(owner, name)
for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden)
