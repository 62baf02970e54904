"""Look-ups for tests: the user's file, jobs that have it, and a sandbox in this process that asks for them."""

import asyncio
import threading
from contextlib import contextmanager

from pipeline.job.settings import Sandbox
from pipeline.sandbox.exchange import Rules
from pipeline.sandbox.rules import rules
from pipeline.sandbox.server import serve

FILE = '''
import os
import time
from pathlib import Path
from typing import Annotated

from pydantic import Field

CALLED = Path(__file__).with_name("called.txt")


def noted(word):
    with CALLED.open("a") as file:
        file.write(word + "\\n")


def find_vendor(supplier: Annotated[str, Field(description="as printed")]) -> dict:
    """The vendor's number in our books."""
    noted(f"vendor {supplier}")
    return {"vendor_id": "V-17"}


def find_rate(currency: str = "EUR") -> float:
    """The day's rate."""
    noted(f"rate {currency}")
    return 1.25


def broken(supplier: str) -> str:
    """Raises."""
    noted("broken")
    raise ValueError("no connection to the books")


def slow(supplier: str) -> str:
    """Takes too long."""
    noted("slow")
    time.sleep(1)
    return "late"


def huge(supplier: str) -> str:
    """Returns 50 MB."""
    return "x" * 50_000_000
'''
SCHEMA = """
from pydantic import BaseModel


class Thing(BaseModel):
    supplier: str
    vendor_id: str | None = None
"""
HAIKU, NOVA = "us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-lite-v1:0"
BEDROCK = {"provider": "bedrock", "region": "us-east-1"}
WIRES = {
    "openai chat": {"provider": "openai", "name": "gpt-4o-mini"},
    "openai responses": {"provider": "openai", "name": "gpt-4o-mini", "api": "responses"},
    "azure": {"provider": "azure", "name": "gpt-4o-mini"},
    "anthropic": {"provider": "anthropic", "name": "claude-sonnet-4-5"},
    "anthropic that cannot be forced": {"provider": "anthropic", "name": "claude-sonnet-5-5"},
    "converse claude": {**BEDROCK, "name": HAIKU},
    "converse nova": {**BEDROCK, "name": NOVA},
    "gemini": {"provider": "gemini", "name": "gemini-2.5-flash"},
    "vertex": {"provider": "vertex", "name": "gemini-2.5-flash", "project": "p", "api_key_env": "VERTEX_KEY"},
}


def written(job, url, tools, *, rows=1, extract=None, limits=None, sections=None, **model):
    """A job over bills that has these look-ups, at a server of any wire."""
    (job.folder / "lookups.py").write_text(FILE)
    (job.folder / "thing.py").write_text(SCHEMA)
    base = f"{url}/v1" if model.get("provider", "openai") == "openai" and not url.endswith("/v1") else url
    texts = [{"id": f"r{number}", "text": f"Supplier: Blue Mill {number}\nCurrency: USD"} for number in range(rows)]
    return job.write(
        url,
        rows=texts,
        extract={"tools": [f"lookups.py:{name}" for name in tools], **(extract or {})},
        model={"base_url": base, "max_output_tokens": 200, **model},
        limits={"max_failed_share": 1.0, **(limits or {})},
        **(sections or {}),
    )


def called(job):
    """What ran, in order."""
    file = job.folder / "called.txt"
    return file.read_text().splitlines() if file.exists() else []


@contextmanager
def asking(*, endless=False):
    """A sandbox in a thread of this process; its address."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), {}
    model = Rules(rules.extract, rules.repair, rules.read, endless=endless)

    async def start():
        runner, port = await serve(Sandbox(), "127.0.0.1", 0, model)
        found["url"] = f"http://127.0.0.1:{port}"
        return runner

    def work():
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        loop.call_soon(ready.set)
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(10), "the sandbox did not start"
    try:
        yield found["url"]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
