"""A command that spends money, as it was given."""

import shlex
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.console import in_json
from pipeline.job.command import command_line


class Command(Struct, frozen=True):
    """One command as it was given, to be carried out, and to be printed for the next time."""

    verb: str
    job_file: Path
    overrides: dict[str, Any]  # of the job, by `job_options`
    yes: bool
    as_json: bool
    yes_rerun: bool = False  # not repeated by itself: the job that goes on is no longer a changed one
    fresh: bool = False
    wait: bool = True
    where: str | None = None

    def again(self, verb: str, *, extra: str = "") -> str:
        """The command line of `verb` with the flags that this one had; starting over is not repeated by itself."""
        words = [command_line(verb, self.job_file, {**self.overrides, "yes": self.yes})]
        words += [f"--where {shlex.quote(self.where)}"] if self.where and verb == "retry" else []
        words += ["--log-format json"] if in_json() else []
        words += ["--json"] if self.as_json else []
        return " ".join([*words, *extra.split()])
