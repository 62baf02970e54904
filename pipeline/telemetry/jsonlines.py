"""One JSON line for every call, on standard error: the fields of calls.parquet, and when."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.console import emit
from pipeline.job.settings import Job
from pipeline.ledger.records import Call
from pipeline.output.manifest import Manifest
from pipeline.telemetry.fields import call_fields
from pipeline.types import Outcome


class CallLines:
    """Lines whose `event` is `call`."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def called(self, call: Call) -> None:
        sent = datetime.fromtimestamp(call.send.sent_us / 1e6, UTC).isoformat(timespec="milliseconds")
        fields = {"event": "call", "sent_at": sent, **call_fields(call, self._job)}
        emit(fields)

    def concluded(self, outcome: Outcome) -> None:
        """Outcomes are in results.parquet."""

    def looked(self, rows_total: int, in_flight: int, batches_out: int = 0) -> None:
        """Progress has lines of its own."""

    def worked(self, workers: Sequence[Mapping[str, Any]]) -> None:
        """Those lines have them."""

    def ended(self, manifest: Manifest) -> None:
        """The summary has its own line."""
