"""OTLP as a collector receives it. No content."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.job.file import load
from pipeline.output.manifest import Manifest

SECRET_TEXT = "Supplier: Acorn Mills, the document itself"


@pytest.fixture
def collector():
    """An OTLP endpoint on loopback that keeps what it is sent, by path."""
    kept = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            import gzip

            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            kept.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kept
    server.shutdown()
    thread.join()
    server.server_close()


def spans_of(kept):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for body in kept["/v1/traces"]:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            found += [span for scope in resource.scope_spans for span in scope.spans]
    return found


def metrics_of(kept):
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    last = ExportMetricsServiceRequest.FromString(kept["/v1/metrics"][-1])
    return {m.name: m for resource in last.resource_metrics for scope in resource.scope_metrics for m in scope.metrics}


def value(attribute):
    return getattr(attribute.value, attribute.value.WhichOneof("value"))


def test_opentelemetry_gets_a_span_for_every_call_and_the_sums(job, server, collector):
    """By the GenAI conventions, where OTEL_EXPORTER_OTLP_ENDPOINT says; calls are children of the run."""
    pytest.importorskip("opentelemetry.sdk")
    url, kept = collector
    job.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
    job.write(server.url, rows=[{"id": f"r{n}", "text": f"{SECRET_TEXT} {n}"} for n in range(3)]).run()
    calls, spans = job.calls(), spans_of(kept)
    (run,) = (span for span in spans if span.name == "pipeline run job")
    chats = [span for span in spans if span is not run]
    assert [span.name for span in chats] == ["chat gpt-4o-mini"] * len(calls)
    assert {span.parent_span_id for span in chats} == {run.span_id}
    by_request = {}
    for span in chats:
        told = {
            attribute.key: value(attribute)
            for attribute in span.attributes
            if attribute.key != "gen_ai.response.finish_reasons"
        }
        by_request[told["pipeline.request_id"]] = told
        assert (told["gen_ai.operation.name"], told["gen_ai.provider.name"]) == ("chat", "openai")
    for call in calls:
        told = by_request[call["request_id"]]
        assert told["gen_ai.usage.input_tokens"] == call["input_tokens"]
        assert told["pipeline.lane"] == call["lane"] == "live"
        assert told["gen_ai.usage.output_tokens"] == call["output_tokens"]
    usage = metrics_of(kept)["gen_ai.client.token.usage"].histogram.data_points
    sums = {value(next(a for a in point.attributes if a.key == "gen_ai.token.type")): point.sum for point in usage}
    assert sums == {kind: sum(call[f"{kind}_tokens"] for call in calls) for kind in ("input", "output")}
    assert not [name for name in metrics_of(kept) if name.startswith("pipeline.node")]
    assert SECRET_TEXT.encode() not in b"".join(body for bodies in kept.values() for body in bodies)


def test_a_collector_that_is_down_costs_a_run_nothing(job, server):
    """No row, no exit code; it ends in time."""
    pytest.importorskip("opentelemetry.sdk")
    job.env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).run()
    assert job.reconcile()["rows"]["ok"] == 1


def test_workers_are_told_by_their_nodes(job, collector, monkeypatch):
    """Sums by node, and on the run's span who was lost, when and why."""
    pytest.importorskip("opentelemetry.sdk")
    from pipeline.telemetry.otel import OpenTelemetry

    url, kept = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    observer = OpenTelemetry(load(job.write("", rows=[]).file))
    one = {"worker": 1, "node": "a", "rows": 5, "calls": 7, "cpu_s": 1.25}
    lost = {**one, "worker": 2, "ended": "lost", "ended_at": "2026-11-30T09:00:00+00:00", "why": "killed"}
    observer.worked([one])
    observer.worked([one, {**one, "worker": 2}])
    observer.ended(Manifest(state="finished", workers=(lost, one, {**one, "node": "b"})))
    found = {
        name: {value(point.attributes[1]): getattr(point, point.WhichOneof("value")) for point in one.sum.data_points}
        for name, one in metrics_of(kept).items()
    }
    assert found == {
        "pipeline.node.workers": {"a": 0, "b": 0},
        "pipeline.node.workers_lost": {"a": 1, "b": 0},
        "pipeline.node.rows": {"a": 10, "b": 5},
        "pipeline.node.calls": {"a": 14, "b": 7},
        "pipeline.node.cpu_time": {"a": 2.5, "b": 1.25},
    }
    (run,) = spans_of(kept)
    (event,) = run.events
    assert (event.name, event.time_unix_nano) == ("worker lost", 1_796_029_200 * 10**9)
    about = {attribute.key: value(attribute) for attribute in event.attributes}
    assert about == {"pipeline.node": "a", "pipeline.worker": 2, "reason": "killed"}
