"""Admission over real HTTP: the sandbox with its buckets on, our runs and a bare loop with a semaphore, in turn.

1,500 rows at 3,000 requests a minute, in buckets of one second's worth (50) and of ten (500). The limit is given by the
job, told by headers, or told by nobody (the Bedrock wire, which has no such headers). Ideal: what the refill must let
through after the first fill, (rows - burst) / (limit / 60).

python benchmarks/admission_http.py [--rows 1500] [--rounds 1]
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import pyarrow.parquet as pq
from common import REPO, counters, measured, sandbox
from scale import write_short_invoices

LIMIT, LATENCY_MS, SLOTS = 3000, 200, 64
KNOWN = {"requests_per_minute": LIMIT}


def job(folder, url, rows, *, silent, limits):
    provider = 'provider = "bedrock"\nregion = "us-east-1"' if silent else 'provider = "openai"'
    name = "us.anthropic.claude-haiku-4-5-20251001-v1:0" if silent else "gpt-4o-mini"
    lines = [f"{key} = {value}" for key, value in {"concurrency": SLOTS, "max_failed_share": 1.0, **limits}.items()]
    text = f"""
[input]
path = "{rows}"
id = "id"
[extract]
schema = "{REPO}/schemas/invoice.py:Invoice"
prompt = "Extract the invoice.\\n\\n{{text}}"
[model]
{provider}
name = "{name}"
max_output_tokens = 512
base_url = "{url if silent else url + "/v1"}"
[limits]
{chr(10).join(lines)}
[output]
path = "{folder}/out"
"""
    path = folder / "job.toml"
    path.write_text(text)
    return path


def ours(folder, url, rows, **how):
    """Wall from start to end of the process, and from the first call sent to the last answered."""
    command = [sys.executable, "-m", "pipeline", "run", str(job(folder, url, rows, **how))]
    os.environ |= {"OPENAI_API_KEY": "sk-none", "AWS_BEARER_TOKEN_BEDROCK": "none"}
    found = measured(command, REPO)
    if found["code"]:
        sys.exit(found["err"])
    calls = pq.read_table(folder / "out" / "calls.parquet", columns=["sent_at", "latency_ms", "wait_ms", "error_code"])
    sent = [moment.timestamp() for moment in calls["sent_at"].to_pylist()]
    ended = [at + (ms or 0) / 1000 for at, ms in zip(sent, calls["latency_ms"].to_pylist(), strict=True)]
    waits = sorted(calls["wait_ms"].to_pylist())
    limited = calls["error_code"].to_pylist().count("rate_limited")
    return {
        "wall_s": found["wall_s"],
        "calls_s": max(ended) - min(sent),
        "limited": limited,
        "calls": len(sent),
        "wait_p99_s": waits[int(0.99 * len(waits))] / 1000,
    }


async def bare(url, texts):
    """What people write by hand: a semaphore, and a jittered doubling back-off on 429."""
    gate, limited, calls = asyncio.Semaphore(SLOTS), 0, 0
    began_s = time.perf_counter()

    async def one(session, text):
        nonlocal limited, calls
        body = {"model": "gpt-4o-mini", "max_completion_tokens": 512, "messages": [{"role": "user", "content": text}]}
        async with gate:
            for attempt in range(12):
                calls += 1
                async with session.post(url + "/v1/chat/completions", json=body) as response:
                    await response.read()
                    if response.status != 429:
                        return
                limited += 1
                await asyncio.sleep(random.random() * min(60.0, 2.0**attempt))

    async with aiohttp.ClientSession(headers={"Authorization": "Bearer sk-none"}) as session:
        await asyncio.gather(*(one(session, text) for text in texts))
    wall_s = time.perf_counter() - began_s
    return {"wall_s": wall_s, "calls_s": wall_s, "limited": limited, "calls": calls, "wait_p99_s": 0.0}


CLIENTS = {
    "a semaphore of 64 with back-off": None,
    "ours, limit given by the job": {"silent": False, "limits": KNOWN},
    "ours, limit told by headers": {"silent": False, "limits": {}},
    "ours, limit given, silent provider": {"silent": True, "limits": KNOWN},
    "ours, limit told by nobody": {"silent": True, "limits": {}},
    "ours, told by nobody, the night after": {"silent": True, "limits": {}},
}


def one_of(name, how, burst_s, rows):
    """A fresh sandbox for each, with full buckets."""
    flags = ("--requests-per-minute", str(LIMIT), "--burst-s", str(burst_s), "--latency-ms", str(LATENCY_MS))
    before = 0
    with tempfile.TemporaryDirectory() as scratch, sandbox(*flags) as url:
        data = Path(scratch) / "rows.jsonl"
        write_short_invoices(data, rows)
        if how is None:
            texts = [json.loads(line)["text"] for line in data.read_text().splitlines()]
            found = asyncio.run(bare(url, texts))
        else:
            found = ours(Path(scratch), url, data, **how)
            if "night after" in name:  # what the ledger kept is where it starts
                before = counters(url)["rate_limited"]
                write_short_invoices(data, rows, seed=2)
                time.sleep(burst_s)  # a day later the bucket is full again
                found = ours(Path(scratch), url, data, **how)
        found["seen_by_the_server"] = counters(url)["rate_limited"] - before
    burst = max(1.0, LIMIT * burst_s / 60)
    ideal_s = max(LATENCY_MS / 1000, (rows - burst) / (LIMIT / 60))
    print(
        f"| {burst:,.0f} | {name} | {found['calls_s'] / ideal_s:.3f} | {found['wall_s'] / ideal_s:.3f} | "
        f"{found['limited']:,} ({found['limited'] / found['calls']:.2%}) | {found['wait_p99_s']:.2f} |",
        flush=True,
    )
    assert found["limited"] == found["seen_by_the_server"], "a 429 that one side did not count"


def main(rows, rounds):
    print(f"{rows:,} rows, {LIMIT:,} requests a minute, {LATENCY_MS} ms")
    print("| burst | client | first call to last answer / ideal | process / ideal | 429s | p99 wait, s |")
    print("|---|---|---|---|---|---|")
    for _ in range(rounds):
        for burst_s in (1, 10):
            for name, how in CLIENTS.items():
                one_of(name, how, burst_s, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    main(arguments.rows, arguments.rounds)
