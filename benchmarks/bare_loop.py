"""The floor: a bare aiohttp + orjson + Pydantic loop with a semaphore. No ledger, no limits, no retries, no results."""

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path

import aiohttp
import orjson

sys.path.insert(0, str(Path(__file__).parent.parent / "schemas"))
from invoice import Invoice

from pipeline.schema.shape import shape_for


async def main(url: str, path: str, concurrency: int) -> None:
    schema = shape_for(Invoice, "openai", "auto").shape.schema
    fixed = {
        "model": "gpt-4o-mini",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "Invoice", "strict": True, "schema": schema},
        },
        "max_completion_tokens": 1024,
    }
    gate, good, bad = asyncio.Semaphore(concurrency), 0, 0

    async def one(session: aiohttp.ClientSession, text: str) -> None:
        nonlocal good, bad
        async with gate:
            body = orjson.dumps({**fixed, "messages": [{"role": "user", "content": "Extract the invoice.\n\n" + text}]})
            async with session.post(url + "/chat/completions", data=body) as response:
                answer = orjson.loads(await response.read())
        try:
            Invoice.model_validate_json(answer["choices"][0]["message"]["content"])
            good += 1
        except (ValueError, KeyError, TypeError):
            bad += 1

    headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
    began = time.perf_counter()
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:
        pending: set[asyncio.Task[None]] = set()
        with Path(path).open("rb") as lines:
            for line in lines:
                pending.add(asyncio.create_task(one(session, orjson.loads(line)["text"])))
                if len(pending) >= 2 * concurrency:
                    _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if pending:
            await asyncio.wait(pending)
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"good": good, "bad": bad, "wall_s": time.perf_counter() - began}
    print(json.dumps({**figures, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("path")
    parser.add_argument("--concurrency", type=int, default=100)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.url, arguments.path, arguments.concurrency))
