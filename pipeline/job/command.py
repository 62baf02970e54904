"""The command line that does a thing again: what is printed for people to paste. Pure."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def command_line(verb: str, job_file: str | Path, overrides: Mapping[str, Any]) -> str:
    """The command that does `verb` with these flags, by their names in click."""
    flags = (
        ("--input", "input_path"),
        ("--output", "output_path"),
        ("--limit", "limit"),
        ("--max-usd", "max_usd"),
        ("--on", "on"),
        ("--ray-address", "ray_address"),
    )
    words = ["pipeline", verb, str(job_file)]
    for flag, name in flags:
        if overrides.get(name) is not None:
            words += [flag, str(overrides[name])]
    for text in overrides.get("sets", ()):
        words += ["--set", text]
    words += ["--yes"] if overrides.get("yes") else []
    return shlex.join(words)
