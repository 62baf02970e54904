"""Which flags a run had that say where it is: the command that goes on from it needs them."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import JobError
from pipeline.job.file import load

PLACES = {"input": "input_path", "output": "output_path"}


def flags_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """For `command_line`; `job` is run.json's. Not those of `--set`: a run that misses them says so before it sends."""
    try:
        in_file = load(job["file"]).as_dict()
    except JobError:
        in_file = {}
    flags = {"limit": job["limit_rows"]}
    for section, flag in PLACES.items():
        path = job[section]["path"]
        if in_file.get(section, {}).get("path") != path:
            flags[flag] = path
    return flags
