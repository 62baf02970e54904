"""Documents in a bucket, against a local S3 server: fetched, worked on, and gone from here when their row has ended."""

import json
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3_server import AWS, emptied
from scripted_server import Scripted
from small_pdfs import pdf, text

from pipeline.documents.sources.spool import Spool


@pytest.fixture
def put(s3):
    """Puts an object into the bucket `docs`, which is empty."""
    client = emptied(s3, "docs")
    return lambda key, body: client.put_object(Bucket="docs", Key=key, Body=body)


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """The folders that hold copies of documents."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return lambda: [path.name for path in temporary.glob("pipeline-documents-*/*")]


@pytest.fixture
def job(job, s3, server, copies):
    """A job that answers with a document's first line, or says that it was a file; what was there when it did so."""
    job.env |= {**AWS, "AWS_ENDPOINT_URL": s3}
    job.there = []

    def script(document, nth, body):
        job.there.append(copies())
        content = body["messages"][-1]["content"]
        name = "a file" if not isinstance(content, str) else document.strip().partition("\n")[0]
        return Scripted(text=json.dumps({"name": name, "total": "1"}))

    server.script = script
    return job


def names(job):
    return {row["id"]: row["record"] and row["record"]["name"] for row in job.results()}


def page(number):
    return pdf(text(50, 700, f"Invoice {number}, total 12.50, due on the last day of the month"))


def test_a_folder_in_a_bucket_goes_as_text(job, server, put, copies):
    put("inbox/a.txt", b"a letter")
    put("inbox/march/b.pdf", page(7))
    job.write(server.url, input={"path": "s3://docs/inbox", "id": ""})
    job.run()
    assert names(job)["a.txt"] == "a letter"
    assert names(job)["march/b.pdf"].startswith("Invoice 7, total 12.50")
    assert [row["document"]["mode"] for row in job.results()] == ["text", "text"]
    assert job.there == [[], []]
    job.run()
    assert server.sent == 2


def test_a_file_that_goes_as_it_is_stays_until_its_row_has_ended(job, server, put, copies, monkeypatch):
    """One call at a time: what is done is gone, what is to come is there. Afterwards nothing is."""
    for number in range(5):
        put(f"inbox/{number}.pdf", page(number))
    job.write(
        server.url, input={"path": "s3://docs/inbox", "id": ""}, documents={"read": "native"}, limits={"concurrency": 1}
    )
    made = []
    real = Spool._new
    monkeypatch.setattr(Spool, "_new", lambda spool: made.append(real(spool)) or made[-1])
    job.run()
    assert names(job) == {f"{number}.pdf": "a file" for number in range(5)}
    assert [len(there) for there in job.there] == [5, 4, 3, 2, 1]
    assert copies() == []
    assert len(made) >= 5
    job.run()
    assert (server.sent, copies()) == (5, [])
    assert job.reconcile()["rows"]["ok"] == 5


def test_what_is_not_worked_on_goes_with_its_batch(job, server, put, copies, monkeypatch):
    """Of thousands of scans those that were done before take no room: the disk holds a batch, and what is in flight."""
    from pipeline.engine import feed

    monkeypatch.setattr(feed, "BATCH_ROWS", 2)
    for number in range(6):
        put(f"inbox/{number}.pdf", page(number))
    job.write(server.url, input={"path": "s3://docs/inbox", "id": ""}, documents={"read": "native"})
    job.run()
    put("inbox/9.pdf", page(9))
    job.run()
    assert server.sent == 7
    assert len(job.there[-1]) == 1
    assert copies() == []


@pytest.mark.parametrize("command", [("check",), ("estimate", "--json")])
def test_commands_that_only_look_leave_nothing(job, server, put, copies, command, monkeypatch):
    put("inbox/1.pdf", page(1))
    job.write(server.url, input={"path": "s3://docs/inbox", "id": ""}, documents={"read": "native"})
    job.pipeline(command[0], job.file, *command[1:], code=0)
    assert copies() == []


def in_table(job, server, *cells, more=None):
    table = pa.table({"id": [f"r{n}" for n, _ in enumerate(cells)], "doc": pa.array(cells, pa.string())})
    pq.write_table(table, job.folder / "rows.parquet")
    return job.write(server.url, input={"path": "rows.parquet", "document": "doc"}, **(more or {}))


def errors(job):
    return [row["error"] for row in job.results()]


def test_a_table_names_objects_by_their_urls(job, server, put, copies):
    put("a/one.txt", b"one")
    put("b/two.pdf", page(2))
    in_table(
        job, server, "s3://docs/a/one.txt", "s3://docs/b/two.pdf", "s3://docs/none.txt", "s3://other/x.pdf", "s3://"
    )
    job.run(code=1)
    assert [row["status"] for row in job.results()] == ["ok", "ok", "failed", "failed", "failed"]
    _, _, missing, bucket, nameless = errors(job)
    assert missing == "no such file: docs/none.txt"
    assert bucket.startswith(("no such file: other/x.pdf", "out of reach: other/x.pdf"))
    assert nameless.startswith("out of reach: the URL = 's3://' names no bucket")
    assert copies() == []


def test_a_table_in_a_bucket_names_what_lies_beside_it(job, server, put, copies):
    put("night/files/one.txt", b"one")
    put("secret.txt", b"secret")
    put("night/rows.jsonl", "".join(
        json.dumps({"id": name, "file": name}) + "\n"
        for name in ("files/one.txt", "files/none.txt", "../secret.txt", "/docs/secret.txt")
    ).encode())  # fmt: skip
    job.write(server.url, input={"path": "s3://docs/night", "document": "file"})
    job.run(code=1)
    assert names(job)["files/one.txt"] == "one"
    _, missing, above, absolute = errors(job)
    assert missing == "no such file: docs/night/files/none.txt"
    assert above.startswith("not allowed")
    assert absolute.startswith("not allowed")
    assert server.sent == 1


def test_what_is_too_large_is_not_fetched(job, server, put, copies, monkeypatch):
    put("inbox/large.txt", b"x" * 30_000)
    fetched = []
    monkeypatch.setattr(Spool, "_new", fetched.append)
    job.write(server.url, input={"path": "s3://docs/inbox", "id": ""}, documents={"max_mb": 0.02})
    job.run(code=1)
    in_table(job, server, "s3://docs/inbox/large.txt", more={"documents": {"max_mb": 0.02}, "output": {"path": "out"}})
    job.run("--yes-rerun", code=1)
    assert errors(job) == ["too large: 0.0 MB, where documents.max_mb allows 0.02; it was not fetched"]
    assert fetched == []


class Closed(BaseHTTPRequestHandler):
    """A bucket that one may not read."""

    def do_HEAD(self):
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815 (its name)

    def log_message(self, *_):
        pass


def test_no_permission_is_said_of_its_row_alone(job, server, copies):
    closed = ThreadingHTTPServer(("127.0.0.1", 0), Closed)
    serving = Thread(target=closed.serve_forever)
    serving.start()
    try:
        job.env["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{closed.server_port}"
        (job.folder / "beside.txt").write_text("beside")
        in_table(job, server, "s3://closed/a.pdf", "beside.txt")
        job.run(code=1)
    finally:
        closed.shutdown()
        serving.join()
        closed.server_close()
    assert errors(job)[0].startswith("out of reach: closed/a.pdf: ")
    assert "ACCESS_DENIED" in errors(job)[0]
    assert names(job)["r1"] == "beside"


def test_an_object_that_was_changed_is_asked_about_again(job, server, put, copies):
    put("a.txt", b"first")
    in_table(job, server, "s3://docs/a.txt")
    job.run()
    job.run()
    assert server.sent == 1
    put("a.txt", b"second")
    job.run()
    assert (server.sent, names(job)) == (2, {"r0": "second"})
