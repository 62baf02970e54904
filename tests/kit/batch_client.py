"""Batches asked of the sandbox over real HTTP, on a clock that a test turns: nothing here waits."""

import json
from contextlib import asynccontextmanager

import aiohttp
from sandbox_client import STUB, ask, client_of

from pipeline.job.settings import Sandbox

LENGTH_S = 1000.0  # of a batch: no test lives long enough for one to end by itself
DAY_S = 86_400
LOST = "lost"


def line(name, text="a document", url="/v1/chat/completions", **changes):
    return {"custom_id": name, "method": "POST", "url": url, "body": ask(text, **changes)}


def message(name, text="a document", **changes):
    turns = [{"role": "user", "content": text}]
    return {
        "custom_id": name,
        "params": {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": turns, **changes},
    }


def jsonl(lines):
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)


def parsed(text):
    return [json.loads(one) for one in text.splitlines()]


class Batches:
    """Of one provider, with its headers."""

    def __init__(self, client, headers, root=""):
        self.client, self.headers, self.root = client, headers, root

    async def ask(self, method, path, **more):
        """(status, body), or LOST where the connection was cut."""
        headers = {**self.headers, **more.pop("headers", {})}
        url = path if path.startswith("http") else self.client.url + self.root + path
        try:
            async with self.client.session.request(method, url, headers=headers, **more) as answer:
                text = await answer.text()
                kind = answer.content_type
                return answer.status, json.loads(text) if kind == "application/json" else text
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError):
            return LOST, None

    async def good(self, method, path, **more):
        status, body = await self.ask(method, path, **more)
        assert status == 200, body
        return body

    async def turn(self, advance_s):
        return await self._ours("clock", {"advance_s": advance_s})

    async def faults(self, **wanted):
        return await self._ours("faults", wanted)

    async def _ours(self, what, body):
        async with self.client.session.post(f"{self.client.url}/_sandbox/{what}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def counters(self):
        return await self.client.counters()


class OpenAIFiles(Batches):
    async def upload(self, lines, name="lines.jsonl"):
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", lines if isinstance(lines, bytes) else jsonl(lines), filename=name)
        return await self.ask("POST", "/files", data=form)

    async def create(self, lines, **more):
        """(status, batch)."""
        status, file = await self.upload(lines)
        assert status == 200, file
        wanted = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h", **more}
        return await self.ask("POST", "/batches", json=wanted)

    async def created(self, lines, **more):
        status, batch = await self.create(lines, **more)
        assert status == 200, batch
        return batch["id"]

    async def look(self, batch_id):
        return await self.good("GET", f"/batches/{batch_id}")

    async def results(self, batch):
        """(answers, errors) as text; None where there is no such file."""
        found = []
        for name in ("output_file_id", "error_file_id"):
            file_id = batch[name]
            found.append(await self.good("GET", f"/files/{file_id}/content") if file_id else None)
        return found

    async def ended(self, lines, advance_s=LENGTH_S):
        """A batch that was created and whose time has passed: (batch, answers, errors)."""
        batch_id = await self.created(lines)
        await self.turn(advance_s)
        batch = await self.look(batch_id)
        return batch, *(await self.results(batch))


class AnthropicBatches(Batches):
    async def create(self, requests, **more):
        body = requests if isinstance(requests, bytes) else json.dumps({"requests": requests}).encode()
        return await self.ask("POST", "", data=body, headers={"Content-Type": "application/json"}, **more)

    async def created(self, requests):
        status, batch = await self.create(requests)
        assert status == 200, batch
        return batch["id"]

    async def look(self, batch_id):
        return await self.good("GET", f"/{batch_id}")

    async def results(self, batch_id):
        return await self.good("GET", f"/{batch_id}/results")

    async def ended(self, requests, advance_s=LENGTH_S):
        batch_id = await self.created(requests)
        await self.turn(advance_s)
        return await self.look(batch_id), await self.results(batch_id)


class GeminiBatches(Batches):
    model = "gemini-2.5-flash"

    async def create(self, source, name="nonce-1"):
        """`source`: requests inline, or the name of a file."""
        config = {"fileName": source} if isinstance(source, str) else {"requests": {"requests": source}}
        body = {"batch": {"displayName": name, "inputConfig": config}}
        return await self.ask("POST", f"/models/{self.model}:batchGenerateContent", json=body)

    async def created(self, source, name="nonce-1"):
        status, batch = await self.create(source, name)
        assert status == 200, batch
        return batch["name"]

    async def uploaded(self, lines, name="files/mine"):
        start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        url = f"{self.client.url}/upload/v1beta/files"
        headers = {**self.headers, **start}
        async with self.client.session.post(url, json={"file": {"name": name}}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            where = answer.headers["X-Goog-Upload-URL"]
        last = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        return (await self.good("POST", where, data=jsonl(lines), headers=last))["file"]

    async def look(self, name):
        return await self.good("GET", f"/{name}")

    async def ended(self, source, advance_s=LENGTH_S):
        name = await self.created(source)
        await self.turn(advance_s)
        return await self.look(name)


def question(name, text="a document", *, inline=False, **config):
    turns = [{"role": "user", "parts": [{"text": text}]}]
    request = {"contents": turns, "generationConfig": {"maxOutputTokens": 100, **config}}
    return {"request": request, "metadata": {"id": name}} if inline else {"key": name, "request": request}


@asynccontextmanager
async def gemini_of(rules=STUB, key="any", **config):
    async with client_of(Sandbox(**{"batch_s": LENGTH_S, **config}), rules) as client:
        yield GeminiBatches(client, {"x-goog-api-key": key}, "/v1beta")


@asynccontextmanager
async def anthropic_of(rules=STUB, key="any", **config):
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    async with client_of(Sandbox(**{"batch_s": LENGTH_S, **config}), rules) as client:
        yield AnthropicBatches(client, headers, "/v1/messages/batches")


@asynccontextmanager
async def openai_of(rules=STUB, key="sk-any", root="/v1", **config):
    headers = {"Authorization": f"Bearer {key}"} if root == "/v1" else {"api-key": key}
    async with client_of(Sandbox(**{"batch_s": LENGTH_S, **config}), rules) as client:
        yield OpenAIFiles(client, headers, root)
