"""Azure's wire: where it sends to, with which key; its own errors; Entra ID; and rounds through the sandbox."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from each_case import each_case
from msgspec.structs import replace
from openai_family import (  # fmt: skip
    DOCUMENT,
    KEY,
    MODES,
    NOW,
    RECORD,
    asked,
    made,
    model_of,
    outcome,
    over_http,
    replied,
    round_in_memory,
)
from sandbox_client import always

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.providers import wire_for
from pipeline.providers.credentials.entra import EntraCredentials, scope_of
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.credentials.secret import Secret
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.wires.openai.azure import Azure
from pipeline.types import Stop

HOST = "https://me.openai.azure.com"
DATED = {"api_version": "2025-01-01-preview"}


def azure(**changes):
    return model_of("azure", **{"base_url": HOST, **changes})


# ── where to, and with what ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, f"{HOST}/openai/v1/chat/completions"),
        ({"api_version": "v1"}, f"{HOST}/openai/v1/chat/completions"),
        ({"api_version": "preview"}, f"{HOST}/openai/v1/chat/completions?api-version=preview"),
        ({"base_url": f"{HOST}/"}, f"{HOST}/openai/v1/chat/completions"),
        ({"base_url": f"{HOST}/openai/v1/"}, f"{HOST}/openai/v1/chat/completions"),
        ({"base_url": "https://gate.test/team/openai"}, "https://gate.test/team/openai/v1/chat/completions"),
        (
            {"name": "my 4o/mini", "api_version": "2024-10-21"},
            f"{HOST}/openai/deployments/my%204o%2Fmini/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_urls(changes, url):
    """Without a version the v1 endpoint; with a dated one the deployment's own."""
    assert made(azure(**changes)).url == url


def test_the_endpoint_must_be_told():
    """By the job, or by the environment, which may tell the version too."""
    with pytest.raises(JobError, match=r"model\.base_url \(or AZURE_OPENAI_ENDPOINT\)"):
        made(azure(base_url=""))
    environ = {"AZURE_OPENAI_ENDPOINT": HOST, "OPENAI_API_VERSION": "2024-10-21"}
    wire = wire_for(azure(base_url="", name="d"), made(azure())._shape, environ)
    assert wire.url == f"{HOST}/openai/deployments/d/chat/completions?api-version=2024-10-21"


def test_a_key_has_a_header_of_its_own():
    """api-key for a key, Authorization for a token of Entra's; never both."""
    wire = made(azure())
    assert wire.headers(b"", Secret("k"), NOW)["api-key"] == "k"
    assert "Authorization" not in wire.headers(b"", Secret("k"), NOW)
    token = wire.headers(b"", Secret("t", bearer=True), NOW)
    assert token["Authorization"] == "Bearer t"
    assert "api-key" not in token


@each_case(
    ("changes", "cap"),
    [
        ({"name": "my-deployment"}, "max_completion_tokens"),
        ({"name": "gpt-4o"}, "max_completion_tokens"),
        ({"name": "our-o3-mini", "api_version": "2024-09-01-preview"}, "max_completion_tokens"),
        ({"name": "gpt-5-mini"}, "max_completion_tokens"),
        ({"name": "gpt-4o", "api_version": "2025-01-01-preview"}, "max_completion_tokens"),
        ({"name": "gpt-4o", "api_version": "2024-02-01"}, "max_tokens"),
        ({"name": "my-deployment", "api_version": "2024-10-21"}, "max_tokens"),
        ({"name": "grok-4-1-fast"}, "max_tokens"),
        ({"name": "Mistral-Large-3"}, "max_tokens"),
        ({"name": "Llama-4-Maverick"}, "max_tokens"),
        ({"name": "gpt-oss-120b"}, "max_tokens"),
    ],
)
def test_the_cap_has_the_name_that_the_deployment_knows(changes, cap):
    """By the version where it is an old one, else by what the deployment's name gives away."""
    body = json.loads(made(azure(**changes)).body(asked()))
    assert {key for key in body if key.startswith("max_")} == {cap}


# ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────────────


def refused(status, error, headers=None):
    with pytest.raises(CallFailed) as caught:
        replied(made(azure()), {"error": error}, status, headers)
    return caught.value


@each_case(
    ("status", "error", "kind"),
    [
        (401, {"code": "401", "message": "Access denied."}, Kind.AUTH),
        (401, {"code": "PermissionDenied", "message": "The principal lacks the data action."}, Kind.AUTH),
        (403, {"code": "403", "message": "The resource has been temporarily blocked."}, Kind.AUTH),
        (403, {"code": "403", "message": "Out of call volume quota."}, Kind.QUOTA),
        (404, {"code": "DeploymentNotFound", "message": "x"}, Kind.MODEL_UNAVAILABLE),
        (404, {"code": "404", "message": "Resource not found"}, Kind.MODEL_UNAVAILABLE),
        (400, {"code": "OperationNotSupported", "message": "x"}, Kind.MODEL_UNAVAILABLE),
        (400, {"code": "content_filter", "message": "x", "innererror": {}}, Kind.BLOCKED),
        (400, {"code": None, "message": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, Kind.BLOCKED),
        (429, {"code": "429", "message": "over the token rate limit. Please retry after 22 seconds."}, Kind.THROTTLED),
        (429, {"code": "RateLimitReached", "message": "x"}, Kind.THROTTLED),
        (429, {"code": "NoCapacity", "message": "high demand"}, Kind.OVERLOADED),
        (500, {"code": "InternalServerError", "message": "x"}, Kind.OVERLOADED),
        (424, {"code": "FailedDependency", "message": "x"}, Kind.OVERLOADED),
    ],
)
def test_failures(status, error, kind):
    """Azure's codes, of the model and of the gateway before it."""
    assert refused(status, error).kind is kind


def test_hints_and_ids():
    """Both hints, of which the longer stands when they contradict; the id of Azure's gateway."""
    headers = {"retry-after": "1", "retry-after-ms": "0", "apim-request-id": "a-1"}
    failure = refused(429, {"code": "RateLimitReached", "message": "x"}, headers)
    assert (failure.retry_after_s, failure.provider_request_id) == (1.0, "a-1")
    assert refused(429, {"code": "429", "message": "Please retry after 22 seconds."}).retry_after_s == 22.0


def test_a_filtered_answer_has_no_message():
    """The choice ends with content_filter and holds nothing else."""
    body = {"choices": [{"index": 0, "finish_reason": "content_filter", "content_filter_results": {}}], "usage": {}}
    assert replied(made(azure()), body).stop is Stop.BLOCKED


# ── Entra ID ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Chain:
    """What azure-identity's credentials are from outside; counts, and fails when told to."""

    def __init__(self, clock):
        self.clock, self.asked, self.error, self.threads = clock, 0, None, set()

    def get_token(self, *scopes):
        self.asked += 1
        self.threads.add(threading.get_ident())
        if self.error is not None:
            raise self.error
        from azure.core.credentials import AccessToken

        return AccessToken(f"token-{self.asked}-{scopes[0]}", int(self.clock()) + 3600)

    def close(self):
        self.asked = -1


def with_entra(use):
    """`use(credentials, chain, now)`; `now` is a list of one Unix time."""
    now = [1_000_000.0]
    chain = Chain(lambda: now[0])
    return asyncio.run(use(EntraCredentials(chain, "scope", "THE_KEY", lambda: now[0]), chain, now))


def test_a_token_is_asked_for_once_and_renewed_before_it_expires():
    """A hundred calls at once ask once, in a thread; five minutes before the end a new one is there."""

    async def use(credentials, chain, now):
        secrets = await asyncio.gather(*(credentials.secret() for _ in range(100)))
        assert {secret.value for secret in secrets} == {"token-1-scope"}
        assert secrets[0].bearer
        assert threading.get_ident() not in chain.threads
        now[0] += 3299
        assert (await credentials.secret()).value == "token-1-scope"
        now[0] += 2
        assert (await credentials.secret()).value == "token-2-scope"
        await credentials.aclose()
        assert chain.asked == -1

    with_entra(use)


def test_a_failed_renewal_hurts_only_when_the_token_is_over():
    """Entra may be away for some minutes; then the calls fail, unsent, and the kind says why."""

    async def use(credentials, chain, now):
        await credentials.secret()
        chain.error = ServiceRequestError("no route")
        now[0] += 3500
        assert (await credentials.secret()).value == "token-1-scope"
        now[0] += 100
        for error, kind in ((chain.error, Kind.CONNECTION), (ClientAuthenticationError("signed out"), Kind.AUTH)):
            chain.error = error
            with pytest.raises(CallFailed, match="THE_KEY, and no Entra token") as caught:
                await credentials.secret()
            assert (caught.value.kind, caught.value.sent) == (kind, False)

    with_entra(use)


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        ("https://me.openai.azure.com", "https://cognitiveservices.azure.com/.default"),
        ("https://me.services.ai.azure.com/", "https://cognitiveservices.azure.com/.default"),
        ("https://me.openai.azure.us/x", "https://cognitiveservices.azure.us/.default"),
        ("https://me.openai.azure.cn", "https://cognitiveservices.azure.cn/.default"),
        ("https://azure.us.test", "https://cognitiveservices.azure.com/.default"),
        ("", "https://cognitiveservices.azure.com/.default"),
    ],
)
def test_scopes(url, scope):
    """A token is for the cloud that the endpoint is in."""
    assert scope_of(url) == scope


def test_key_before_token_before_chain():
    """The key's variable first, then a given token."""

    async def secret(environ):
        return await credentials_for(azure(), environ).secret()

    key = asyncio.run(secret({"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_AD_TOKEN": "t"}))
    assert (key.value, key.bearer) == ("k", False)
    token = asyncio.run(secret({"AZURE_OPENAI_AD_TOKEN": " t "}))
    assert (token.value, token.bearer) == ("t", True)


def test_the_chain_of_azure_identity(tmp_path, monkeypatch):
    """Without key and token the chain is asked: here, for the token of a signed-in Azure CLI."""
    az = tmp_path / "az"
    then = int(time.time()) + 3600
    told = {"accessToken": "from-the-cli", "expires_on": then, "expiresOn": "2100-01-01 00:00:00.000000"}
    az.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")

    async def main():
        credentials = credentials_for(azure(), {})
        try:
            return await credentials.secret()
        finally:
            await credentials.aclose()

    found = asyncio.run(main())
    assert (found.value, found.bearer) == ("from-the-cli", True)
    az.write_text("#!/bin/sh\necho 'Please run az login' >&2\nexit 1\n")
    failure = outcome(lambda: asyncio.run(main()))
    assert (failure.kind, failure.sent) == (Kind.AUTH, False)


def test_nothing_at_all_names_all_ways():
    """Without azure-identity: the key's variable, the token's, and the command that installs the rest."""
    script = (
        "import sys; sys.modules['azure.identity'] = None\n"
        "from pipeline.job.settings import Model\nfrom pipeline.providers.credentials.keys import credentials_for\n"
        "credentials_for(Model(provider='azure', name='x', max_output_tokens=1, api_key_env='MY_KEY'), {})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    for word in ("JobError", "MY_KEY", "AZURE_OPENAI_AD_TOKEN", "pip install 'ledger-pipeline[azure]'"):
        assert word in done.stderr


# ── rounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_case("version", [{}, DATED], ids=["v1", "dated"])
@each_case("free_text", [False, True])
@each_case("stream", [False, True])
@each_case("mode", MODES)
def test_in_memory(mode, stream, free_text, version):
    """Every mode, at once and streamed, at both endpoints."""
    wire = made(azure(stream=stream, **version), mode)
    question, reply = round_in_memory(wire, Azure(), asked(free_text=free_text), stream=stream)
    assert (question.schema is None) == free_text
    assert (reply.text if free_text else json.loads(reply.text)) == (DOCUMENT if free_text else RECORD)
    assert (reply.stop, reply.model_version) == (Stop.DONE, "sandbox-rules-1")
    assert reply.usage.input_tokens == question.prompt_tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_over_http(mode, stream):
    """The same over a socket, with a key and with a token."""
    for secret, version in ((Secret(KEY), DATED), (Secret("token-of-entra", bearer=True), {})):
        answered, reply = over_http(azure(stream=stream, **version), mode, secret=secret)
        assert json.loads(reply.text) == RECORD
        assert (answered.ttft_ms is not None) == stream
        assert answered.headers["apim-request-id"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (Fault.THROTTLED, Kind.THROTTLED),
        (Fault.SERVER_ERROR, Kind.OVERLOADED),
        (Fault.TIMEOUT, Kind.TIMEOUT),
        (Fault.DISCONNECT, Kind.CONNECTION),
        (Fault.TRUNCATED, Stop.TRUNCATED),
        (Fault.REFUSED, Stop.REFUSED),
    ],
)
def test_faults_over_http(fault, ends, stream):
    """Every fault of the sandbox is what it claims to be."""
    found = outcome(lambda: over_http(azure(stream=stream), **always(fault))[1])
    assert (found.kind if isinstance(found, CallFailed) else found.stop) is ends
    if fault is Fault.THROTTLED:
        assert 0 < found.retry_after_s <= 1


def test_what_parks_a_run_over_http():
    """A bad key, a bad token, and a deployment that is not there."""
    assert outcome(lambda: over_http(azure(), secret=Secret("invalid"))).kind is Kind.AUTH
    assert outcome(lambda: over_http(azure(), secret=Secret("invalid", bearer=True))).kind is Kind.AUTH
    for version in ({}, DATED):
        missing = replace(azure(**version), name="missing-model")
        assert outcome(lambda missing=missing: over_http(missing)).kind is Kind.MODEL_UNAVAILABLE
