"""A provider for tests: a real HTTP server on loopback that answers chat completions and Responses as a script says.

The script is `answer(document: str, nth: int, body: dict) -> Scripted | None`; `nth` counts requests for that document
from 1, None is a good answer. Everything received is kept, so that "sent" and "paid" are counted here, not believed.
"""

import asyncio
import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from pipeline.text import COMPLAINT

GOOD = {"name": "ok", "total": "1.50"}


@dataclass
class Scripted:
    """One answer. `text` becomes the message's content; `raw` replaces the whole body."""

    status: int = 200
    text: str | None = None
    finish: str = "stop"
    raw: bytes | None = None
    headers: dict = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False  # half a body, then a reset
    usage: tuple | None = (100, 20)  # None: it is not told
    refusal: str | None = None
    error: dict | None = None
    called: bool = False  # the text is the arguments of the body's tool


@dataclass
class Server:
    url: str = ""
    script: object = None
    requests: list = field(default_factory=list)  # (document, body, monotonic seconds)
    paid: Counter = field(default_factory=Counter)  # document -> answers with usage sent
    seen: Counter = field(default_factory=Counter)
    now: int = 0
    most_at_once: int = 0

    @property
    def sent(self):
        return len(self.requests)


def document_of(body):
    """What stands between the markers in the last question, which is no complaint about an answer; else all of it."""
    asked = [said(message["content"]) for message in body["messages"] if message["role"] == "user"]
    text = next(text for text in reversed(asked) if not text.startswith(COMPLAINT))
    inner = text.split("<<", 1)[-1]
    return inner.rpartition(">>")[0] if ">>" in inner else inner


def said(content):
    """The text of a message, without its files."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def completion(scripted, body):
    content = scripted.text if scripted.text is not None else json.dumps(GOOD)
    prompt, out = scripted.usage or (0, 0)
    usage = {"prompt_tokens": prompt, "completion_tokens": out, "total_tokens": prompt + out}
    message = {"role": "assistant", "content": None if scripted.refusal else content, "refusal": scripted.refusal}
    if scripted.called:
        function = {"name": body["tools"][0]["function"]["name"], "arguments": content}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"] + "-2026-01-01",
        "choices": [{"index": 0, "message": message, "finish_reason": scripted.finish}],
        **({} if scripted.usage is None else {"usage": usage}),
    }


def responses(scripted, body):
    """The same in Responses; `finish` is its status, or why it is incomplete."""
    told = completion(scripted, body)
    kind, text = (
        ("refusal", scripted.refusal) if scripted.refusal else ("text", told["choices"][0]["message"]["content"])
    )
    part = {"type": "refusal" if scripted.refusal else "output_text", kind: text}
    done = scripted.finish == "stop"
    usage = told.get("usage")
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed" if done else "incomplete",
        "error": None,
        "incomplete_details": None if done else {"reason": scripted.finish},
        "model": told["model"],
        "output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": [part]}],
        **(
            {"usage": {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}}
            if usage
            else {}
        ),
    }


def cohere(scripted, body):
    """The same as Cohere's chat of version 2."""
    told = completion(scripted, body)
    part, usage = {"type": "text", "text": told["choices"][0]["message"]["content"]}, told.get("usage")
    counts = usage and {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
    ends = {"stop": "COMPLETE", "length": "MAX_TOKENS"}
    return {
        "id": "c-1",
        "finish_reason": ends.get(scripted.finish, scripted.finish),
        "message": {"role": "assistant", "content": [part]},
        **({"usage": {"billed_units": counts, "tokens": {"input_tokens": 900, "output_tokens": 90}}} if counts else {}),
    }


FORMS = {  # paths of vendors → their bodies
    "/v1/chat/completions": completion,
    "/v1/responses": responses,
    "/openai/v1/chat/completions": completion,  # Groq
    "/inference/v1/chat/completions": completion,  # Fireworks
    "/v2/chat": cohere,
}


async def _answer(server, request):
    body = json.loads(await request.read())
    document = document_of({"messages": body.get("input"), **body})
    server.requests.append((document, body, asyncio.get_running_loop().time()))
    server.seen[document] += 1
    server.now += 1
    server.most_at_once = max(server.most_at_once, server.now)
    try:
        scripted = (server.script and server.script(document, server.seen[document], body)) or Scripted()
        if scripted.delay_s:
            await asyncio.sleep(scripted.delay_s)
        return await _respond(server, request, scripted, document, body)
    finally:
        server.now -= 1


async def _respond(server, request, scripted, document, body):
    headers = {"x-request-id": f"req_{len(server.requests)}", **scripted.headers}
    if scripted.raw is not None:
        return web.Response(status=scripted.status, body=scripted.raw, headers=headers)
    if scripted.status != 200:
        error = scripted.error or {"message": "scripted failure", "type": "server_error", "code": None, "param": None}
        return web.json_response({"error": error}, status=scripted.status, headers=headers)
    payload = json.dumps(FORMS[request.path](scripted, body)).encode()
    if scripted.cut:
        response = web.StreamResponse(headers={**headers, "Content-Length": str(len(payload))})
        await response.prepare(request)
        await response.write(payload[: len(payload) // 2])
        request.transport.abort()
        return response
    server.paid[document] += 1
    return web.Response(body=payload, content_type="application/json", headers=headers)


@contextmanager
def serving(script=None):
    """A server in a thread of its own; `server.url` ends in /v1."""
    server, ready, loop = Server(script=script), threading.Event(), asyncio.new_event_loop()

    async def start():
        app = web.Application(client_max_size=2**28)
        for path in FORMS:
            app.router.add_post(path, partial(_answer, server))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner

    def work():
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        loop.call_soon(ready.set)  # from within run_forever, or a stop that comes at once would be lost
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        for task in (left := asyncio.all_tasks(loop)):  # answers that nobody waits for any more
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(10), "the server did not start"
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
