"""What a provider's batch API has of its own: its lines, both ways, and its errors."""

from typing import Any, Protocol

from msgspec import Struct

from pipeline.sandbox.batches.store import Batch, Fate
from pipeline.sandbox.exchange import Received, Refused, Wire

NO_LINE = object()  # nothing is told of it


class Asked(Struct, frozen=True):
    """A line as the live call that it stands for."""

    wire: Wire
    received: Received


class Ran(Struct, frozen=True):
    """What became of a line. `body`: of the answer or error, where it was run. `null`: nothing is to be told."""

    fate: Fate
    tag: str
    status: int = 0
    body: Any = None
    null: bool = False


class Endpoint(Protocol):
    """What answers requests, with errors of its own."""

    name: str

    def authorise(self, received: Received) -> None:
        """Raises Refused."""
        ...

    def refusal(self, status: int, message: str) -> Refused: ...


class Dialect(Endpoint, Protocol):
    """Pure."""

    def name_of(self, line: bytes) -> Any:  # noqa: ANN401 (as it was given)
        """What names the line in its results."""
        ...

    def asked(self, batch: Batch, line: bytes) -> Asked:
        """Raises Refused for what is no call in a batch."""
        ...

    def told(self, name: Any, ran: Ran) -> tuple[bool, Any]:  # noqa: ANN401
        """(whether it goes to the file of errors, where there is one; the line, or NO_LINE)."""
        ...
