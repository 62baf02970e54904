"""Runs over files that go badly: files that change under way, echoes, crashes; and the same by several processes."""

import json
import re
import signal

import pytest
from inbox import pages, paid_twice, sent_files, sent_pages, write
from job_folder import LASTING
from pdf_makers import image_page
from pictures import png
from scripted_server import Scripted
from small_pdfs import pdf, text

from pipeline.commands.verify import verify

BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}")


def wrong(job):
    return [check.problem for check in verify(job.out) if check.problem]


# ── no bytes anywhere ───────────────────────────────────────────────────────────────────────────────────────────────


def echoed(nth, body):
    """An error that says again what was asked: all of it, or the file alone."""
    data = json.dumps(body)
    url = next(part["file"]["file_data"] for part in body["messages"][-1]["content"] if part["type"] == "file")
    said = [data, url, f"bad file: {url[40:-7]}", url.replace("/", "\\/")]
    return {"message": said[nth % len(said)], "type": "invalid_request_error", "param": url, "code": url[40:90]}


@pytest.mark.parametrize("status", [400, 422, 500])
def test_no_bytes_of_a_file_are_anywhere_though_errors_say_again_what_was_asked(job, server, status):
    files = {f"{n}.pdf": pages(n + 1, f"Blue Barn {n} " * 40) for n in range(4)}
    server.script = lambda _document, _nth, body: Scripted(status=status, error=echoed(server.sent, body))
    limits = {"max_attempts": 1, "concurrency": 1}
    write(job, server.url, files, documents={"read": "native"}, limits=limits, input={"keep": ["name"]})
    ended = [job.run("--log-format", form, code=1) for form in ("json", "text")]
    ended += [job.pipeline("show", job.file, name, *more) for name in files for more in ((), ("--json",))]
    ended += [job.pipeline("report", job.out), job.pipeline("status", job.file, "--json")]
    ended += [job.pipeline("verify", job.out), job.pipeline("costs", job.out, "--json")]
    ended += [job.pipeline("export", job.out, "--format", "jsonl")]
    kept = {path.name: path.read_bytes() for path in job.out.rglob("*") if path.suffix != ".parquet" and path.is_file()}
    kept |= {"results": repr(job.results()).encode(), "calls": repr(job.calls()).encode()}
    kept["said"] = "".join(one.out + one.err for one in ended).encode()
    assert {"ledger.sqlite", "report.html", "run.json"} <= set(kept)
    bare = {name: data.replace(b"\\/", b"/").replace(b"\\n", b"") for name, data in kept.items()}
    assert [name for name, data in bare.items() if BASE64.search(data)] == []
    assert all(re.search(rb"[A-Za-z0-9+/]{200}", json.dumps(body).encode()) for _, body, _ in server.requests)


# ── files that change ───────────────────────────────────────────────────────────────────────────────────────────────


def changed(path, how):
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "same size":
        data = path.read_bytes()
        path.write_bytes(data.replace(b"Acorn", b"Bcorn"))
    else:
        path.write_bytes(image_page(60, 80))


@pytest.mark.parametrize("read", ["native", "image"])
@pytest.mark.parametrize("how", ["gone", "empty", "same size", "another"])
def test_a_file_that_changes_before_it_is_sent_again_is_no_file_of_this_run(job, server, how, read):
    """Nothing of it is at risk, the others go on, and the next run takes it as it then is."""
    path = job.folder / "inbox" / "b.pdf"

    def script(_document, nth, _body):
        if nth > 1:
            return None
        changed(path, how)
        return Scripted(status=429, headers={"retry-after": "0"})

    server.script = script
    files = {"b.pdf": pages(1)}
    write(job, server.url, files, documents={"read": read}, limits={"concurrency": 1}).run(code=1)
    (row,) = job.results()
    assert (row["status"], row["error_code"]) == ("failed", "bad_row")
    assert row["error"].startswith("changed while it was read")
    manifest = job.reconcile()
    assert (manifest["calls"], server.sent, manifest["cost_usd"]) == (1, 1, "0.0000000000")
    (shown,) = json.loads(job.pipeline("show", job.file, "b.pdf", "--json").out)["rows"]
    assert [call["at_risk_usd"] for call in shown["calls"]] == ["0.0000000000"]
    assert wrong(job) == []
    if how in {"gone", "empty"}:
        path.write_bytes(pages(1))
    job.run()
    assert job.reconcile()["rows"]["ok"] == 1
    assert wrong(job) == []


def test_a_twin_of_a_file_that_went_away_is_asked_for_itself(job, server):
    """And its answer is the other row's too: their content was the same."""
    (job.folder / "inbox").mkdir()

    def script(_document, nth, _body):
        (job.folder / "inbox" / "a.pdf").unlink(missing_ok=True)
        return Scripted(status=429, headers={"retry-after": "0"}) if nth == 1 else None

    server.script = script
    files = {"a.pdf": pages(1), "b.pdf": pages(1)}
    write(job, server.url, files, documents={"read": "native"}, limits={"concurrency": 1}).run(code=None)
    assert {row["id"]: row["status"] for row in job.results()}["b.pdf"] == "ok"
    assert sum(server.paid.values()) == 1
    assert wrong(job) == []


def test_what_stood_against_a_file_is_looked_at_again_though_the_folder_looks_the_same(job, server):
    """A password in its variable, who may read it: the next run finds out, and sends that file alone."""
    files = {"locked.pdf": pdf(text(50, 700, "Invoice of Acorn, 5.00"), user="secret"), "b.txt": "a letter"}
    job.env["PASSWORD_OF_FILES"] = "wrong"
    write(job, server.url, files, documents={"password_env": "PASSWORD_OF_FILES"}).run(code=1)
    assert (server.sent, job.manifest()["failed_by_code"]) == (1, {"bad_row": 1})
    assert "nothing to do" in job.run(code=1).err
    job.env["PASSWORD_OF_FILES"] = "secret"
    job.run()
    assert (server.sent, job.reconcile()["rows"]["ok"]) == (2, 2)
    assert "nothing to do" in job.run().err


# ── a crash ─────────────────────────────────────────────────────────────────────────────────────────────────────────

EIGHT = {f"{n}.pdf": pages(n % 3 + 1, f"Mill {n}") for n in range(8)} | {"p.png": png(40, 30)}
NATIVE = {"read": "native", "pages_per_call": 2}
CALLS = sum(1 if n % 3 < 2 else 2 for n in range(8)) + 1


@pytest.mark.parametrize("place", ["call-named", "committed:7", "run.json-written"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_is_taken_up_and_pays_for_no_file_twice(job, server, place, workers):
    server.script = lambda *_: Scripted(delay_s=0.005)
    limits = {"concurrency": 3, "workers": workers}
    write(job, server.url, EIGHT, documents=NATIVE, limits=limits)
    job.env["PIPELINE_CRASH_AT"] = place
    code = job.process("run", job.file).returncode
    if workers == 1:
        assert code == -signal.SIGKILL
    del job.env["PIPELINE_CRASH_AT"]
    job.run()
    manifest = job.reconcile()
    lost = [call for call in job.calls() if call["error_code"] == "lost"]
    assert manifest["rows"]["ok"] == len(EIGHT)
    assert server.sent <= manifest["calls"] <= server.sent + len(lost)
    assert sum(server.paid.values()) <= CALLS + len(lost)
    assert sum(count - 1 for count in paid_twice(server)) <= len(lost)
    assert wrong(job) == []


# ── several processes ───────────────────────────────────────────────────────────────────────────────────────────────


def test_several_processes_bring_the_same_results_and_ask_for_each_file_once(job, server):
    scan = image_page(60, 80)
    files = EIGHT | {"s1.pdf": scan, "s2.pdf": scan, "letter.txt": "a letter", "broken.pdf": b"%PDF-1.7 cut off"}
    found = []
    for workers in (1, 2):
        server.requests.clear()
        server.script = lambda _document, _nth, body: Scripted(
            text=json.dumps({"name": " ".join(sent_pages(body)) or str(len(sent_files(body))), "total": "1"})
        )
        output = {"path": f"out{workers}"}
        write(job, server.url, files, documents=NATIVE, limits={"workers": workers}, output=output)
        job.out = job.folder / output["path"]
        job.run(code=1)
        job.reconcile()
        assert (server.sent, paid_twice(server)) == (CALLS + 2, [])
        assert wrong(job) == []
        found.append(job.table().select([*LASTING, "document"]).to_pylist())
        job.run(code=1)
        assert server.sent == CALLS + 2
    assert found[0] == found[1]
