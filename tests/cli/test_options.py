"""Every verb takes what it can read: a job or its output folder where it reads, a job alone where it runs."""

import json

import pytest
from scripted_server import Scripted

READING = {
    "status": (), "show": ("a",), "verify": (), "costs": (), "report": (), "export": (), "tune": ("--max-usd", "1"),
}  # fmt: skip
RUNNING = ("run", "retry", "estimate", "check")


@pytest.fixture
def night(job, server):
    server.script = lambda document, nth, body: Scripted(text='{"name": "a", "total": "1"}')
    rows = [{"id": "a", "text": "x", "customer": "Müller & Söhne"}, {"id": "b", "text": "y", "customer": None}]
    job.write(server.url, rows=rows, input={"path": "in.jsonl", "id": "id", "tenant": "customer"}).run()
    return job


@pytest.mark.parametrize("verb", READING)
def test_verbs_that_read_take_a_job_or_its_folder(night, verb):
    """And say the same of both."""
    ended = [night.pipeline(verb, place, *READING[verb]) for place in (night.file, night.out)]
    assert ended[0].returncode == ended[1].returncode
    assert ended[0].out == ended[1].out
    assert ("no run is going on" in ended[0].err) == (verb == "tune")


@pytest.mark.parametrize("verb", READING)
def test_reconcile_and_all_that_read_refuse_what_is_neither(night, verb):
    """A file of the folder, a schema, data, or nothing at all: what it is, and what is wanted."""
    for name in ("out/results.parquet", "out/run.json", "out/ledger.sqlite", "thing.py", "in.jsonl", "job.tml", "ot"):
        err = night.pipeline(verb, night.folder / name, *READING[verb], code=2).err
        assert "a job file (.toml) or an output folder" in err
    assert "Did you mean" in err


@pytest.mark.parametrize("verb", RUNNING)
def test_verbs_that_run_take_a_job_alone(night, verb):
    """A folder leads to the job that made it."""
    err = night.pipeline(verb, night.out, code=2).err
    assert f"is a folder, where a job file (.toml) is wanted. It is the output of the job {night.file}" in err
    for name in ("out/results.parquet", "thing.py", "in.jsonl"):
        assert "where a job file (.toml) is wanted" in night.pipeline(verb, night.folder / name, code=2).err
    assert "Did you mean" in night.pipeline(verb, night.folder / "jbo.toml", code=2).err


def test_a_folder_takes_no_flags_that_override_a_job(night):
    """They would change nothing, and nobody would be told."""
    assert "--limit is for a job file" in night.pipeline("status", night.out, "--limit", "3", code=2).err


def test_tenants_go_by_their_names_where_people_look(night):
    """And by their hashes in calls.parquet, for other programs, and where it is asked for."""
    hashed = {call["tenant_hash"] for call in night.calls() if call["tenant_hash"]}.pop()
    assert "Müller & Söhne" in night.pipeline("costs", night.file, "--by", "tenant", code=0).out
    groups = json.loads(night.pipeline("costs", night.out, "--by", "tenant", "--json", code=0).out)["groups"]
    assert {(group["tenant"], group["tenant_hash"]) for group in groups} == {("Müller & Söhne", hashed), (None, None)}
    plain = night.pipeline("costs", night.file, "--by", "tenant", "--hash-tenants", code=0).out
    assert hashed in plain
    assert "Müller" not in plain
    night.pipeline("report", night.file, code=0)
    assert "Müller &amp; Söhne" in (night.out / "report.html").read_text()
    night.pipeline("report", night.file, "--hash-tenants", code=0)
    assert hashed in (night.out / "report.html").read_text()
    assert "Müller" not in (night.out / "report.html").read_text()
    assert b"M\xc3\xbcller" not in (night.out / "calls.parquet").read_bytes()
    (night.out / "ledger.sqlite").unlink()
    assert hashed in night.pipeline("costs", night.out, "--by", "tenant", "--run", "last", code=0).out


def test_an_address_of_a_cluster_without_the_cluster_is_an_error(night):
    """It would run here, and nobody would see that."""
    for verb in ("run", "retry"):
        err = night.pipeline(verb, night.file, "--ray-address", "127.0.0.1:6379", code=2).err
        assert "--ray-address" in err
        assert "Add --on ray" in err
