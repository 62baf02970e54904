"""A file of many pages in several calls: every page goes, is told with its call, and goes in less when refused."""

import json

import pytest
from inbox import pages, sent_files, sent_pages, write
from scripted_server import Scripted

SEVEN = {"seven.pdf": pages(7)}
TITLES = [f"Invoice of Acorn, page {number} of 7" for number in range(7)]
TOO_MANY = {"type": "invalid_request_error", "message": "A maximum of 2 PDF pages may be provided.", "code": None}
TOO_LONG = {"type": "invalid_request_error", "message": "Request exceeds the maximum size", "code": None}
THREE = {"read": "native", "pages_per_call": 3, "overlap_pages": 1}


def more_than(most, error, status=400):
    return lambda _document, _nth, body: Scripted(status=status, error=error) if len(sent_pages(body)) > most else None


def carried(job, row="seven.pdf"):
    """What `show` says of each call: its pages, and whether it was answered; and the whole of it."""
    (shown,) = json.loads(job.pipeline("show", job.file, row, "--json", code=0).out)["rows"]
    return [(call["pages"], call["http_status"]) for call in shown["calls"]], shown


def answered(server, most):
    """Pages of the requests that the server took, in the order they came."""
    return [found for _, body, _ in server.requests if len(found := sent_pages(body)) <= most]


def test_every_page_goes_with_a_call_that_is_told(job, server):
    server.script = lambda *_: Scripted(text='{"name": "Acorn", "total": "7.50"}')
    write(job, server.url, SEVEN, documents=THREE, limits={"concurrency": 1}).run()
    calls, shown = carried(job)
    assert calls == [("1-3", 200), ("3-5", 200), ("5-7", 200)]
    assert (shown["status"], shown["chunks"], shown["record"]) == ("ok", 3, {"name": "Acorn", "total": "7.50"})
    assert answered(server, 3) == [TITLES[0:3], TITLES[2:5], TITLES[4:7]]
    asked = [document for document, _, _ in server.requests]
    assert "what is given here is pages 3 to 5" in str(server.requests[1][1]), asked
    job.reconcile()
    job.run()
    assert server.sent == 3


def test_pages_that_are_too_many_are_asked_for_again_as_the_refusal_says(job, server):
    server.script = more_than(2, TOO_MANY)
    write(job, server.url, SEVEN, documents=THREE, limits={"concurrency": 1}).run()
    calls, shown = carried(job)
    assert shown["status"] == "ok"
    took = answered(server, 2)
    assert all(len(found) <= 2 for found in took)
    assert sorted({page for found in took for page in found}) == TITLES
    assert [pages for pages, status in calls if status == 400] == ["1-3", "3-5", "5-7"]
    assert shown["chunks"] == len(took)
    assert job.reconcile()["tokens"]["input_tokens"] == 100 * len(took)


@pytest.mark.parametrize("status", [413, 400])
def test_what_is_too_long_goes_in_halves(job, server, status):
    error = TOO_LONG if status == 413 else {**TOO_LONG, "code": "context_length_exceeded"}
    server.script = more_than(1, error, status)
    write(job, server.url, {"two.pdf": pages(2)}, documents={"read": "native"}).run()
    calls, _ = carried(job, "two.pdf")
    assert sorted(calls) == [("1", 200), ("1-2", status), ("2", 200)]
    assert sorted(answered(server, 1)) == [[f"Invoice of Acorn, page {number} of 2"] for number in (0, 1)]


@pytest.mark.parametrize(("status", "error"), [(413, TOO_LONG), (400, TOO_MANY)], ids=["length", "pages"])
@pytest.mark.parametrize("read", ["native", "image"])
def test_a_page_that_is_refused_alone_ends_its_row(job, server, status, error, read):
    server.script = lambda *_: Scripted(status=status, error=error)
    files = {"one.pdf": pages(1), "two.pdf": pages(2)}
    write(job, server.url, files, documents={"read": read}, limits={"concurrency": 1}).run(code=1)
    found = {row["id"]: (row["error_code"], row["calls"]) for row in job.results()}
    assert found["one.pdf"] == ("context_exceeded", 1)
    assert found["two.pdf"][0] == "context_exceeded"
    assert 2 <= found["two.pdf"][1] <= 3
    job.reconcile()


@pytest.mark.parametrize("more", [0, 1], ids=["", "overlap"])
@pytest.mark.parametrize("read", ["native", "image"])
def test_pages_sent_are_pages_of_the_file(job, server, read, more):
    documents = {"read": read, "pages_per_call": 2, "overlap_pages": more}
    write(job, server.url, {"five.pdf": pages(5)}, documents=documents, limits={"concurrency": 1}).run()
    told = [pages for pages, _ in carried(job, "five.pdf")[0]]
    if read == "native":
        want = {0: ["1-2", "3-4", "5"], 1: ["1-2", "2-3", "3-4", "4-5"]}[more]
        assert sorted({page for _, body, _ in server.requests for page in sent_pages(body)}) == [
            f"Invoice of Acorn, page {number} of 5" for number in range(5)
        ]
    else:
        want = {0: ["1, 2", "3, 4", "5"], 1: ["1, 2", "2, 3", "3, 4", "4, 5"]}[more]
        pictures = [data for _, body, _ in server.requests for data in sent_files(body)]
        assert all(data.startswith(b"\x89PNG") for data in pictures)
        assert len(set(pictures)) == 5
    assert told == want
