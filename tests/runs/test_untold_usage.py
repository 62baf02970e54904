"""A server that tells no usage: what it answers is counted here, and caps hold all the same."""

from decimal import Decimal

import orjson
import pytest
from scripted_server import Scripted, completion

NO_USAGE = "the server tells no usage; tokens and cost are counted here"
MANY = [{"id": f"r{n}", "text": f"document {n} " * 20, "customer": "small"} for n in range(60)]
CAP = Decimal("0.0006")
TOLD_WRONG = (None, {}, {"prompt_tokens": None, "completion_tokens": None}, {"total_tokens": 90}, {"prompt_tokens": 0})


def untold(job, server, **sections):
    server.script = lambda document, nth, body: Scripted(usage=None)
    return job.write(server.url, rows=MANY, **{"limits": {"concurrency": 4}, **sections})


@pytest.mark.parametrize("workers", [1, 2])
def test_max_usd_holds_and_it_is_said_once(job, server, workers):
    """As many answers as the cap has room for, and no more: it parks, and all books agree."""
    untold(job, server, budget={"max_usd": float(CAP)}, limits={"concurrency": 4, "workers": workers})
    ended = job.run(code=3)
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"]) == ("parked", "budget")
    assert CAP / 2 < Decimal(manifest["cost_usd"]) <= CAP
    assert 0 < server.sent < len(MANY)
    assert all(call["input_tokens"] > 60 and call["output_tokens"] > 5 for call in job.calls())
    assert ended.err.count(NO_USAGE) == 1
    job.pipeline("verify", job.out, code=0)


def test_the_cap_of_a_tenant_holds(job, server):
    untold(job, server, input={"path": "in.jsonl", "id": "id", "tenant": "customer"})
    job.run("--set", f"budget.tenant_max_usd_per_day={CAP}", code=3)
    manifest = job.reconcile()
    assert CAP / 2 < Decimal(manifest["cost_usd"]) <= CAP
    assert manifest["rows"]["pending"] > 0


def test_what_is_told_badly_is_not_told_and_what_is_told_is_not_counted_here(job, server):
    """Every form of it costs the same as no usage at all; a server that tells has no word of warning."""

    def script(document, nth, body):
        told = TOLD_WRONG[int(document.split()[1]) % len(TOLD_WRONG)]
        return Scripted(raw=orjson.dumps({**completion(Scripted(), body), "usage": told}))

    untold(job, server)
    server.script = script
    assert job.run().err.count(NO_USAGE) == 1
    badly = [(line["id"], line["cost_usd"]) for line in job.results()]
    job.reconcile()
    server.script = lambda document, nth, body: Scripted(usage=None)
    job.run("--fresh", "--yes")
    assert [(line["id"], line["cost_usd"]) for line in job.results()] == badly
    server.script = None
    assert NO_USAGE not in job.run("--fresh", "--yes").err


def test_refusals_and_answers_that_are_none_are_not_free(job, server):
    """They are billed as any other; an error, and a page that no model has written, are not."""
    ends = {
        "refused": Scripted(refusal="No.", usage=None),
        "unknown": Scripted(finish="eos_reached", usage=None),
        "page": Scripted(raw=b"<html>Welcome</html>"),
        "nothing": Scripted(raw=b'{"choices": []}'),
        "error": Scripted(400),
    }
    server.script = lambda document, nth, body: ends[document]
    rows = [{"id": name, "text": name} for name in ends]
    job.write(server.url, rows=rows, limits={"max_attempts": 1}).run(code=1)
    job.reconcile()
    costs = {line["id"]: line["cost_usd"] > 0 for line in job.results()}
    assert costs == {"refused": True, "unknown": True, "page": False, "nothing": False, "error": False}
