"""The Prometheus file says what run.json says."""

from pipeline.job.file import load
from pipeline.output.manifest import Manifest
from pipeline.telemetry.prometheus import PrometheusFile

SECRET_TEXT = "Supplier: Acorn Mills, the document itself"


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
    assert "_node_" not in text
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


def test_calls_and_cost_are_told_by_lane_with_what_is_out(job):
    """A line of a batch is a call of the batch lane."""
    batch = {"model": {"provider": "sandbox", "lane": "batch"}, "batch": {"poll_s": 0.05}, "sandbox": {"batch_s": 0.1}}
    rows = [{"id": f"r{n}", "text": f"document {n}"} for n in range(3)]
    job.write("", rows=rows, telemetry={"prometheus_file": "x.prom"}, **batch).run()
    manifest, found = job.reconcile(), samples((job.folder / "x.prom").read_text())
    assert found['ledger_pipeline_lane_calls_total{job_name="job",lane="batch"}'] == manifest["calls"] == 3
    assert found['ledger_pipeline_lane_cost_usd_total{job_name="job",lane="batch"}'] == float(manifest["cost_usd"])
    assert found['ledger_pipeline_batches_out{job_name="job"}'] == 0


def test_workers_are_told_by_their_nodes(job):
    """One label for a node, however often its workers were replaced; none are there once the run has ended."""
    one = {"worker": 1, "rows": 5, "calls": 7, "cpu_s": 1.25}
    lost = {"ended": "lost", "ended_at": "2026-11-30T09:00:00+00:00", "why": "killed"}
    job.write("", rows=[], telemetry={"prometheus_file": "x.prom"})
    file = PrometheusFile(load(job.file))
    file.worked([{**one, "node": "a", **lost}, {**one, "node": "b"}, {**one, "worker": 3, "node": "a", "calls": 8}])

    def node(family, name):
        return samples(file.text())[f'ledger_pipeline_node_{family}{{job_name="job",node="{name}"}}']

    assert [node("workers", name) for name in "ab"] == [1, 1]
    assert [node("workers_lost_total", name) for name in "ab"] == [1, 0]
    assert [node("rows_total", name) for name in "ab"] == [10, 5]
    assert [node("calls_total", name) for name in "ab"] == [15, 7]
    assert [node("cpu_seconds_total", name) for name in "ab"] == [2.5, 1.25]
    file.ended(Manifest(state="finished", workers=({**one, "node": "a", "rows": 9},)))
    assert (node("workers", "a"), node("rows_total", "a")) == (0, 9)
    assert sum("node=" in line for line in file.text().splitlines()) == 5
