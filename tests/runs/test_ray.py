"""The same job on a Ray cluster: the same results, limits and a cap that hold to the call, and any part free to die."""

import importlib
import importlib.util
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import worker_deaths
from job_folder import LASTING, SCHEMA, JobFolder
from many_workers import COUNT, ROWS, good, mixed
from many_workers import whole as kit_whole
from places import REPO
from ray_cluster import ray_cluster, ray_environ
from s3_server import AWS, emptied
from scripted_server import Scripted, serving
from small_pdfs import pdf, text

import pipeline
from pipeline.commands.verify import verify
from pipeline.engine.ray import crew, room
from pipeline.engine.ray.versions import versions
from pipeline.telemetry.snapshot import read_live

sys.path.append(str(REPO / "benchmarks"))

from machine_lost import night

pytestmark = [
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra `ray`)"),
]

AT_ONCE = 6
TWO_COMMANDS = 2 * AT_ONCE  # the provider works on what the first had made when it died, and the second begins
SECRET = "sk-test-very-secret-key"


@pytest.fixture(scope="module")
def folder():
    """Of a short name: Ray's sockets are in it, whose paths have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def cluster(folder):
    """Two nodes of two CPUs, for all of this file."""
    with ray_cluster(folder, RAY_gcs_rpc_server_reconnect_timeout_s="5") as cluster:
        yield cluster


@pytest.fixture
def on_ray(job, folder):
    """A job's environment and its sections for this cluster."""
    job.env.update(ray_environ(folder), RAY_gcs_rpc_server_reconnect_timeout_s="5")
    return job


@pytest.fixture
def run(on_ray, server, cluster):
    server.script = lambda document, _nth, _body: good(document)
    engine = {"on": "ray", "address": cluster.address, "workers": 3}
    return on_ray.write(server.url, rows=ROWS, limits={"concurrency": AT_ONCE, "timeout_s": 3.0}, engine=engine)


def whole(run, server, at_once=AT_ONCE):
    """And no more calls than may be at once were so, or are lost."""
    lost = kit_whole(run, server)
    assert len(lost) <= AT_ONCE
    assert server.most_at_once <= at_once
    return lost


def test_the_results_are_those_of_one_process(run, server, cluster):
    """With duplicates, a row that cannot be used, a repair, a refusal and a 429; what is paid here is found there."""
    rows, found = [*ROWS, *ROWS[10:20], {"id": "bad"}], []
    for on in ("local", "ray"):
        server.script = mixed
        server.seen.clear()
        before = server.sent
        engine = {"on": on, "address": cluster.address, "workers": 3}
        limits = {"concurrency": AT_ONCE, "max_failed_share": 1.0}
        run.write(server.url, rows=rows, limits=limits, engine=engine)
        run.run("--fresh")
        run.reconcile()
        assert [check.problem for check in verify(run.out) if check.problem] == []
        lasting = run.table().select(LASTING).to_pylist()
        sources = sorted(str(line["answer_from"]) for line in run.results())
        found.append((lasting, server.sent - before, run.manifest()["rows"], sources))
    assert found[0] == found[1]
    sent = server.sent
    run.run()
    run.run("--on", "local")
    assert server.sent == sent


@pytest.fixture
def under_way(run, server):
    """A run that has just had its 20th request."""
    reached = threading.Event()

    def script(document, _nth, _body):
        if server.sent == 20:
            reached.set()
        return good(document, 0.1)

    server.script = script
    process = run.start("run", run.file)
    assert reached.wait(60)
    yield process
    process.stdout.close()
    process.stderr.close()


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_is_killed_is_replaced(run, server, cluster, under_way):
    """Its calls in flight are booked as lost and hold their slots; its rows are done by others."""
    os.kill(cluster.ask("actors")[0], signal.SIGKILL)
    out, err = under_way.communicate(timeout=60)
    assert under_way.returncode == 0, out + err
    whole(run, server)
    assert "its rows are taken up again" in err


def told(run, is_so):
    """The first worker of which that is so, once the run tells so while it goes on."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        workers = (read_live(run.out) or {}).get("workers", ())
        if found := [one for one in workers if is_so(one)]:
            return found[0]
        time.sleep(0.05)
    return pytest.fail("it has not been so")


def busy_node(run, cluster):
    """One whose worker makes calls."""
    return told(run, lambda one: one["calls"] and one["node"] in cluster.nodes)["node"]


def test_a_node_that_is_gone_is_done_without(run, server, cluster, under_way):
    """All of its workers, with no notice."""
    server.script = lambda document, _nth, _body: good(document, 2.0)  # it goes on while the node is killed
    gone = busy_node(run, cluster)
    cluster.nodes.remove(gone)
    cluster.ask("kill", gone)
    server.script = lambda document, _nth, _body: good(document)
    out, err = under_way.communicate(timeout=90)
    cluster.nodes.append(cluster.ask("add"))
    assert under_way.returncode == 0, out + err
    lost = whole(run, server)
    ends = {(one["node"], one.get("ended")) for one in run.manifest()["workers"]}
    assert not lost or (gone, "lost") in ends


def test_a_node_that_is_announced_to_go_loses_nothing(run, server, cluster, under_way):
    """Its workers are given no more rows, and end what they have."""
    server.script = lambda document, _nth, _body: good(document, 1.5)  # it goes on until the run has heard of it
    gone = busy_node(run, cluster)
    cluster.nodes.remove(gone)
    cluster.ask("drain", gone)
    out, err = under_way.communicate(timeout=60)
    cluster.nodes.append(cluster.ask("add"))
    assert under_way.returncode == 0, out + err
    assert whole(run, server) == []
    assert "its node goes away in" in err
    ends = {(one["node"], one.get("ended")) for one in run.manifest()["workers"]}
    assert (gone, "lost") not in ends


def test_a_run_that_is_killed_goes_on(run, server, cluster, under_way):
    """Its workers are gone with it."""
    under_way.kill()
    under_way.wait()
    run.run()
    whole(run, server, TWO_COMMANDS)


def test_when_its_machine_is_gone_for_good_the_cap_holds(cluster, s3, server, tmp_path):
    """`benchmarks/caps.py --machine-lost --on ray` has two hundred of them."""
    one = night(6, tmp_path, s3, server, cluster=cluster)
    assert one.billed_usd <= one.cap_usd
    assert (one.machines, one.code, one.verified, one.assumed) == (1, 3, 0, True)


def test_the_first_signal_drains(run, server, under_way):
    """What is in flight is kept; the next run does the rest."""
    under_way.send_signal(signal.SIGINT)
    out, err = under_way.communicate(timeout=60)
    assert under_way.returncode == 130, out + err
    assert run.manifest()["state"] == "interrupted"
    run.run()
    assert whole(run, server) == []


def test_a_second_signal_cuts_it_off(run, server, under_way):
    """Calls that were cut are named by the next run."""
    server.script = lambda document, _nth, _body: good(document, 8.0)
    under_way.send_signal(signal.SIGINT)
    assert any("stopping" in line for line in under_way.stderr)  # two at once would be one
    under_way.send_signal(signal.SIGINT)
    under_way.communicate(timeout=7)  # less than those calls would take
    assert under_way.returncode == 130
    server.script = lambda document, _nth, _body: good(document)
    run.run()
    assert run.reconcile()["rows"]["ok"] == COUNT
    assert sum(server.paid.values()) <= COUNT + AT_ONCE


def test_without_its_bridge_a_run_parks(run, server, under_way):
    """It is published, and the same command goes on."""
    os.kill(children(under_way.pid)[0], signal.SIGKILL)
    out, err = under_way.communicate(timeout=60)
    assert under_way.returncode == 4, out + err
    assert run.manifest()["state"] == "parked"
    run.run()
    whole(run, server, TWO_COMMANDS)


DEADLY = """
    @model_validator(mode="after")
    def deadly(self):
        import os
        if self.name == "document 7": os._exit(9)
        return self
"""


def test_a_row_that_kills_its_workers_is_named(run, server):
    """The other rows of those workers are not lost with it."""
    schema = run.folder / "thing.py"
    schema.write_text(schema.read_text() + DEADLY)
    found = run.run(code=130)
    assert "row r7: 4 workers have died while they had it" in found.err
    lost = [call["id"] for call in run.calls() if call["error_code"] == "lost"]
    assert server.paid["document 7"] <= lost.count("r7") + 1
    rows = run.reconcile()["rows"]
    assert rows["ok"] > 0
    assert rows["pending"] == COUNT - rows["ok"]


STEPS = [  # of a call at which a worker dies; whether it is booked as lost, and how often it is paid
    ("given", False, 1),
    ("asks", False, 1),
    ("named", True, 1),
    ("sent", True, 2),
    ("answered", True, 2),
    ("written", True, 2),
    ("told", False, 1),
]
CALLS_OF_ONE = 4


@pytest.fixture(scope="module")
def deaths(cluster, folder, tmp_path_factory):
    """A run of which one worker after the other has died, each at another step of a call."""
    run = JobFolder(tmp_path_factory.mktemp("deaths"))
    run.env.update(ray_environ(folder))
    (run.folder / "thing.py").write_text(worker_deaths.deadly(SCHEMA, run.folder))
    rows = [{"id": f"r{n}", "text": f"r{n}"} for n in range(worker_deaths.APART * len(STEPS))]
    limits = {"concurrency": CALLS_OF_ONE, "timeout_s": 3.0}
    engine = {"on": "ray", "address": cluster.address, "workers": 1}
    with serving(lambda document, _nth, _body: good(document)) as server:
        run.write(server.url, rows=rows, limits=limits, engine=engine).run()
    lost = [call["id"] for call in run.calls() if call["error_code"] == "lost"]
    return SimpleNamespace(run=run, server=server, rows=rows, lost=lost)


@pytest.mark.parametrize(("step", "lost", "paid"), STEPS)
def test_a_worker_may_die_at_any_step_of_a_call(deaths, step, lost, paid):
    """Its call is booked as lost if it was named and its answer did not get to the run; only what had left is paid."""
    assert step in worker_deaths.died(deaths.run.folder)
    row = f"r{worker_deaths.victim(step)}"
    assert deaths.lost.count(row) == lost
    assert deaths.server.paid[row] == paid


def test_after_such_deaths_the_books_are_in_order(deaths):
    """What else was in flight at each is booked as well, and nothing is paid twice but that."""
    manifest = deaths.run.reconcile()
    assert manifest["rows"]["ok"] == len(deaths.rows)
    assert len(manifest["workers"]) == len(STEPS) + 1
    assert len(deaths.lost) <= len(STEPS) * CALLS_OF_ONE
    again = {row: paid - 1 for row, paid in deaths.server.paid.items() if paid > 1}
    assert again.keys() <= set(deaths.lost)
    assert sum(again.values()) <= len(deaths.lost)
    assert deaths.server.most_at_once <= CALLS_OF_ONE
    assert [check.problem for check in verify(deaths.run.out) if check.problem] == []


def test_a_full_cluster_is_told_of_and_gone_on_with(run, server, monkeypatch):
    """By the workers that found room."""
    monkeypatch.setattr(room, "ROOM_S", 0.4)
    server.script = lambda document, _nth, _body: good(document, 0.5)
    found = run.run("--set", "engine.workers=9")
    assert "of 9 workers have found no room on the cluster yet; the others go on" in found.err
    assert whole(run, server) == []


def test_where_nobody_finds_room_the_run_parks(run, server, monkeypatch):
    """After as long as it waits for a provider that is down."""
    monkeypatch.setattr(room, "ROOM_S", 0.3)
    found = run.run("--set", "engine.cpus_per_worker=64", "--set", "limits.outage_s=1", code=4)
    assert "no worker has found room on the Ray cluster in 1 s" in found.err
    assert server.sent == 0


def test_nodes_of_another_version_are_refused(run, server, monkeypatch):
    """By name, with both versions; nothing is sent."""
    monkeypatch.setattr(crew, "versions", lambda *, documents: {**versions(documents=documents), "msgspec": "0.1"})
    found = run.run(code=2)
    assert f"has msgspec {versions(documents=False)['msgspec']} (here 0.1)" in found.err
    assert server.sent == 0


def test_workers_that_cannot_begin_are_not_started_for_ever(run, server):
    """What they die of is told; nothing was sent."""
    schema = run.folder / "thing.py"
    schema.write_text("import sys, os\nif 'ray' in sys.modules: os._exit(9)\n" + schema.read_text())
    found = run.run("--set", "engine.workers=1", code=2)
    assert "4 workers on the Ray cluster died before they could begin: " in found.err
    assert server.sent == 0


def test_what_is_no_cluster_is_said_to_be_none(on_ray, server, monkeypatch):
    """Nothing listens there, or something else does: then it is not waited for as long as Ray would."""
    monkeypatch.setattr(crew, "OPEN_S", 3.0)
    port = server.url.rpartition(":")[2].partition("/")[0]
    on_ray.write(server.url, rows=ROWS)
    for address, told in (("127.0.0.1:9", "Connection refused"), (f"127.0.0.1:{port}", "no answer within 3 s")):
        found = on_ray.run("--on", "ray", "--ray-address", address, code=2)
        assert f"the Ray cluster at {address} cannot be used, and nothing was sent: " in found.err
        assert told in found.err
    assert server.sent == 0


def names(run):
    return {row["id"]: row["record"] and row["record"]["name"] for row in run.results()}


def a_file_or(document, _nth, body):
    content = body["messages"][-1]["content"]
    name = document.strip().partition("\n")[0] if isinstance(content, str) else "a file"
    return Scripted(text=json.dumps({"name": name, "total": "1"}))


@pytest.fixture
def only_workers_read(monkeypatch):
    """In the run's own process reading a file, or fetching one, is an error. A cap is set: nobody has to be asked."""
    for name in ("reader.pool.Readers.read", "reader.pool.Readers._read_message", "documents.sources.spool.Spool.of"):
        monkeypatch.setattr(f"pipeline.{name}", lambda *_: pytest.fail("the run has read a file"))


def test_documents_are_read_where_the_worker_is(run, server, cluster, s3, only_workers_read, caplog):
    """Out of a bucket, each file once; the run reads none of them."""
    pages = {f"{number}.pdf": pdf(text(50, 700, f"Invoice {number}, total 12.50")) for number in range(3)}
    client = emptied(s3, "docs")
    for name, body in {**pages, "a.txt": b"a letter"}.items():
        client.put_object(Bucket="docs", Key=f"inbox/{name}", Body=body)
    run.env |= {**AWS, "AWS_ENDPOINT_URL": s3}
    server.script = a_file_or
    sections = {"engine": {"on": "ray", "address": cluster.address, "workers": 2}, "budget": {"max_usd": 5}}
    run.write(server.url, input={"path": "s3://docs/inbox", "id": ""}, documents={"read": "native"}, **sections)
    run.run()
    assert names(run) == {**dict.fromkeys(pages, "a file"), "a.txt": "a letter"}
    assert server.sent == 4
    fetched = [line.getMessage() for line in caplog.records if "GET /docs/inbox/" in line.getMessage()]
    assert len(fetched) == 4


def test_what_the_schema_imports_from_beside_it_goes_along(run, server):
    """From a module, and from a package whose modules import each other; none is where a worker looks by itself."""
    schemas = Path(run.folder, "schemas")
    Path(schemas, "kinds_of_ours").mkdir(parents=True)
    Path(schemas, "thing.py").write_text(SCHEMA.replace("from decimal", "from money_of_ours"))
    Path(schemas, "money_of_ours.py").write_text("from kinds_of_ours.money import Decimal\n")
    Path(schemas, "kinds_of_ours", "money.py").write_text("from .base import Decimal\n")
    Path(schemas, "kinds_of_ours", "base.py").write_text("from decimal import Decimal\n")
    run.run("--set", "extract.schema=schemas/thing.py:Thing", "--set", "engine.workers=1")
    assert whole(run, server) == []


def test_a_program_gets_instances_of_its_own_class(server, cluster, folder, tmp_path, monkeypatch):
    """Of files; the class's module is where this program alone finds it."""
    Path(tmp_path, "own_things.py").write_text(SCHEMA.rstrip())
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in {**ray_environ(folder), "OPENAI_API_KEY": SECRET}.items():
        monkeypatch.setenv(name, value)
    thing = importlib.import_module("own_things").Thing
    server.script = a_file_or
    letter = Path(tmp_path, "a.txt")
    letter.write_text("a letter")
    result = pipeline.extract(
        [letter], schema=thing, model="openai:gpt-4o-mini", prompt="<<{text}>>", base_url=server.url,
        output=Path(tmp_path, "out"), max_usd=1,
        set={"engine.on": "ray", "engine.address": cluster.address, "engine.workers": 1},
    )  # fmt: skip
    assert [(type(row.record), row.record.name) for row in result] == [(thing, "a letter")]
    assert server.sent == 1


def test_no_secret_is_left_on_the_cluster(run, server, cluster, folder):
    """Nothing that Ray keeps or writes holds the key of the provider."""
    run.run()
    written = [path for path in Path(folder, "ray").rglob("*") if path.is_file()]
    assert {"gcs_server.out", "raylet.out"} <= {path.name for path in written}
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


def test_without_the_head_a_run_parks(run, server, cluster, under_way):
    """The cluster is gone with it; the same job goes on elsewhere."""
    server.script = lambda document, _nth, _body: good(document, 2.0)
    cluster.ask("kill_gcs")
    out, err = under_way.communicate(timeout=100)
    assert under_way.returncode == 4, out + err
    assert run.manifest()["state"] == "parked"
    server.script = lambda document, _nth, _body: good(document)
    run.run("--on", "local")
    whole(run, server, TWO_COMMANDS)
