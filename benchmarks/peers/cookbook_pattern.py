"""The script that many start from: requests as JSON lines, a token bucket by the clock, retries by hand, no validation.

Our own writing of that pattern; limits are set so high that only its loop counts.
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path

import aiohttp
from shared import KEY, MODEL, MOST_TOKENS, Invoice, arguments, prompts

PER_MINUTE, TOKENS_PER_MINUTE = 10_000_000.0, 10_000_000_000.0
ATTEMPTS = 5
SCHEMA = {"type": "json_schema", "json_schema": {"name": "Invoice", "schema": Invoice.model_json_schema()}}


class Buckets:
    """Requests and tokens that may still be used, as the clock refills them."""

    def __init__(self):
        self.requests, self.tokens, self.at_s = PER_MINUTE, TOKENS_PER_MINUTE, time.monotonic()

    def taken(self, tokens):
        now_s = time.monotonic()
        passed_s, self.at_s = now_s - self.at_s, now_s
        self.requests = min(PER_MINUTE, self.requests + PER_MINUTE * passed_s / 60)
        self.tokens = min(TOKENS_PER_MINUTE, self.tokens + TOKENS_PER_MINUTE * passed_s / 60)
        if self.requests < 1 or self.tokens < tokens:
            return False
        self.requests -= 1
        self.tokens -= tokens
        return True


async def call(session, url, request, results, gate):
    for _ in range(ATTEMPTS):
        async with session.post(url, json=request) as response:
            answer = await response.json()
        if "error" not in answer:
            break
    with results.open("a") as file:
        file.write(json.dumps([request, answer]) + "\n")
    gate.release()
    return "error" not in answer


async def main(options, results):
    url, buckets, gate, tasks = f"{options.url}/chat/completions", Buckets(), asyncio.Semaphore(options.concurrency), []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}, connector=connector) as session:
        for prompt in prompts(options.rows):
            request = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], "response_format": SCHEMA}
            request["max_completion_tokens"] = MOST_TOKENS
            while not buckets.taken(len(prompt) // 4 + MOST_TOKENS):  # noqa: ASYNC110 (as such scripts do)
                await asyncio.sleep(0.001)
            await gate.acquire()
            tasks.append(asyncio.create_task(call(session, url, request, results, gate)))
        good = sum(await asyncio.gather(*tasks))
    print(json.dumps({"good": good, "bad": len(tasks) - good}))


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(arguments(), Path(folder) / "results.jsonl"))
