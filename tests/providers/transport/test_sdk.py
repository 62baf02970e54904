"""The official SDKs as transports: the wire's bytes, sent once, and whatever comes back is judged by the wire."""

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch
from urllib.parse import unquote

import aiohttp
import certifi
import pytest
from aiohttp import web
from openai_family import KEY, NOW, RECORD, asked, shape_of
from sandbox_client import STUB, always

from pipeline.catalog.providers import PROVIDERS
from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Limits, Model, Sandbox
from pipeline.providers import wire_for
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport import sdk
from pipeline.providers.transport.http import HttpTransport
from pipeline.providers.transport.sdk import SdkTransport
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.server import serve
from pipeline.types import Stop

GPT, CLAUDE, GEMINI = "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-flash"
ON_BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PLAIN, TOKEN = Secret(KEY), Secret("a-token-of-the-tests", bearer=True)
AWS = Secret("sandbox-secret", "AKIASANDBOX1")
ELSE = "http://of.somebody.else"  # may stand in the environment, and goes nowhere
CASES = {  # name → (what [model] says, secret)
    "openai": ({"provider": "openai", "name": GPT}, PLAIN),
    "sandbox": ({"provider": "sandbox", "name": GPT}, PLAIN),
    "openai responses": ({"provider": "openai", "name": GPT, "api": "responses"}, PLAIN),
    "azure responses": ({"provider": "azure", "name": GPT, "api": "responses"}, PLAIN),
    "azure responses dated": (
        {"provider": "azure", "name": GPT, "api": "responses", "api_version": "2025-04-01-preview"},
        PLAIN,
    ),
    "azure": ({"provider": "azure", "name": GPT}, PLAIN),
    "azure dated": ({"provider": "azure", "name": GPT, "api_version": "2025-01-01-preview"}, PLAIN),
    "azure entra": ({"provider": "azure", "name": GPT}, TOKEN),
    "anthropic": ({"provider": "anthropic", "name": CLAUDE}, PLAIN),
    "gemini": ({"provider": "gemini", "name": GEMINI}, PLAIN),
    "gemini token": ({"provider": "gemini", "name": GEMINI}, TOKEN),
    "vertex": ({"provider": "vertex", "name": GEMINI, "project": "p", "region": "europe-west4"}, TOKEN),
    "vertex express": ({"provider": "vertex", "name": GEMINI, "api_key_env": "A_KEY"}, PLAIN),
    "converse": ({"provider": "bedrock", "name": ON_BEDROCK, "region": "eu-west-1"}, AWS),
    "converse key": ({"provider": "bedrock", "name": ON_BEDROCK, "region": "eu-west-1"}, TOKEN),
    "invoke flex": (
        {"provider": "bedrock", "name": ON_BEDROCK, "region": "eu-west-1", "api": "invoke", "service_tier": "flex"},
        AWS,
    ),
    "vertex flex": ({"provider": "vertex", "name": GEMINI, "project": "p", "service_tier": "flex"}, TOKEN),
    "invoke": ({"provider": "bedrock", "name": ON_BEDROCK, "region": "eu-west-1", "api": "invoke"}, AWS),
}
SDKS = (
    "openai",
    "openai responses",
    "anthropic",
    "gemini",
    "vertex",
    "converse",
    "invoke",
)  # one case of each way through an SDK
cases = pytest.mark.parametrize("case", CASES)
two = pytest.mark.parametrize("case", ["openai", "converse"])
sdks = pytest.mark.parametrize("case", SDKS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
LIMITS = Limits(timeout_s=10.0, idle_timeout_s=5.0)


@pytest.fixture(autouse=True, scope="module")
def one_authority(tmp_path_factory):
    """Each client reads all authorities that there are, which takes it 20 ms, and nobody here has a certificate."""
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    file.write_text(first + end)
    with patch.dict(os.environ, dict.fromkeys(("SSL_CERT_FILE", "AWS_CA_BUNDLE"), str(file))):
        yield


IMPATIENT = {False: Limits(timeout_s=0.3, idle_timeout_s=9.0), True: Limits(timeout_s=9.0, idle_timeout_s=0.3)}


def wired(case, host, *, stream=False):
    """(model, wire, secret) of a case, at a host."""
    changes, secret = CASES[case]
    base = f"{host}/v1" if changes["provider"] in {"openai", "sandbox"} else host
    model = Model(max_output_tokens=500, base_url=base, stream=stream, **changes)
    return model, wire_for(model, shape_of(), {}), secret


@asynccontextmanager
async def carrying(case, *, stream=False, limits=LIMITS, secret=None, transport=SdkTransport):
    """A function that sends one call to a host, through one transport; gives back (what was answered, outcome)."""
    model, _, own = wired(case, "http://of.no.matter", stream=stream)
    credentials = FixedKey(secret or own)
    if transport is SdkTransport:
        carrier = SdkTransport(model, limits, credentials)
    else:
        carrier = HttpTransport(limits, credentials, stream=stream)

    async def send(host):
        _, wire, _ = wired(case, host, stream=stream)
        try:
            answered = await carrier.send(wire, asked())
            return answered, wire.reply(answered)
        except CallFailed as failure:
            return None, failure

    try:
        yield send
    finally:
        await carrier.aclose()


@asynccontextmanager
async def sandbox(**config):
    runner, port = await serve(Sandbox(**config), "127.0.0.1", 0, STUB)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


# ── against the sandbox ─────────────────────────────────────────────────────────────────────────────────────────────


@cases
@streams
def test_a_call_through_the_sdk_is_a_call(case, stream):
    """The sandbox takes it (its key, its signature), and the reply is the one that our own client gets."""

    async def main():
        async with sandbox() as host:
            found = []
            for kind in (SdkTransport, HttpTransport):
                async with carrying(case, stream=stream, transport=kind) as send:
                    found.append(await send(host))
            return found

    (answered, reply), (_, other) = asyncio.run(main())
    assert json.loads(reply.text) == RECORD
    assert (reply.text, reply.stop, reply.usage, reply.finish_reason, reply.model_version) == (
        *(other.text, other.stop, other.usage, other.finish_reason, other.model_version),
    )
    assert (answered.ttft_ms is not None) == stream
    assert reply.provider_request_id
    assert all(name == name.lower() for name in answered.headers)


ENDS = {
    Fault.THROTTLED: Kind.THROTTLED,
    Fault.SERVER_ERROR: Kind.OVERLOADED,
    Fault.DISCONNECT: Kind.CONNECTION,
    Fault.TRUNCATED: Stop.TRUNCATED,
    Fault.TIMEOUT: Kind.TIMEOUT,
}


@sdks
@streams
def test_faults_are_told_as_they_are_and_tried_once(case, stream):
    """A limit, an error, a cut, silence: the same kind as through our own client, and no SDK tries again by itself."""

    async def suffered(send, fault, session):
        async with sandbox(**always(fault)) as host:
            _, found = await send(host)
            async with session.get(f"{host}/_sandbox/counters") as answer:
                return found, await answer.json()

    async def main():
        async with (
            aiohttp.ClientSession() as session,
            carrying(case, stream=stream) as send,
            carrying(case, stream=stream, limits=IMPATIENT[stream]) as soon,
        ):
            return [await suffered(soon if fault is Fault.TIMEOUT else send, fault, session) for fault in ENDS]

    began_s = time.monotonic()
    told = asyncio.run(main())
    assert time.monotonic() - began_s < 8
    for (fault, end), (found, counters) in zip(ENDS.items(), told, strict=True):
        assert (found.kind if isinstance(found, CallFailed) else found.stop) is end
        assert counters["faults"][fault.value] == counters["requests"] == 1
        if fault in {Fault.TIMEOUT, Fault.DISCONNECT}:
            assert found.sent


@pytest.mark.parametrize("case", ["openai", "azure entra", "anthropic", "gemini", "vertex", "converse key"])
def test_a_bad_key_is_the_wires_to_tell(case):
    """The provider's own 401 or 403 comes through, not the SDK's exception for it."""

    async def main():
        secret = replace(CASES[case][1], value="invalid")
        async with sandbox() as host, carrying(case, secret=secret) as send:
            return await send(host)

    assert asyncio.run(main())[1].kind is Kind.AUTH


class Renewed:
    """Credentials that are others at each call."""

    def __init__(self, *secrets):
        self.secrets = list(secrets)

    async def secret(self):
        return self.secrets.pop(0)

    async def aclose(self):
        assert not self.secrets


def test_aws_signs_with_the_secret_of_now():
    """A renewed secret signs the next call; the old one's client stays open for calls under way."""

    async def main():
        async with sandbox() as host:
            model, wire, _ = wired("converse", host)
            temporary = Secret("sandbox-secret", "ASIASANDBOX2", "a session token")
            carrier = SdkTransport(model, LIMITS, Renewed(AWS, temporary, TOKEN, AWS))
            found = [wire.reply(await carrier.send(wire, asked())).stop for _ in range(4)]
            await carrier.aclose()
            return found

    assert asyncio.run(main()) == [Stop.DONE] * 4


# ── what arrives, and what is made of the answer ────────────────────────────────────────────────────────────────────


@dataclass
class Listener:
    """A server that answers everything alike, and keeps what it got."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict = field(default_factory=lambda: {"Content-Type": "application/json"})
    got: list = field(default_factory=list)
    url: str = ""
    drips: bool = False  # a byte now and then, without end

    async def answer(self, request):
        self.got.append((request.raw_path, request.headers, await request.read()))
        if self.drips:
            response = web.StreamResponse(headers=self.headers)
            await response.prepare(request)
            while True:  # until the client goes away: then a write fails
                await response.write(b" ")
                await asyncio.sleep(0.02)
        keys = [request.headers.get(name, "") for name in ("authorization", "api-key", "x-api-key", "x-goog-api-key")]
        body = self.body.replace(b"<key>", " ".join(keys).encode())
        return web.Response(status=self.status, body=body, headers=self.headers)


@asynccontextmanager
async def listening(**changes):
    listener = Listener(**changes)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield listener
    finally:
        await runner.cleanup()


def heard(case, *, stream=False, **changes):
    """(outcome, what the server got) of one call."""

    async def main():
        async with listening(**changes) as listener, carrying(case, stream=stream) as send:
            return (await send(listener.url))[1], listener

    return asyncio.run(main())


@cases
@streams
def test_the_bytes_are_the_wires(case, stream, monkeypatch):
    """Byte for byte the wire's body, to the wire's address, with the wire's key and no other, whatever else is set."""
    for vendor in ("OPENAI", "ANTHROPIC", "GOOGLE", "GEMINI", "AZURE_OPENAI"):
        monkeypatch.setenv(f"{vendor}_API_KEY", ELSE)
        monkeypatch.setenv(f"{vendor}_BASE_URL", ELSE)
    for name in ("ANTHROPIC_AUTH_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, ELSE)
    _, listener = heard(case, stream=stream)
    _, wire, secret = wired(case, listener.url, stream=stream)
    [(path, headers, body)] = listener.got
    assert body == wire.body(asked())
    assert unquote(listener.url + path) == unquote(wire.url)
    found = {name.lower(): value for name, value in headers.items()}
    own = {name.lower(): value for name, value in wire.headers(body, secret, NOW).items()}
    if secret is not AWS:
        assert {name: found.get(name) for name in own} == own
    keys = {"authorization", "x-api-key", "api-key", "x-goog-api-key"}
    assert keys & set(found) == keys & set(own)
    assert found["content-type"] == "application/json"
    assert not any(ELSE in value for value in headers.values())


def test_azure_is_not_told_whose_customer_we_are_at_openai(monkeypatch):
    """OpenAI's organisation, from the environment, goes to OpenAI (and its gateways) only."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-mine")
    told = [heard(case)[1].got[0][1].get("OpenAI-Organization") for case in ("openai", "azure")]
    assert told == ["org-of-mine", None]


ODD = [  # (status, body, what it is)
    (200, b"<html>busy</html>", Kind.NO_ANSWER),
    (200, b"[]", Kind.NO_ANSWER),
    (502, b"<html>bad gateway</html>", Kind.OVERLOADED),
    (429, b"slow", Kind.THROTTLED),
    (302, b"", Kind.NO_ANSWER),
    (400, b'{"error": {"message": "no: <key>"}, "message": "no: <key>"}', Kind.INVALID_REQUEST),
]


@sdks
def test_answers_that_no_sdk_expects(case):
    """Pages, lists, redirects: the wire judges them and reads their hints; a key in them is taken out.

    AWS's SDK follows redirects by itself, which no endpoint of AWS sends.
    """
    headers = {"Content-Type": "text/html", "Location": "/elsewhere", "Retry-After": "7"}
    odd = [one for one in ODD if one[0] != 302 or CASES[case][0]["provider"] != "bedrock"]

    async def main():
        async with listening() as listener, carrying(case) as send:
            found = []
            for listener.status, listener.body, _ in odd:
                listener.headers = headers
                found.append((await send(listener.url))[1])
            return found, len(listener.got)

    found, requests = asyncio.run(main())
    assert [(failure.status, failure.kind) for failure in found] == [(status, kind) for status, _, kind in odd]
    assert requests == len(odd)
    assert {failure.retry_after_s for failure in found if failure.kind is Kind.THROTTLED} == {7.0}
    assert "no: " in found[-1].message
    assert not any(word in found[-1].message for word in CASES[case][1].words)


@two
@streams
def test_an_answer_without_end_is_cut_off(case, stream, monkeypatch):
    """More than the most bytes is no answer."""
    monkeypatch.setattr(sdk, "MOST_BYTES", 1000)
    kind = {"Content-Type": "application/octet-stream"}
    found, _ = heard(case, stream=stream, body=b"x" * 5000, headers=kind)
    assert found.kind is Kind.NO_ANSWER
    assert "more than" in found.message


@two
@streams
def test_one_call_has_its_time_in_all(case, stream):
    """An answer that never ends, and is never silent for long, ends with the time for one call."""
    headers = {"Content-Type": "text/plain"}

    async def main():
        limits = Limits(timeout_s=0.3, idle_timeout_s=9.0)
        async with (
            listening(drips=True, headers=headers) as listener,
            carrying(case, stream=stream, limits=limits) as send,
        ):
            return await send(listener.url)

    failure = asyncio.run(main())[1]
    assert (failure.kind, failure.sent) == (Kind.TIMEOUT, True)


@sdks
def test_no_connection_has_cost_nothing(case):
    """Where nobody listens, nothing was sent."""

    async def main():
        async with listening() as listener:
            url = listener.url
        async with carrying(case) as send:
            return await send(url)

    failure = asyncio.run(main())[1]
    assert (failure.kind, failure.sent) == (Kind.CONNECTION, False)


# ── the SDKs themselves ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("provider", "package", "extra"),
    [
        ("openai", "openai", "openai"),
        ("azure", "openai", "azure"),
        ("anthropic", "anthropic", "anthropic"),
        ("bedrock", "aiobotocore", "aws"),
        ("gemini", "google.genai", "google"),
        ("vertex", "google.genai", "google"),
    ],
)
def test_a_missing_sdk_is_named_with_its_command(provider, package, extra, monkeypatch):
    """The job is wrong before anything is sent, and says what to install."""
    monkeypatch.delitem(sys.modules, PROVIDERS[provider].carrier, raising=False)
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    if "." in package:
        monkeypatch.delattr(sys.modules["google"], "genai", raising=False)
    model = Model(provider=provider, name="x", max_output_tokens=1, transport="sdk")
    with pytest.raises(JobError, match=rf"pip install 'ledger-pipeline\[{extra}\]'"):
        SdkTransport(model, LIMITS, FixedKey(PLAIN))


def test_no_sdk_is_imported_before_it_is_used():
    """The module that knows all SDKs imports none."""
    script = (
        "import sys, pipeline.providers.transport.sdk, pipeline.providers.transport.choose\n"
        "print([name for name in ('openai', 'anthropic', 'google.genai', 'botocore', 'httpx2') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
