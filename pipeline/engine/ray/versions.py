"""What both ends of a run on a cluster have to be made of alike."""

import platform
from collections.abc import Mapping

import msgspec

import pipeline

NAMES = {"pipeline": "ledger-pipeline", "python": "Python", "msgspec": "msgspec"}


def versions() -> dict[str, str]:
    return {"pipeline": pipeline.__version__, "python": platform.python_version(), "msgspec": msgspec.__version__}


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """What is not alike, in words; "" where all is."""
    other = [name for name in ours if ours[name] != theirs.get(name)]
    told = [f"{NAMES[name]} {theirs.get(name, 'unknown')} (here {ours[name]})" for name in other]
    return ", ".join(told)
