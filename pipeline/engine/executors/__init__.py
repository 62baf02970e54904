"""Who carries the rows of a run: this process (`local`), several (`processes`), or machines. The engine knows none."""

from typing import Protocol

from msgspec import Struct, field

from pipeline.engine.feed import Selection
from pipeline.errors import JobError


class RunIssues(Struct):
    """What has come in the way of a run, found by whoever carried its rows."""

    input: JobError | None = None  # the input could not be read to its end
    bug: Exception | None = None
    machine: Exception | None = None  # what it did not give, so that not every row of the input was entered
    over_budget: dict[str, str] = field(default_factory=dict)  # tenant → why its rows are left for another day


class Executor(Protocol):
    """Every chosen row to its outcome on the ledger, each call admitted by the run's one governor."""

    @property
    def issues(self) -> RunIssues: ...

    async def work(self, selection: Selection) -> None:
        """Return when every row is done, or as far as a stopped run lets it be; cancelled, cut what is open."""
        ...

    def widen(self, calls: int) -> None:
        """Make room for as many rows at once as that many calls need; never less than before."""
        ...
