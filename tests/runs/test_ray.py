"""The same job on a Ray cluster: the same results, limits and a cap that hold to the call, and any part free to die."""

import importlib.util
import json
import os
import signal
import threading
from pathlib import Path

import pytest
from job_folder import LASTING
from ray_cluster import ray_cluster, ray_environ
from scripted_server import Scripted

from pipeline.commands.verify import verify

pytestmark = [
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra `ray`)"),
]

COUNT = 60
ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(COUNT)]
AT_ONCE = 6
SECRET = "sk-test-very-secret-key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ray", numbered=True)


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


def good(document, delay_s=0.02):
    return Scripted(text=json.dumps({"name": document[:40], "total": "1"}), delay_s=delay_s)


@pytest.fixture
def run(on_ray, server, cluster):
    server.script = lambda document, _nth, _body: good(document)
    engine = {"on": "ray", "address": cluster.address, "workers": 3}
    return on_ray.write(server.url, rows=ROWS, limits={"concurrency": AT_ONCE, "timeout_s": 3.0}, engine=engine)


def whole(run, server):
    """Every row is ok, no answer was paid twice but for calls that are named as lost, and the books are in order."""
    manifest = run.reconcile()
    assert manifest["rows"]["ok"] == COUNT
    lost = [call for call in run.calls() if call["error_code"] == "lost"]
    assert COUNT <= sum(server.paid.values()) <= COUNT + len(lost)
    assert server.sent <= manifest["calls"] <= server.sent + len(lost)
    assert len(lost) <= AT_ONCE
    assert server.most_at_once <= AT_ONCE
    assert [check.problem for check in verify(run.out) if check.problem] == []
    return lost


def mixed(document, nth, body):
    """Good ones, one to repair, one refused, one that is tried again."""
    if document == "document 3" and len(body["messages"]) == 1:
        return Scripted(text="no JSON")
    if document == "document 4":
        return Scripted(refusal="I'd rather not.")
    if document == "document 5" and nth == 1:
        return Scripted(status=429, headers={"retry-after": "0.01"})
    return good(document)


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


def test_a_budget_is_one_for_all(run, server):
    """It parks the run below its cap; what is left is done when there is more."""
    run.run("--max-usd", "0.0006", code=3)
    manifest = run.manifest()
    assert float(manifest["cost_usd"]) <= 0.0006
    assert 0 < manifest["rows"]["ok"] < COUNT
    run.run()
    assert whole(run, server) == []


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


def test_a_node_that_is_gone_is_done_without(run, server, cluster, under_way):
    """All of its workers, with no notice."""
    gone = cluster.nodes.pop()
    cluster.ask("kill", gone)
    out, err = under_way.communicate(timeout=90)
    cluster.nodes.append(cluster.ask("add"))
    assert under_way.returncode == 0, out + err
    whole(run, server)
    ends = {(one["node"], one.get("ended")) for one in run.manifest()["workers"]}
    assert (gone, "lost") in ends
    assert (gone, None) not in ends


def test_a_node_that_is_announced_to_go_loses_nothing(run, server, cluster, under_way):
    """Its workers are given no more rows, and end what they have."""
    gone = cluster.nodes.pop()
    server.script = lambda document, _nth, _body: good(document, 0.5)
    cluster.ask("drain", gone)
    out, err = under_way.communicate(timeout=60)
    cluster.nodes.append(cluster.ask("add"))
    assert under_way.returncode == 0, out + err
    assert whole(run, server) == []
    assert "its node goes away in" in err
    assert (gone, "drained") in {(one["node"], one.get("ended")) for one in run.manifest()["workers"]}


def test_a_run_that_is_killed_goes_on(run, server, cluster, under_way):
    """Its workers are gone with it."""
    under_way.kill()
    under_way.wait()
    run.run()
    whole(run, server)


def test_the_first_signal_drains(run, server, under_way):
    """What is in flight is kept; the next run does the rest."""
    under_way.send_signal(signal.SIGINT)
    out, err = under_way.communicate(timeout=60)
    assert under_way.returncode == 130, out + err
    assert run.manifest()["state"] == "interrupted"
    run.run()
    assert whole(run, server) == []


def test_without_its_bridge_a_run_parks(run, server, under_way):
    """It is published, and the same command goes on."""
    os.kill(children(under_way.pid)[0], signal.SIGKILL)
    out, err = under_way.communicate(timeout=60)
    assert under_way.returncode == 4, out + err
    assert run.manifest()["state"] == "parked"
    run.run()
    whole(run, server)


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
    whole(run, server)
