"""The command that goes on from a run: with the places that its own flags named, and the job file does not."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import JobError
from pipeline.job_file import load

PLACES = (("--input", "input"), ("--output", "output"))


def flags_of(job: Mapping[str, Any]) -> list[str]:
    """`job`: of run.json. Settings of `--set` are not among them: a run that misses them says so before it sends."""
    try:
        in_file = load(job["file"]).as_dict()
    except JobError:
        in_file = {}
    words = []
    for flag, section in PLACES:
        path = job[section]["path"]
        if in_file.get(section, {}).get("path") != path:
            words += [flag, path]
    return words if job["limit_rows"] is None else [*words, "--limit", str(job["limit_rows"])]
