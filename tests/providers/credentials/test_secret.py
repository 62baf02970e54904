"""The run's own secret is in nothing that comes back, however a provider writes it."""

import asyncio
import json

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from spellings import SPELLINGS, hexed, twice

from pipeline.job.settings import Limits, Model
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.connection import BadAnswer, Raw, TooLarge
from pipeline.providers.transport.http import HttpTransport, failure
from pipeline.providers.transport.received import told
from pipeline.types import AnswerShape, Purpose, Request, Turn

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


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "key", [KEY, "0123abcd" * 4, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "ein-schlüssel-der-lang-ist"]
)
def test_however_it_is_spelled_it_is_gone(key, spelling):
    """What is left says nothing of it, however often it is unescaped; what stands around it stays."""
    if not key.isascii() and spelling in {"percent", "upper"}:
        pytest.skip("bytes that are no text")
    left = Secret(key).unsaid(f'{{"a": "<{SPELLINGS[spelling](key)}>", "b": "19 % & more"}}')
    assert "[redacted]" in left
    assert left.startswith('{"a": "<')
    assert left.endswith('>", "b": "19 % & more"}')
    assert not any(piece in left.lower() for piece in (key[2:10].lower(), SPELLINGS[spelling](key)[8:24].lower()))


@pytest.mark.parametrize(
    "text",
    ["", "19 % & more", "100%25 \\u00e4\\u0041 %20 &#65; \\n \\/", json.dumps('Größe / "x" \\u'), "key", "sk-very"],
)
def test_all_else_stays_as_it_is(text):
    """Escapes of other things, and what only begins like it."""
    assert Secret(KEY).unsaid(text) == text


@given(
    before=st.text(max_size=9), after=st.text(max_size=9), picks=st.lists(st.integers(0, 4), min_size=30, max_size=30)
)
def test_each_character_may_be_escaped_in_a_way_of_its_own(before, after, picks):
    """What is around it is JSON before and after."""
    ways = (
        str,
        hexed,
        lambda char: twice(hexed(char)),
        lambda char: f"%{ord(char):02x}",
        lambda char: f"&#{ord(char)};",
    )
    key = "sk-abcdefghijklmnop0123456789Z"
    written = "".join(ways[pick](char) for pick, char in zip(picks, key, strict=True))
    text = json.dumps({"a": before})[:-1] + ', "b": "' + written + '", "c": ' + json.dumps(after) + "}"
    assert json.loads(Secret(key).unsaid(text)) == {"a": before, "b": "[redacted]", "c": after}


def test_a_signature_is_taken_out_with_what_it_was_made_of():
    """Whoever has it may send that request once more, for some minutes."""
    signature = "0f" * 32
    sent = {"Authorization": f"AWS4-HMAC-SHA256 Credential={AWS.access_key_id}/x, Signature={signature}"}
    raw = Raw(403, {"x-amzn-requestid": signature, "x-told": AWS.session_token}, sent["Authorization"].encode())
    answer = told(raw, sent, AWS, None)
    assert answer.headers == {"x-amzn-requestid": "[redacted]", "x-told": "[redacted]"}
    assert answer.body == b"AWS4-HMAC-SHA256 Credential=[redacted]/x, Signature=[redacted]"


@pytest.mark.parametrize(
    "error", [BadAnswer(f"packed as {'x' * 490} {KEY}"), ConnectionError(KEY), TooLarge(200), ValueError(KEY.upper())]
)
def test_what_broke_is_told_without_it(error):
    """Also where a message is cut in the middle of it."""
    assert KEY[:6].lower() not in failure(error, Secret(KEY)).message.lower()


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
