"""What other programs are told: OTLP as a collector receives it, the Prometheus file, JSON lines. No content in any."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.telemetry.observers import Observers

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
        assert told["gen_ai.usage.output_tokens"] == call["output_tokens"]
    usage = metrics_of(kept)["gen_ai.client.token.usage"].histogram.data_points
    sums = {value(next(a for a in point.attributes if a.key == "gen_ai.token.type")): point.sum for point in usage}
    assert sums == {kind: sum(call[f"{kind}_tokens"] for call in calls) for kind in ("input", "output")}
    assert SECRET_TEXT.encode() not in b"".join(body for bodies in kept.values() for body in bodies)


def test_a_collector_that_is_down_costs_a_run_nothing(job, server):
    """No row, no exit code; it ends in time."""
    pytest.importorskip("opentelemetry.sdk")
    job.env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).run()
    assert job.reconcile()["rows"]["ok"] == 1


def samples(text):
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, _, amount = line.rpartition(" ")
        found[name] = float(amount)
    return found


def test_the_prometheus_file_says_what_run_json_says(job, server):
    """Counters of the session, the state, and a histogram; whole at any time, for it is replaced at once."""
    rows = [{"id": f"r{n}", "text": f"{SECRET_TEXT} {n}"} for n in range(3)] + [{"id": "bad"}]
    job.write(server.url, rows=rows, telemetry={"prometheus_file": 'in"voices.prom'}, limits={"max_failed_share": 1.0})
    job.run(*("--set", 'name=a "job" \\ b'))
    manifest, text = job.reconcile(), (job.folder / 'in"voices.prom').read_text()
    found, label = samples(text), 'job_name="a \\"job\\" \\\\ b"'
    assert found[f"ledger_pipeline_rows{{{label}}}"] == 4
    assert found[f"ledger_pipeline_rows_ok_total{{{label}}}"] == 3
    assert found[f'ledger_pipeline_calls_total{{{label},outcome="ok"}}'] == manifest["calls"]
    assert found[f"ledger_pipeline_cost_usd_total{{{label}}}"] == float(manifest["cost_usd"])
    assert found[f'ledger_pipeline_tokens_total{{{label},type="input_tokens"}}'] == manifest["tokens"]["input_tokens"]
    assert found[f'ledger_pipeline_run_state{{{label},state="finished"}}'] == 1
    assert found[f'ledger_pipeline_call_duration_seconds_bucket{{{label},le="+Inf"}}'] == manifest["calls"]
    assert SECRET_TEXT not in text
    assert [path.name for path in job.folder.iterdir() if path.name.endswith(".tmp")] == []


def test_a_prometheus_file_that_cannot_be_written_is_told_once(job, server):
    """And the run goes on."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}], telemetry={"prometheus_file": "no/such/folder/x.prom"})
    ended = job.run()
    assert ended.err.count("PrometheusFile is switched off") == 1


def test_a_file_that_the_exporter_would_not_read_is_an_error(job, server):
    """Its name ends in .prom."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}], telemetry={"prometheus_file": "x.txt"})
    assert "should end in .prom" in job.run(code=2).err


def test_an_observer_that_fails_is_heard_no_more(capsys):
    """The others are."""
    heard = []

    class Broken:
        def looked(self, *told):
            raise RuntimeError(f"no disk for {told}")

    class Whole:
        def looked(self, rows_total, in_flight):
            heard.append((rows_total, in_flight))

    telemetry = Observers([Broken(), Whole()])
    telemetry.looked(1, 2)
    telemetry.looked(3, 4)
    assert heard == [(1, 2), (3, 4)]
    assert capsys.readouterr().err.count("Broken is switched off") == 1


def test_call_lines_have_the_fields_of_calls_parquet(capsys):
    """One JSON object a line, on standard error."""
    from types import SimpleNamespace

    from pipeline.ledger.records import Call, Send
    from pipeline.output.calls import CALL_SCHEMA
    from pipeline.telemetry.jsonlines import CallLines
    from pipeline.types import Purpose, Usage

    model = SimpleNamespace(provider="openai", name="m", betas=(), stream=False)
    job = SimpleNamespace(model=model, name="j", prompt_version="1")
    send = Send("abc", 1, "row-1", 0, Purpose.EXTRACT, 1, 1_700_000_000_000_000, 5, "tenant")
    CallLines(job).called(Call(send, 12, 3, Usage(10, 0, 0, 2, 0), 1500, http_status=200))
    line = json.loads(capsys.readouterr().err)
    assert set(line) == {"event", *CALL_SCHEMA.names}
    assert (line["cost_usd"], line["sent_at"]) == ("0.0000001500", "2023-11-14T22:13:20.000+00:00")
    assert "tenant" not in line
