"""`pipeline --version --json`: what this installation stands on, for a report of a fault."""

import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from pipeline import __version__

DISTRIBUTION = "ledger-pipeline"
NAME = re.compile(r"[\w.-]+")


def versions() -> dict[str, Any]:
    """Of the package, of Python, and of each package that is installed of those that ours names, extras too."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "packages": {name: found for name in _named() if (found := _of(name)) is not None},
    }


def _named() -> list[str]:
    try:
        lines = [line for line in requires(DISTRIBUTION) or () if "extra == 'dev'" not in line.replace('"', "'")]
    except PackageNotFoundError:  # run from a folder, not installed
        return []
    return sorted({found[0] for line in lines if (found := NAME.match(line))} - {DISTRIBUTION})


def _of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
