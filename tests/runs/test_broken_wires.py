"""Servers that break HTTP, as gateways do: no row is lost by it that need not be, and what it may cost is booked."""

import json
from collections import Counter
from decimal import Decimal

import pytest
from raw_server import answering, ok

MANY = [{"id": f"r{n}", "text": f"document {n}"} for n in range(40)]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_server_that_refuses_each_kept_connection_costs_no_row(job, concurrency):
    """With one attempt allowed. What was refused may have been billed: it is on the books as a call of its own."""
    with answering(lambda nth, of_connection, body, head: ok(body) if of_connection == 1 else None) as far:
        job.write(far.url, rows=MANY, limits={"concurrency": concurrency, "max_attempts": 1}).run()
    manifest = job.reconcile()
    assert manifest["rows"]["ok"] == len(MANY)
    codes = Counter(call["error_code"] for call in job.calls())
    assert codes == {None: len(MANY), "timeout": far.requests.count(2)}
    assert 0 < codes["timeout"] <= 3 + concurrency
    refused = next(call for call in job.calls() if call["error_code"] == "timeout")
    shown = json.loads(job.pipeline("show", job.file, refused["id"], "--json").out)["rows"][0]["calls"]
    assert [call["attempt"] for call in shown] == [1, 2]
    assert (refused["cost_usd"], Decimal(shown[0]["at_risk_usd"]) > 0, Decimal(shown[1]["at_risk_usd"])) == (
        None,
        True,
        0,
    )
    job.pipeline("verify", job.out, code=0)


GOOD = b"HTTP/1.1 200 OK\r\n"
UNREAD = {  # what cannot be read → its status, where that can be
    "two-lengths": (lambda body: GOOD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 200),
    "equal-lengths": (lambda body: GOOD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 200),
    "identity": (lambda body: GOOD + b"Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nabcd", 200),
    "brotli": (lambda body: ok(body, b"Content-Encoding: br\r\n"), 200),
    "unknown-packing": (lambda body: ok(body, b"Content-Encoding: none-such\r\n"), 200),
    "two-packings": (lambda body: ok(body, b"Content-Encoding: gzip, gzip\r\n"), 200),
    "not-packed": (lambda body: ok(body, b"Content-Encoding: gzip\r\n"), 200),
    "bad-chunks": (lambda body: GOOD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc", 200),
    "line-feeds": (lambda body: ok(body).replace(b"\r\n", b"\n"), 200),
    "bad-name": (lambda body: GOOD + b"Bad Name: 1\r\nContent-Length: 0\r\n\r\n", 200),
    "a-head-without-end": (lambda body: GOOD + b"X-Pad: 1234567890\r\n" * 5000, 200),
    "two-statuses-in-one": (lambda body: b"HTTP/1.1 99999 OK\r\nContent-Length: 0\r\n\r\n", None),
    "no-http": (lambda body: b"220 mail.example ESMTP\r\n", None),
    "packed-refusal": (lambda body: ok(body, b"Content-Encoding: br\r\n").replace(b"200 OK", b"503 No", 1), 503),
    "an-empty-length": (lambda body: GOOD + b"Content-Length: 0\r\n\r\n", 200),
    "nothing": (lambda body: GOOD + b"Connection: close\r\n\r\n", 200),
    "moved-somewhere": (lambda body: b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 307),
    "moved-nowhere": (lambda body: b"HTTP/1.1 307 T\r\n\r\n", 307),
    "moved-with-a-word": (lambda body: b"HTTP/1.1 308 P\r\nContent-Length: 4\r\n\r\nbye.", 308),
}
SURELY_FREE = {"packed-refusal", "moved-somewhere", "moved-nowhere", "moved-with-a-word"}


@pytest.mark.parametrize("name", UNREAD)
def test_an_answer_that_cannot_be_read_is_no_answer(job, name):
    """And no time-out; with its status where that was read. What may have been billed is at risk."""
    answer, status = UNREAD[name]
    with answering(lambda nth, of_connection, body, head: answer(body), closes=name == "nothing") as far:
        limits = {"max_attempts": 2, "timeout_s": 20}
        job.write(far.url, rows=MANY[:1], limits=limits).run(code=1)
    job.reconcile()
    (row,) = job.results()
    assert row["error_code"] == "provider_error"
    told = [(call["error_code"], call["http_status"]) for call in job.calls()]
    assert told == [("provider_error", status)] * 2
    shown = json.loads(job.pipeline("show", job.file, row["id"], "--json").out)["rows"][0]["calls"]
    assert [Decimal(call["at_risk_usd"]) > 0 for call in shown] == [name not in SURELY_FREE] * 2
    job.pipeline("verify", job.out, code=0)


def test_a_refusal_whose_body_cannot_be_read_is_what_its_status_says(job):
    """With its Retry-After: it is waited out and spends no attempt."""
    slow = b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx"
    with answering(lambda nth, of_connection, body, head: slow if nth == 1 else ok(body)) as far:
        job.write(far.url, rows=MANY[:1], limits={"max_attempts": 1}).run()
    assert [(call["error_code"], call["http_status"]) for call in job.calls()] == [("rate_limited", 429), (None, 200)]


def test_an_answer_whose_end_is_the_connection_s_is_read_though_it_says_identity(job):
    def script(nth, of_connection, body, head):
        return GOOD + b"Transfer-Encoding: identity\r\n\r\n" + ok(body).partition(b"\r\n\r\n")[2]

    with answering(script, closes=True) as far:
        job.write(far.url, rows=MANY[:1], limits={"max_attempts": 1}).run()
    assert job.reconcile()["rows"]["ok"] == 1
