"""What both ends of a run on a cluster have to be made of alike."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import msgspec

import pipeline

NAMES = {"pipeline": "ledger-pipeline", "python": "Python"}
OF_FILES = ("pypdfium2", "pillow", "pillow-heif", "rapidocr")  # what a file is read with: another may find other words
NONE = "none"


def versions(*, documents: bool) -> dict[str, str]:
    """`documents`: with what reads files; that has no part in a job over tables."""
    ours = {"pipeline": pipeline.__version__, "python": platform.python_version(), "msgspec": msgspec.__version__}
    return ours | ({name: _version(name) for name in OF_FILES} if documents else {})


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """What of ours is not alike, in words; "" where all is."""
    other = [name for name in ours if ours[name] != theirs.get(name)]
    told = [f"{NAMES.get(name, name)} {theirs.get(name, 'unknown')} (here {ours[name]})" for name in other]
    return ", ".join(told)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return NONE
