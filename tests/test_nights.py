"""Night after night on one folder: only what is new is paid for, and what failed can be run again by itself."""

import json
import random
import sqlite3

import pytest
from scripted_server import Scripted

BAD = "not json"


def answer(document):
    return json.dumps({"name": document.replace("<", "").replace(">", "")[:40], "total": "1"})


def lines(texts):
    return [{"id": key, "text": text, "customer": f"c{len(key)}"} for key, text in texts.items()]


@pytest.fixture
def nightly(job, server):
    """Writes tonight's input, a dict of id and text; answers say which document they are of."""
    server.script = lambda document, nth, body: Scripted(text=answer(document))

    def write(texts, **sections):
        keep = {"path": "in.jsonl", "id": "id", "keep": ["customer"]}
        return job.write(server.url, rows=lines(texts), input=keep, **sections)

    return write


def test_a_second_night_pays_for_what_is_new_and_what_has_changed(nightly, job, server):
    """3 % new, 2 % changed, some moved, some renamed, some gone: by the server's own count. Input order is kept."""
    first = {f"r{n}": f"document {n}" for n in range(200)}
    nightly(first).run()
    assert server.sent == 200
    second = {key: text for key, text in first.items() if key not in {"r7", "r8", "r9"}}
    second |= {f"r{n}": f"document {n}, mended" for n in range(20, 24)}
    second |= {f"new{n}": f"new document {n}" for n in range(6)}
    renamed = {("renamed" if key == "r50" else key): text for key, text in second.items()}
    shuffled = list(renamed.items())
    random.Random(1).shuffle(shuffled)
    nightly(dict(shuffled)).run()
    assert server.sent == 200 + 4 + 6
    manifest = job.reconcile()
    assert manifest["rows"] == {"total": 203, "ok": 203, "failed": 0, "pending": 0}
    results = job.results()
    assert [line["id"] for line in results] == [key for key, _ in shuffled]
    assert all(line["record"]["name"] == text[:40] for line, (_, text) in zip(results, shuffled, strict=True))
    by = {line["id"]: line["answer_from"] for line in results}
    assert (by["renamed"], by["r20"], by["new0"]) == ("ledger", "call", "call")
    assert sum(line["cost_usd"] > 0 for line in results) == 10


def test_rows_that_vanished_stay_in_the_ledger_and_cost_nothing_when_they_come_back(nightly, job, server):
    """They leave the results; their outcome is found again by what they say."""
    both = {"a": "document a", "b": "document b"}
    nightly(both).run()
    nightly({"a": "document a"}).run()
    assert [line["id"] for line in job.results()] == ["a"]
    with sqlite3.connect(job.out / "ledger.sqlite") as db:
        assert db.execute("SELECT COUNT(*) FROM outcomes").fetchone() == (2,)
    nightly(both).run()
    assert [line["status"] for line in job.results()] == ["ok", "ok"]
    assert server.sent == 2


def test_what_is_kept_of_a_row_is_tonights(nightly, job, server):
    """Its id, its place and its kept columns; the record is the one that was paid for."""
    nightly({"a": "document a", "b": "document b"}).run()
    nightly({"bb": "document b", "a": "document a"}).run()
    assert [(line["id"], line["customer"]) for line in job.results()] == [("bb", "c2"), ("a", "c1")]
    assert server.sent == 2


# ── retry ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_runs_what_failed_and_leaves_every_other_row_as_it_was(nightly, job, server):
    """All of it, or one code of it; the others keep their bytes."""
    texts = {f"r{n}": f"document {n}" for n in range(12)}
    server.script = lambda document, nth, body: (
        Scripted(text=BAD) if document in {"document 3", "document 5"}
        else Scripted(400, error={"message": "no", "code": "x"}) if document == "document 8"
        else Scripted(text=answer(document))
    )  # fmt: skip
    nightly(texts).run(code=1)
    before = {line["id"]: line for line in job.results()}
    sent = server.sent
    server.script = lambda document, nth, body: Scripted(text=answer(document))
    job.pipeline("retry", job.file, "--where", "error_code=invalid_request", code=1)
    assert server.sent == sent + 1
    job.pipeline("retry", job.file, code=0)
    assert server.sent == sent + 3
    after = {line["id"]: line for line in job.results()}
    changed = {key for key, line in after.items() if line != before[key]}
    assert changed == {"r3", "r5", "r8"}
    assert job.reconcile()["rows"]["ok"] == 12
    assert job.pipeline("retry", job.file, code=0)
    assert server.sent == sent + 3


def test_a_higher_cap_is_for_the_rows_that_it_cut_off(nightly, job, server):
    """Answers that came to their end under the lower one are as good."""
    server.script = lambda document, nth, body: (
        Scripted(text='{"name": "x', finish="length")
        if document == "document 1" and body["max_completion_tokens"] < 500
        else Scripted(text=answer(document))
    )
    nightly({f"r{n}": f"document {n}" for n in range(5)}).run(code=1)
    sent = server.sent
    job.pipeline("retry", job.file, "--set", "model.max_output_tokens=500", code=0)
    assert server.sent == sent + 1
    assert job.reconcile()["rows"]["ok"] == 5


def test_there_is_nothing_to_retry_before_a_run_or_under_another_job(nightly, job, server):
    """It would leave every row pending: it says which key has changed instead, and touches nothing."""
    nightly({"a": "document a"})
    assert "nothing to retry" in job.pipeline("retry", job.file, code=2).err
    job.run()
    whole = (job.out / "results.parquet").read_bytes()
    ended = job.pipeline("retry", job.file, "--set", "extract.prompt=Now: {text}", code=2)
    assert "extract.prompt" in ended.err
    assert (job.out / "results.parquet").read_bytes() == whole


# ── asking before much is spent ─────────────────────────────────────────────────────────────────────────────────────

ASK = ("--set", "budget.confirm_above_usd=0.00001")
PROMPT = ("--set", "extract.prompt=Read again: {text}")


def test_a_change_that_would_be_paid_for_is_shown_and_asked_about(nightly, job, server):
    """Which key, how many rows, what it costs; without a terminal it needs --yes. Nothing is sent before."""
    nightly({f"r{n}": f"document {n}" for n in range(20)}).run()
    refused = job.run(*ASK, *PROMPT, code=2)
    assert "changed since the last run: extract.prompt; 20 requests would be sent for 20 rows: about $" in refused.err
    assert "--yes" in refused.err
    assert server.sent == 20
    agreed = job.run(*ASK, *PROMPT, "--yes")
    assert "changed since the last run" in agreed.err
    assert server.sent == 40


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("--set", "model.name=gpt-4.1-mini"), "model.name"),
        (("--set", "extract.system=Be careful."), "extract.system"),
        (("--set", "chunks.max_tokens=50"), None),  # the same pieces, so the same requests
        (("--set", "extract.merge=first"), None),
        (("--set", "limits.concurrency=3", "--set", "limits.timeout_s=9"), None),
    ],
)
def test_only_what_is_paid_for_again_is_asked_about(nightly, job, server, change, told):
    """A rule that is worked out again from answers on record costs nothing, and limits change nothing."""
    nightly({f"r{n}": f"document {n}" for n in range(5)}).run()
    ended = job.run(*ASK, *change, code=2 if told else 0)
    assert server.sent == 5
    if told:
        assert told in ended.err


def test_starting_over_is_asked_about_too(nightly, job, server):
    """Everything would be paid for again."""
    nightly({f"r{n}": f"document {n}" for n in range(5)}).run()
    refused = job.run(*ASK, "--fresh", code=2)
    assert "--fresh starts over" in refused.err
    assert "--fresh --yes" in refused.err
    job.run(*ASK, "--fresh", "--yes")
    assert server.sent == 10


def test_a_run_that_costs_much_needs_a_cap_or_a_yes(nightly, job, server):
    """A cap is consent, and so is --yes; what costs little is not asked about."""
    nightly({f"r{n}": f"document {n}" for n in range(5)})
    assert "budget.max_usd is not set: about $" in job.run(*ASK, code=2).err
    assert server.sent == 0
    assert not (job.out / "results.parquet").exists()
    job.run(*ASK, "--max-usd", "1")
    nightly({f"r{n}": f"document {n}" for n in range(7)})
    assert "2 requests" in job.run(*ASK, code=2).err
    job.run()
    assert server.sent == 7


def test_a_run_that_leaves_its_estimate_says_so_once(nightly, job, server):
    """With what it comes to in the end."""
    server.script = lambda document, nth, body: Scripted(text=answer(document), usage=(20_000, 4000), delay_s=0.05)
    nightly({f"r{n}": f"document {n}" for n in range(150)}, limits={"concurrency": 4})
    ended = job.run(*ASK, "--yes")
    assert ended.err.count("costs more than its estimate") == 1


def test_on_a_terminal_it_is_a_question(nightly, job, server):
    """No is the answer that sends nothing."""
    import os
    import pty
    import subprocess
    import sys

    nightly({f"r{n}": f"document {n}" for n in range(5)})
    for said, code, sent in ((b"n\n", 2, 0), (b"y\n", 0, 5)):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "pipeline", "run", str(job.file), *ASK]
        process = subprocess.Popen(command, cwd=job.folder, env=job.env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, said)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            shown += piece
        assert process.wait(60) == code
        assert b"Go on?" in shown
        os.close(ours)
        assert server.sent == sent
