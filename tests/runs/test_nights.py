"""Night after night on one folder: only what is new is paid for, and what failed can be run again by itself."""

import json
import random
import sqlite3
from contextlib import closing

import pytest
from nights import answer, command_line_of, nights_of, on_record
from scripted_server import Scripted

BAD = "not json"


@pytest.fixture
def nightly(job, server):
    return nights_of(job, server)


@pytest.fixture
def pipeline(job):
    return command_line_of(job)


# ── the next night ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_night_pays_for_what_is_new_and_what_has_changed(nightly, pipeline, job, server):
    """3 % new, 2 % changed, some moved, some renamed, some gone: by the server's own count. Input order is kept."""
    first = {f"r{n}": f"document {n}" for n in range(200)}
    nightly(first)
    pipeline("run")
    assert server.sent == 200
    known = on_record(job)
    second = {key: text for key, text in first.items() if key not in {"r7", "r8", "r9"}}
    second |= {f"r{n}": f"document {n}, mended" for n in range(20, 24)}
    second |= {f"new{n}": f"new document {n}" for n in range(6)}
    renamed = {("renamed" if key == "r50" else key): text for key, text in second.items()}
    shuffled = list(renamed.items())
    random.Random(1).shuffle(shuffled)
    nightly(dict(shuffled))
    pipeline("run")
    paid = {document for document, count in server.paid.items() for _ in range(count)}
    assert (server.sent, sum(server.paid.values())) == (210, 210)
    assert paid - set(first.values()) == {text for key, text in second.items() if first.get(key) != text}
    assert job.reconcile()["rows"] == {"total": 203, "ok": 203, "failed": 0, "pending": 0}
    results = job.results()
    assert [line["id"] for line in results] == [key for key, _ in shuffled]
    assert all(line["record"]["name"] == text[:40] for line, (_, text) in zip(results, shuffled, strict=True))
    for line in results:
        new = line["id"].startswith("new") or line["id"] in {"r20", "r21", "r22", "r23"}
        assert (line["answer_from"], line["calls"], line["cost_usd"] > 0) == (
            ("call", 1, True) if new else ("ledger", 0, False)
        )
    tonight = on_record(job)
    assert all(tonight[key] == known[key] for key in tonight.keys() & known.keys() if first[key] == second[key])


def test_a_night_with_nothing_new_sends_nothing(nightly, pipeline, job, server):
    """The same documents in another file, in another order: every row comes from the ledger."""
    texts = {f"r{n}": f"document {n}" for n in range(20)}
    nightly(texts)
    pipeline("run")
    nightly(dict(reversed(texts.items())))
    pipeline("run")
    assert server.sent == 20
    manifest = job.reconcile()
    assert (manifest["free_rows"], manifest["calls"], manifest["cost_usd"]) == (20, 0, "0.0000000000")


def test_rows_that_vanished_stay_in_the_ledger_and_cost_nothing_when_they_come_back(nightly, pipeline, job, server):
    """They leave the results. The calls of any night tell, by id, where the outcome and the answer are."""
    both = {"a": "document a", "b": "document b"}
    nightly(both)
    pipeline("run")
    nightly({"a": "document a"})
    pipeline("run")
    assert [line["id"] for line in job.results()] == ["a"]
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db:
        sql = (
            "SELECT o.status, o.records FROM calls c JOIN outcomes o ON o.run = c.run AND o.row = c.row WHERE c.id = ?"
        )
        (found,) = db.execute(sql, ("b",)).fetchall()
        assert (found[0], json.loads(json.loads(found[1])[0])["name"]) == ("ok", "document b")
        assert db.execute("SELECT COUNT(*) FROM answers").fetchone() == (2,)
    nightly(both)
    pipeline("run")
    assert [(line["status"], line["answer_from"]) for line in job.results()] == [("ok", "ledger")] * 2
    assert server.sent == 2


def test_what_is_kept_of_a_row_is_tonights(nightly, pipeline, job, server):
    """Its id, its place, its tenant and its kept columns; the record is the one that was paid for."""
    nightly([{"id": "a", "text": "document a", "customer": "x"}, {"id": "b", "text": "document b", "customer": "y"}])
    pipeline("run")
    nightly([{"id": "bb", "text": "document b", "customer": "z"}, {"id": "a", "text": "document a", "customer": "w"}])
    pipeline("run")
    found = [(line["row"], line["id"], line["customer"], line["record"]["name"]) for line in job.results()]
    assert found == [(0, "bb", "z", "document b"), (1, "a", "w", "document a")]
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db:
        assert db.execute("SELECT id, tenant FROM rows ORDER BY row").fetchall() == [("bb", "z"), ("a", "w")]
    assert server.sent == 2


def test_a_row_that_failed_last_night_is_not_sent_by_run(nightly, pipeline, job, server):
    """It has an outcome; only `retry` asks again, also when the row has moved."""
    server.script = lambda document, nth, body: Scripted(refusal="no")
    nightly({"a": "document a"})
    pipeline("run", code=1)
    server.script = None
    nightly({"new": "document b", "a": "document a"})
    pipeline("run", code=1)
    assert [line["status"] for line in job.results()] == ["ok", "failed"]
    assert server.sent == 2
    pipeline("retry")
    assert [line["status"] for line in job.results()] == ["ok", "ok"]
    assert server.seen["document a"] == 2


# ── retry ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def failed(nightly, pipeline, server):
    """Of twelve rows three failed: two by bad answers, one by a refused request. Then the server is well again."""
    server.script = lambda document, nth, body: (
        Scripted(text=BAD) if document in {"document 3", "document 5"}
        else Scripted(400, error={"message": "no", "code": "x"}) if document == "document 8"
        else Scripted(text=answer(document))
    )  # fmt: skip
    nightly({f"r{n}": f"document {n}" for n in range(12)})
    told = pipeline("run", "--yes", code=1)
    server.script = lambda document, nth, body: Scripted(text=answer(document))
    return told


def test_a_retry_runs_what_failed_and_leaves_every_other_row_as_it_was(failed, pipeline, job, server):
    """All of it, or one code of it; the others keep their bytes, in the results and in the ledger."""
    before, outcomes, sent = {line["id"]: line for line in job.results()}, on_record(job), server.sent
    pipeline("retry", "--where", "error_code=invalid_request", code=1)
    assert server.sent == sent + 1
    pipeline("retry")
    assert server.sent == sent + 3
    after, outcomes_after = {line["id"]: line for line in job.results()}, on_record(job)
    assert {key for key, line in after.items() if line != before[key]} == {"r3", "r5", "r8"}
    assert {key for key, outcome in outcomes_after.items() if outcome != outcomes[key]} == {"r3", "r5", "r8"}
    assert list(after) == list(before)
    assert job.reconcile()["rows"]["ok"] == 12


def test_a_retry_of_nothing_says_so_and_sends_nothing(failed, pipeline, job, server):
    """Exit code 0 once all is well, and the files are left as they are; a code that no row has is named."""
    sent = server.sent
    told = pipeline("retry", "--where", "error_code=timeout", code=1)
    assert "no row failed as timeout; failed are: 2 invalid_output, 1 invalid_request" in told
    assert server.sent == sent
    pipeline("retry")
    whole = (job.out / "results.parquet").read_bytes(), (job.out / "run.json").read_bytes()
    assert "no row failed, so nothing was sent" in pipeline("retry")
    assert server.sent == sent + 3
    assert whole == ((job.out / "results.parquet").read_bytes(), (job.out / "run.json").read_bytes())


def test_a_retry_looks_at_tonights_rows(nightly, pipeline, job, server):
    """A row that failed two nights ago, was gone last night and is back is one that failed."""
    server.script = lambda document, nth, body: (
        Scripted(refusal="no") if document == "document a" and nth == 1 else None
    )
    nightly({"a": "document a"})
    pipeline("run", code=1)
    nightly({"b": "document b"})
    pipeline("run")
    nightly({"a": "document a", "b": "document b"})
    pipeline("retry")
    assert [line["status"] for line in job.results()] == ["ok", "ok"]
    assert server.seen["document a"] == 2


def test_a_retry_leaves_rows_that_cannot_be_used_to_the_input(nightly, pipeline, server):
    """Sending them again cannot help: it says what can."""
    nightly({"a": "document a", "b": ""})
    assert "1 row cannot be used as it is (bad_row): mend the input, then:  pipeline run" in pipeline("run", code=1)
    told = pipeline("retry", code=1)
    assert "1 row cannot be used as it is (bad_row): mend the input" in told
    assert server.sent == 1


def test_the_next_command_is_one_that_works(failed, job, pipeline):
    """What is printed keeps the flags that were given, and can be typed as it stands."""
    command = failed.split("again:  ")[1].splitlines()[0].split()
    assert command == ["pipeline", "retry", str(job.file), "--yes"]
    pipeline("retry", *command[3:])


def test_rows_that_a_retry_does_not_run_are_left_to_run(nightly, pipeline, job, server):
    """After a run that was parked, `retry` runs what failed, and names `run` for what is pending."""
    server.script = lambda document, nth, body: (
        Scripted(refusal="no") if document == "document 0"
        else Scripted(401, error={"message": "bad key", "code": "invalid_api_key"}) if server.sent > 3 else None
    )  # fmt: skip
    nightly({f"r{n}": f"document {n}" for n in range(8)}, limits={"concurrency": 1})
    pipeline("run", code=4)
    server.script = None
    sent = server.sent
    told = pipeline("retry", "--log-format", "text", code=4)
    assert server.sent == sent + 1
    assert f"pipeline run {job.file}" in told
    pipeline("run")
    assert job.reconcile()["rows"]["ok"] == 8


def test_a_higher_cap_is_for_the_rows_that_it_cut_off(nightly, pipeline, job, server):
    """Answers that came to their end under the lower one are as good."""
    server.script = lambda document, nth, body: (
        Scripted(text='{"name": "x', finish="length")
        if document == "document 1" and body["max_completion_tokens"] < 500
        else Scripted(text=answer(document))
    )
    nightly({f"r{n}": f"document {n}" for n in range(5)})
    pipeline("run", code=1)
    sent = server.sent
    pipeline("retry", "--set", "model.max_output_tokens=500")
    assert server.sent == sent + 1
    assert job.reconcile()["rows"]["ok"] == 5


def test_there_is_nothing_to_retry_before_a_run_or_under_another_job(nightly, pipeline, job, server):
    """It would leave every row pending: it says which key has changed instead, and touches nothing."""
    nightly({"a": "document a"})
    assert "nothing to retry" in pipeline("retry", code=2)
    assert not job.out.exists()
    pipeline("run")
    whole = (job.out / "results.parquet").read_bytes()
    assert "extract.prompt" in pipeline("retry", "--set", "extract.prompt=Now: {text}", code=2)
    assert (job.out / "results.parquet").read_bytes() == whole
