"""The run's own secret is in nothing that comes back, however a provider writes it."""

import asyncio
import json

import pytest
from aiohttp import web

from pipeline.job.settings import Limits, Model
from pipeline.providers import wire_for
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.http import HttpTransport
from pipeline.types import AnswerShape, Purpose, Request, Turn, text_parts

KEY = 'sk-very/secret"key-0123456789'
AWS = Secret("aws-secret-access", access_key_id="AKIAEXAMPLE123", session_token="session-token-text")


def test_a_secret_does_not_show_itself():
    """Neither in a repr nor in a format."""
    for text in (repr(AWS), str(AWS), f"{AWS}"):
        assert not any(word in text for word in AWS.words)


@pytest.mark.parametrize("written", [KEY, json.dumps(KEY)[1:-1], json.dumps(KEY)[1:-1].replace("/", "\\/")])
def test_it_is_taken_out_in_every_spelling(written):
    """As it is, escaped as JSON does, and with escaped slashes."""
    assert Secret(KEY).redacted(f"<{written}>".encode()) == b"<[redacted]>"


def test_all_three_parts_of_an_aws_secret_are_taken_out():
    """The key id and the session token too."""
    assert AWS.redacted(" ".join(AWS.words).encode()) == b"[redacted] [redacted] [redacted]"


@pytest.mark.parametrize("stream", [False, True])
def test_the_transport_hands_on_no_secret(stream):
    """An answer that echoes the key, whole or streamed in small pieces."""

    async def echo(request):
        key = request.headers["Authorization"].removeprefix("Bearer ")
        if not stream:
            return web.Response(body=json.dumps({"echo": key}).encode(), content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in (key[:9], key[9:]):
            choice = {"index": 0, "delta": {"content": piece}}
            await response.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        await response.write(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
        return response

    assert KEY[:12].encode() not in asyncio.run(_answered(echo, stream=stream)).body


async def _answered(handler, *, stream):
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    model = Model(provider="openai", name="gpt-4o-mini", max_output_tokens=10, base_url=url, stream=stream)
    transport = HttpTransport(Limits(), FixedKey(Secret(KEY)), stream=stream)
    request = Request(b"0" * 16, 0, "0", 0, Purpose.EXTRACT, "", (Turn("user", text_parts("x")),), 10, 5, 100)
    try:
        return await transport.send(wire_for(model, AnswerShape("Thing", "json_object", {}, strict=False), {}), request)
    finally:
        await transport.aclose()
        await runner.cleanup()
