"""OpenTelemetry traces and metrics by the GenAI semantic conventions, sent by OTLP over HTTP to where OTEL_* says.

One span for the run, and one for every call as its child, named `chat MODEL`; histograms of tokens and of duration.
Attribute names and bucket bounds: OpenTelemetry's semantic conventions for generative AI, 2026-10.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import asdict
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from pipeline import __version__
from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import Job
from pipeline.ledger.records import Call
from pipeline.output.manifest import Manifest
from pipeline.telemetry.batches import is_out
from pipeline.telemetry.workers import LOST, NodeFigures, by_node
from pipeline.types import Outcome

SCOPE = "ledger-pipeline"
TOKEN_BOUNDS = [float(4**power) for power in range(14)]
DURATION_BOUNDS_S = [0.01 * 2**power for power in range(14)]
FLUSH_MS = 10_000


class OpenTelemetry:
    """Spans are made when a call has ended, from the times that the ledger has."""

    def __init__(self, job: Job) -> None:
        self._job = job
        named: dict[str, AttributeValue] = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "pipeline"}
        resource = Resource.create({**named, "service.version": __version__})
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._meters = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
        self._meter = meter = self._meters.get_meter(SCOPE, __version__)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", explicit_bucket_boundaries_advisory=TOKEN_BOUNDS
        )
        self._duration_s = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", explicit_bucket_boundaries_advisory=DURATION_BOUNDS_S
        )
        self._tracer = self._spans.get_tracer(SCOPE, __version__)
        self._run = self._tracer.start_span(f"pipeline run {job.name}")
        self._parent = trace.set_span_in_context(self._run)
        self._common = _common(job)
        self._nodes: Sequence[NodeFigures] = ()
        self._over = False

    def called(self, call: Call) -> None:
        send, usage = call.send, call.usage
        error = {} if call.error_code is None else {"error.type": call.error_code}
        begin_ns = send.sent_us * 1000
        span = self._tracer.start_span(
            f"chat {self._job.model.name}",
            self._parent,
            SpanKind.CLIENT,
            {**self._common, **error, **_attributes(call)},
            start_time=begin_ns,
        )
        if call.error_code is not None:
            span.set_status(Status(StatusCode.ERROR, call.error_code))
        span.end(begin_ns + (call.latency_ms or 0) * 1_000_000)
        of = {**self._common, **error, **_of_response(call), "pipeline.lane": send.lane}
        if call.latency_ms is not None:
            self._duration_s.record(call.latency_ms / 1000, of)
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens:
                self._tokens.record(tokens, {**of, "gen_ai.token.type": kind})

    def concluded(self, outcome: Outcome) -> None:
        """Rows are counted on the run's span, at its end."""

    def looked(self, rows_total: int, in_flight: int, batches_out: int = 0) -> None:
        """Both providers export by themselves."""

    def worked(self, workers: Sequence[Mapping[str, Any]]) -> None:
        if not self._nodes:
            self._measure_nodes()
        self._nodes = by_node(workers)  # read from the exporter's thread: replaced as a whole

    def _measure_nodes(self) -> None:
        """Made with the first worker: a job without any exports none of them."""
        counter, gauge = self._meter.create_observable_counter, self._meter.create_observable_up_down_counter
        gauge("pipeline.node.workers", [self._each(lambda one: 0 if self._over else one.working)], "{worker}")
        counter("pipeline.node.workers_lost", [self._each(lambda one: one.lost)], "{worker}")
        counter("pipeline.node.rows", [self._each(lambda one: one.rows)], "{row}")
        counter("pipeline.node.calls", [self._each(lambda one: one.calls)], "{call}")
        counter("pipeline.node.cpu_time", [self._each(lambda one: one.cpu_s)], "s")

    def _each(self, of: Callable[[NodeFigures], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        job = self._job.name
        return lambda _: [Observation(of(one), {"pipeline.job": job, "pipeline.node": one.node}) for one in self._nodes]

    def _tell_workers(self, workers: Sequence[Mapping[str, Any]]) -> None:
        """Who was lost, when and why, on the run's span."""
        self.worked(workers)
        for one in workers:
            if one.get("ended") == LOST:
                about = {"pipeline.node": one["node"], "pipeline.worker": one["worker"], "reason": one.get("why", "")}
                ended_ns = round(datetime.fromisoformat(one["ended_at"]).timestamp()) * 1_000_000_000
                self._run.add_event("worker lost", about, ended_ns)

    def ended(self, manifest: Manifest) -> None:
        self._over = True
        if manifest.workers:
            self._tell_workers(manifest.workers)
        batches = {"pipeline.batches_out": sum(map(is_out, manifest.batches))} if manifest.batches else {}
        rows = {f"pipeline.rows.{name}": count for name, count in asdict(manifest.rows).items()}
        cost = {} if manifest.cost_usd is None else {"pipeline.cost_usd": float(manifest.cost_usd)}
        self._run.set_attributes(
            {**rows, **cost, **batches, "pipeline.state": manifest.state, "pipeline.calls": manifest.calls}
        )
        self._run.end()
        self._spans.force_flush(FLUSH_MS)
        self._spans.shutdown()
        self._meters.shutdown(FLUSH_MS)


def _common(job: Job) -> dict[str, AttributeValue]:
    model = job.model
    server: dict[str, AttributeValue] = {}
    if model.base_url and (host := urlsplit(model.base_url).hostname):
        server["server.address"] = host
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS[model.provider].otel_name,
        "gen_ai.request.model": model.name,
        **server,
    }


def _of_response(call: Call) -> dict[str, AttributeValue]:
    return {} if call.model_version is None else {"gen_ai.response.model": call.model_version}


def _attributes(call: Call) -> dict[str, AttributeValue]:
    """What is told of one call beside what all share; names no document."""
    send, usage = call.send, call.usage
    found: dict[str, AttributeValue | None] = {
        "gen_ai.response.id": call.provider_request_id,
        "gen_ai.response.finish_reasons": None if call.finish_reason is None else [call.finish_reason],
        "gen_ai.response.time_to_first_chunk": None if call.ttft_ms is None else call.ttft_ms / 1000,
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "http.response.status_code": call.http_status,
        "http.request.resend_count": send.attempt - 1,
        "pipeline.request_id": send.request_id,
        "pipeline.row": send.row,
        "pipeline.chunk": send.chunk,
        "pipeline.purpose": str(send.purpose),
        "pipeline.lane": send.lane,
        "pipeline.batch_id": send.batch_id,
        "pipeline.wait_ms": call.wait_ms,
        "pipeline.cost_usd": None if call.cost_units is None else call.cost_units / 1e10,
    }
    return {**{name: value for name, value in found.items() if value is not None}, **_of_response(call)}
