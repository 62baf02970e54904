"""What other programs are told of a run while it goes on: OpenTelemetry, a Prometheus text file, JSON lines.

All of them see calls and outcomes as the ledger does, in the fields of calls.parquet: no prompt, document, answer or
key is in any. None of them can end a run: what fails is told once, on standard error, and is then left alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pipeline.console import say
from pipeline.job.settings import Job
from pipeline.ledger.records import Call
from pipeline.output.manifest import Manifest
from pipeline.types import Outcome

OTLP_VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


class Observer(Protocol):
    """Told of a run from the event loop; to return at once."""

    def called(self, call: Call) -> None: ...

    def concluded(self, outcome: Outcome) -> None: ...

    def looked(self, rows_total: int, in_flight: int, batches_out: int = 0) -> None:
        """Now and then, a few times a second at most."""
        ...

    def worked(self, workers: Sequence[Mapping[str, Any]]) -> None:
        """About once a second, of a job that has workers: what each has done so far, as run.json tells it."""
        ...

    def ended(self, manifest: Manifest) -> None:
        """Once, with run.json; in a thread of its own."""
        ...


class Observers:
    """All observers of a run as one, and the boundary that none of their errors passes."""

    def __init__(self, observers: list[Observer]) -> None:
        self._observers = observers

    @property
    def wanted(self) -> bool:
        """Whether anybody looks."""
        return bool(self._observers)

    def called(self, call: Call) -> None:
        self._tell(lambda observer: observer.called(call))

    def concluded(self, outcome: Outcome) -> None:
        self._tell(lambda observer: observer.concluded(outcome))

    def looked(self, rows_total: int, in_flight: int, batches_out: int = 0) -> None:
        self._tell(lambda observer: observer.looked(rows_total, in_flight, batches_out))

    def worked(self, workers: Sequence[Mapping[str, Any]]) -> None:
        self._tell(lambda observer: observer.worked(workers))

    def ended(self, manifest: Manifest) -> None:
        self._tell(lambda observer: observer.ended(manifest))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        if not self._observers:
            return
        for observer in tuple(self._observers):
            try:
                tell(observer)
            except Exception as error:  # noqa: BLE001 (the boundary: a broken collector must not cost a run)
                self._observers.remove(observer)
                say("warning", f"{type(observer).__name__} is switched off for this run: {error}")


def telemetry_for(job: Job, environ: Mapping[str, str], *, log_calls: bool = False) -> Observers:
    """The observers that the job and the environment ask for."""
    observers: list[Observer] = []
    if job.telemetry.prometheus_file:
        from pipeline.telemetry.prometheus import PrometheusFile  # noqa: PLC0415 (only where asked for)

        observers.append(PrometheusFile(job))
    if any(environ.get(name) for name in OTLP_VARIABLES) and environ.get("OTEL_SDK_DISABLED", "").lower() != "true":
        observers += _otel(job)
    if log_calls:
        from pipeline.telemetry.jsonlines import CallLines  # noqa: PLC0415 (only where asked for)

        observers.append(CallLines(job))
    return Observers(observers)


def _otel(job: Job) -> list[Observer]:
    try:
        from pipeline.telemetry.otel import OpenTelemetry  # noqa: PLC0415 (an extra)
    except ImportError:
        say(
            "warning",
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed. "
            "Install it:  pip install 'ledger-pipeline[otel]'",
        )
        return []
    return [OpenTelemetry(job)]
