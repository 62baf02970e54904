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
