"""A client of the sandbox for tests, over real HTTP, and rules so plain that an answer can be foretold."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import orjson

from pipeline.job.settings import Sandbox
from pipeline.sandbox.exchange import Rules
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.server import serve

SHARES = [fault.value for fault in Fault if fault is not Fault.NONE]

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "required": ["name", "note"],
    "additionalProperties": False,
}


def extract(text, schema):
    return {"name": text, "note": None} if schema["properties"] else {}


def repair(text, schema, errors):
    return {"name": text, "note": errors}


def read(text, cap_tokens):
    return text


STUB = Rules(extract, repair, read)
PATIENCE = aiohttp.ClientTimeout(total=10)


def shaped(schema=SCHEMA, *, strict=True, name="Thing"):
    return {"type": "json_schema", "json_schema": {"name": name, "strict": strict, "schema": schema}}


def ask(text="a document", **changes):
    body = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": "Read."}, {"role": "user", "content": text}],
        "max_completion_tokens": 1000,
        "response_format": shaped(),
        **changes,
    }
    return {key: value for key, value in body.items() if value is not ...}


@dataclass
class Got:
    status: int
    headers: Mapping
    text: str

    @property
    def body(self):
        return json.loads(self.text)

    @property
    def error(self):
        return self.body["error"]

    @property
    def choice(self):
        return self.body["choices"][0]

    @property
    def record(self):
        return json.loads(self.choice["message"]["content"])


@dataclass
class Client:
    url: str
    session: aiohttp.ClientSession

    async def post(self, body, key="Bearer sk-any", path="/v1/chat/completions"):
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"Content-Type": "application/json", **({} if key is None else {"Authorization": key})}
        async with self.session.post(self.url + path, data=data, headers=headers) as answer:
            return Got(answer.status, answer.headers, await answer.text())

    async def counters(self):
        async with self.session.get(self.url + "/_sandbox/counters") as answer:
            return await answer.json()

    async def reset(self):
        async with self.session.post(self.url + "/_sandbox/reset") as answer:
            assert answer.status == 204


@asynccontextmanager
async def client_of(config, rules=STUB):
    runner, port = await serve(config, "127.0.0.1", 0, rules)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=PATIENCE) as session:
            yield Client(f"http://127.0.0.1:{port}", session)
    finally:
        await runner.cleanup()


def with_client(use, rules=STUB, **config):
    async def main():
        async with client_of(Sandbox(**config), rules) as client:
            return await use(client)

    return asyncio.run(main())


def posted(body, rules=STUB, **config):
    return with_client(lambda client: client.post(body), rules, **config)


def always(fault):
    return {fault.value: 1.0}


def nested(inner):
    return {"type": "object", "properties": {"x": inner}, "required": ["x"], "additionalProperties": False}


OPEN = {"type": "object", "properties": {}, "required": []}
TOOL = {"type": "function", "function": {"name": "Thing", "strict": True, "parameters": SCHEMA}}
FORCED = {"type": "function", "function": {"name": "Thing"}}
USER = {"role": "user", "content": "x"}
