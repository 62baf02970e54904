"""Rows that are files, read by workers far from the run: what these say of them is looked up, and each is done once."""

import json
import shutil
import threading
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from job_folder import LASTING
from ray_here import LinkHere
from s3_server import AWS, emptied
from scripted_server import Scripted
from small_pdfs import pdf, text

from pipeline.commands.verify import verify
from pipeline.documents.sources.source import Source
from pipeline.documents.sources.spool import Spool
from pipeline.engine.executors import ray as executor
from pipeline.engine.ray import crew, deciding
from pipeline.engine.ray.places import StartSeat
from pipeline.engine.ray.reading import RowReader
from pipeline.errors import JobError
from pipeline.extraction import engines
from pipeline.job.folder import LEDGER
from pipeline.ledger.files import connect

PAGES = {f"{number}.pdf": pdf(text(50, 700, f"Invoice {number}, total 12.50")) for number in range(3)}
BODIES = {**PAGES, "2-again.pdf": PAGES["2.pdf"], "a.txt": b"a letter", "b.pdf": b"%PDF-1.7 and no more"}
RECORD = Scripted(text=json.dumps({"name": "Blue Mill", "total": "1"}))
GOOD, ASKED = 5, 4  # rows that can be read; two of them are equal


@pytest.fixture
def filed(job, server, monkeypatch):
    """Writes a job over files: three invoices, one of them twice, a letter, and a broken one."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    monkeypatch.setattr(crew, "Link", LinkHere)
    server.script = lambda *_: RECORD
    (job.folder / "inbox").mkdir()
    for name, body in BODIES.items():
        (job.folder / "inbox" / name).write_bytes(body)

    def written(on="ray", path="inbox", workers=2, calls=4, document="", **sections):
        source = {"path": path, "id": "id" if document else "", **({"document": document} if document else {})}
        sections |= {"engine": {"on": on, "workers": workers}, "documents": {"read": "native"}}
        sections["limits"] = {"concurrency": calls, "max_failed_share": 1.0, **sections.get("limits", {})}
        return job.write(server.url, input=source, **sections)

    return written


def sound(job):
    assert [check.problem for check in verify(job.out) if check.problem] == []
    return job.reconcile()["rows"]


@pytest.fixture
def left(monkeypatch):
    """Copies that were there still when a worker ended."""
    close, found = Spool.close, []

    def counted(spool):
        found.extend([] if spool._folder is None else Path(spool._folder.name).iterdir())
        close(spool)

    monkeypatch.setattr(Spool, "close", counted)
    return found


@pytest.mark.parametrize("path", ["inbox", "s3://docs/inbox", "names.jsonl", "held.parquet"])
def test_equal_files_are_asked_about_once_and_bad_ones_are_told(filed, job, server, s3, path, left):
    """From a folder, a bucket, and tables that name or hold them; a second command finds all of it done."""
    client = emptied(s3, "docs")
    for name, body in BODIES.items():
        client.put_object(Bucket="docs", Key=f"inbox/{name}", Body=body)
    job.env |= {**AWS, "AWS_ENDPOINT_URL": s3}
    named = [{"id": name, "file": f"s3://docs/inbox/{name}"} for name in BODIES]
    (job.folder / "names.jsonl").write_text("".join(json.dumps(line) + "\n" for line in named))
    pq.write_table(pa.table({"id": list(BODIES), "file": list(BODIES.values())}), job.folder / "held.parquet")
    filed(path=path, document="" if "inbox" in path else "file").run()
    for _ in range(2):
        assert sound(job) == {"total": len(BODIES), "ok": GOOD, "failed": 1, "pending": 0}
        assert server.sent == ASKED
        job.run()
    bad = next(row for row in job.results() if row["status"] != "ok")
    assert (bad["id"], bad["error_code"]) == ("b.pdf", "bad_row")
    assert left == []


def test_the_results_are_those_of_one_process(filed, job, server):
    """And what a worker has paid for one process finds, and the other way about: their keys are the same."""
    found = []
    for on in ("ray", "local"):
        filed(on).run()
        sound(job)
        found.append(job.table().select(LASTING).to_pylist())
    assert found[0] == found[1]
    assert server.sent == ASKED
    server.seen.clear()
    filed("local").run("--fresh")
    filed("ray").run()
    assert (server.sent, sound(job)["ok"]) == (2 * ASKED, GOOD)


def test_a_row_goes_by_how_it_ended_under_an_earlier_job(filed, job, server):
    """Another merge rule makes rows anew of answers that are paid for: the worker tells their keys under that job."""
    filed().run()
    filed(extract={"merge": "first"}).run()
    with closing(connect(job.out / LEDGER)) as db:
        (known,) = db.execute("SELECT COUNT(earlier) FROM rows").fetchone()
        assert ASKED <= known <= GOOD, "one of two that are equal may have been read when the other had ended"
        assert db.execute("SELECT COUNT(*) FROM spent WHERE inherited > 0").fetchone() == (ASKED,)
    job.run()
    with closing(connect(job.out / LEDGER)) as db:
        assert db.execute("SELECT COUNT(earlier) FROM rows").fetchone() == (0,), "they have outcomes of their own now"
    assert (server.sent, sound(job)["ok"]) == (ASKED, GOOD)
    assert {row["answer_from"] for row in job.results() if row["status"] == "ok"} <= {"ledger", "duplicate"}


def test_a_retry_asks_about_what_failed(filed, job, server):
    server.script = lambda *_: Scripted(text="no JSON")
    filed().run()
    assert job.reconcile()["rows"]["failed"] == len(BODIES)
    server.script = lambda *_: RECORD
    job.pipeline("retry", job.file, code=0)
    assert sound(job) == {"total": len(BODIES), "ok": GOOD, "failed": 1, "pending": 0}


def test_files_that_nobody_came_to_stay_pending(filed, job, server, monkeypatch):
    """A cap ends the run when most are not read yet: each row is in one place, and the next command goes on."""
    monkeypatch.setattr(executor, "SPARE", 0)
    filed(calls=1, workers=1, budget={"max_usd": 1e-7}).run(code=3)
    rows = job.manifest()["rows"]
    assert (rows["ok"], rows["failed"] + rows["pending"]) == (0, len(BODIES))
    assert sorted(row["id"] for row in job.results()) == sorted(BODIES)
    filed().run()
    assert (sound(job)["ok"], server.sent) == (GOOD, ASKED)


def test_what_was_done_stays_done_where_a_later_run_does_not_come_to_it(filed, job, server, monkeypatch):
    """It is stopped before any file is read: the results of the last one are all there."""
    filed().run()
    before = job.table().select(LASTING).to_pylist()
    send = LinkHere.send
    monkeypatch.setattr(LinkHere, "send", lambda self, word: _gone(self) if word == StartSeat(1) else send(self, word))
    job.run(code=None)
    assert job.table().select(LASTING).to_pylist() == before


def _gone(link):
    link.loop.call_soon(link.closed)


def test_a_worker_that_dies_while_it_reads_loses_nothing(filed, job, server, monkeypatch):
    """What it had read, and what it was about to read, others read; nothing is paid for twice."""
    read, dead = Source.read, []

    def dying(self, rows, files):
        if not dead:
            dead.append(LinkHere.last)
            LinkHere.last.loop.call_soon_threadsafe(LinkHere.last.lose, 1)
        return read(self, rows, files)

    monkeypatch.setattr(Source, "read", dying)
    filed(workers=2).run()
    assert (sound(job)["ok"], server.sent, len(dead)) == (GOOD, ASKED, 1)


def test_a_worker_that_dies_while_its_rows_are_looked_up_is_not_told(filed, job, server, monkeypatch):
    """They are another's by then."""
    of, dead = deciding.Decisions.of, []

    def dying(self, *asked):
        found = of(self, *asked)
        if not dead and len(asked) == 2:  # as `RowDecider` asks
            dead.append(True)
            done = threading.Event()
            LinkHere.last.loop.call_soon_threadsafe(lambda: (LinkHere.last.lose(1), done.set()))
            done.wait(10)
        return found

    monkeypatch.setattr(deciding.Decisions, "of", dying)
    filed(workers=2).run()
    assert (sound(job), server.sent, len(dead)) == ({"total": 6, "ok": GOOD, "failed": 1, "pending": 0}, ASKED, 1)


def test_a_reader_that_cannot_be_had_there_is_told(filed, job, server, monkeypatch):
    """Nothing is sent, and the run ends as the job's error that it is."""
    monkeypatch.setattr(Source, "read", _no_reader)
    assert "no file can be read here" in filed().run(code=2).err
    assert server.sent == 0


def _no_reader(*_):
    raise JobError("no file can be read here: install pypdfium2")


def test_a_folder_that_the_nodes_have_not_got_is_no_rows_fault(filed, job, server, monkeypatch):
    """The run ends before anything is sent, and says where documents belong; no row has failed for it."""
    read = RowReader._found
    monkeypatch.setattr(RowReader, "_found", lambda *asked: (shutil.move("inbox", "elsewhere"), read(*asked))[1])
    assert "inbox is not there: documents lie in a bucket" in filed().run(code=2).err
    assert server.sent == 0


def test_rows_whose_files_could_not_be_read_for_a_fault_of_the_node_are_pending(filed, job, server, monkeypatch):
    """Some are done by then: every row is in the results, and the next command does the rest."""
    read, asked = Source.read, []

    def failing(self, rows, files):
        asked.append(rows)
        if len(asked) == 2:
            raise JobError("no file can be read here")
        return read(self, rows, files)

    monkeypatch.setattr(Source, "read", failing)
    monkeypatch.setattr(executor, "SPARE", 0)
    filed(calls=1, workers=1).run(code=None)
    assert sorted(row["id"] for row in job.results()) == sorted(BODIES)
    filed().run()
    assert (sound(job)["ok"], server.sent) == (GOOD, ASKED)
