"""The sandbox in a thread of its own, kept between runs as a provider is: its batches, its clock, and its books."""

import asyncio
import json
import threading
import urllib.request
from contextlib import contextmanager
from decimal import Decimal

from pipeline.commands.verify import verify
from pipeline.job.settings import Sandbox
from pipeline.sandbox.exchange import Rules
from pipeline.sandbox.server import serve

SOON = {"poll_s": 0.05}
ROWS = [{"id": f"r{number}", "text": f"document {number}"} for number in range(12)]
PRICES = {"input_usd_per_mtok": 1, "cached_input_usd_per_mtok": 1, "output_usd_per_mtok": 2, "batch_share": 0.5}


def extract(text, schema):
    return {"name": text.strip()[:40], "total": "1"} if "name" in schema["properties"] else {}


RULES = Rules(extract, lambda text, schema, errors: extract(text, schema), lambda text, cap: text)


class Provider:
    """`url` as a job's base_url has it."""

    def __init__(self, root):
        self.root = root
        self.url = f"{root}/v1"

    def faults(self, **wanted):
        return self._ours("faults", wanted)

    def turn(self, advance_s):
        return self._ours("clock", {"advance_s": advance_s})

    def counters(self):
        return self._ours("counters")

    def _ours(self, what, body=None):
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.root}/_sandbox/{what}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            return json.load(answer)


@contextmanager
def providing(rules=RULES, **config):
    """config: of [sandbox]."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), []

    def work():
        asyncio.set_event_loop(loop)
        runner, port = loop.run_until_complete(serve(Sandbox(**{"batch_s": 0.0, **config}), "127.0.0.1", 0, rules))
        found.append(Provider(f"http://127.0.0.1:{port}"))
        loop.call_soon(ready.set)
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        for task in (left := asyncio.all_tasks(loop)):  # of connections that a killed run has left
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(20), "the sandbox did not start"
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def write(job, provider, rows=ROWS, **sections):
    """A job whose requests go by batch."""
    sections = {
        **sections,
        "model": {"lane": "batch", **sections.get("model", {})},
        "batch": {**SOON, **sections.get("batch", {})},
        "prices": {**PRICES, **sections.get("prices", {})},
    }
    return job.write(provider.url, rows=rows, **sections)


def agrees(job, provider, *, missing=0, untold=0, twice=0, called_off=False):
    """Both sides' books say the same: each answer that was billed is paid for on the ledger, and none twice.

    missing: lines that were billed, and have no result. untold: lines with an answer and no usage. called_off: of the
    missing some were not billed, as their batch was called off before them: nobody can tell.
    """
    served, calls = provider.counters(), job.calls()
    manifest = job.reconcile()
    assert (0 if called_off else twice) <= served["billed_twice"] <= twice, served
    for lane in ("live", "batch"):
        ours = [call for call in calls if call["lane"] == lane and call["http_status"] == 200]
        billed = served["lanes"][lane]
        unknown = missing if lane == "batch" else 0
        assert (0 if called_off else unknown) <= billed["lines"] - len(ours) <= unknown, lane
        if not missing and not untold:
            assert billed["prompt_tokens"] == sum(call["input_tokens"] for call in ours), lane
            assert billed["completion_tokens"] == sum(call["output_tokens"] for call in ours), lane
    cost = sum((call["cost_usd"] or Decimal(0) for call in calls), Decimal(0))
    if not missing and not untold:
        lanes = served["lanes"]
        assert cost == sum(
            Decimal(lanes[lane]["prompt_tokens"] + 2 * lanes[lane]["completion_tokens"]) * share / 1_000_000
            for lane, share in (("live", Decimal(1)), ("batch", Decimal("0.5")))
        )
    assert sum(call["error_code"] == "lost" for call in calls) == missing
    for call in calls:
        if call["lane"] == "batch":
            assert call["latency_ms"] is None
            assert call["wait_ms"] is None
    assert [check.problem for check in verify(job.out) if check.problem is not None] == []
    return manifest
