"""Tokens of Google's application default credentials, against a token server on loopback."""

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from places import REPO

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers.credentials import google
from pipeline.providers.credentials.google import Renewed, credentials, failure
from pipeline.providers.credentials.keys import credentials_for

pytest.importorskip("google.auth.transport.requests", reason="needs the extra google")

FILE = "GOOGLE_APPLICATION_CREDENTIALS"
MODEL = Model(provider="vertex", name="gemini-2.5-flash", max_output_tokens=10)
STALE_S = 60  # google-auth renews from 3:45 before the end on


@dataclass
class TokenServer:
    url: str = ""
    asked: list = field(default_factory=list)  # the form of each request
    expires_in: int = 3600
    refusing: dict | None = None
    held: asyncio.Event | None = None  # the answer waits for it

    async def answer(self, request):
        self.asked.append(dict(await request.post()))
        if self.held is not None:
            await self.held.wait()
        if self.refusing is not None:
            return web.json_response(self.refusing, status=400)
        body = {"access_token": f"token-{len(self.asked)}", "expires_in": self.expires_in, "token_type": "Bearer"}
        return web.json_response(body)


@asynccontextmanager
async def token_server(**changes):
    """On the loop of the test: it can only answer while nothing blocks that loop."""
    server = TokenServer(**changes)
    app = web.Application()
    app.router.add_post("/token", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def private_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@pytest.fixture
def key_file(tmp_path, private_key):
    """Writes a service account's file for a token server; returns the environment that names it."""

    def write(url):
        info = {
            "type": "service_account",
            "client_email": "robot@example.invalid",
            "private_key": private_key,
            "token_uri": url,
        }
        (tmp_path / "key.json").write_text(json.dumps(info))
        return {FILE: str(tmp_path / "key.json")}

    return write


@asynccontextmanager
async def renewed(key_file, **changes):
    async with token_server(**changes) as server:
        found = credentials(MODEL, key_file(server.url))
        try:
            yield server, found
        finally:
            await found.aclose()


def test_a_token_is_fetched_once_and_used_again(key_file):
    """Nothing is asked before the first call; then one token serves all, as a bearer that does not show itself."""

    async def main():
        async with renewed(key_file) as (server, found):
            assert server.asked == []
            first, second = await found.secret(), await found.secret()
            assert (first.value, first.bearer, second is first) == ("token-1", True, True)
            assert first.words == ("token-1",)
            assert "token-1" not in repr(first)
            assert [form["grant_type"] for form in server.asked] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]

    asyncio.run(main())


def test_a_token_is_renewed_before_it_expires(key_file):
    """One that ends in a minute still works, and is already replaced."""

    async def main():
        async with renewed(key_file, expires_in=STALE_S) as (server, found):
            assert (await found.secret()).value == "token-1"
            server.expires_in = 3600
            assert [(await found.secret()).value for _ in range(3)] == ["token-2"] * 3
            assert len(server.asked) == 2

    asyncio.run(main())


def test_many_callers_cause_one_renewal(key_file):
    """A hundred at once wait for the same token while the loop goes on; one that gives up does not stop the rest."""

    async def main():
        async with renewed(key_file, held=asyncio.Event()) as (server, found):
            callers = [asyncio.create_task(found.secret()) for _ in range(100)]
            while not server.asked:  # noqa: ASYNC110 (seen by the server, on this very loop)
                await asyncio.sleep(0)
            callers[0].cancel()
            server.held.set()
            secrets = await asyncio.gather(*callers, return_exceptions=True)
            assert isinstance(secrets[0], asyncio.CancelledError)
            assert {secret.value for secret in secrets[1:]} == {"token-1"}
            assert len(server.asked) == 1

    asyncio.run(main())


def test_credentials_that_are_no_longer_good(key_file):
    """A refused renewal is AUTH, for every caller, nothing was sent, and the next call asks again."""

    async def main():
        refusing = {"error": "invalid_grant", "error_description": "Account disabled"}
        async with renewed(key_file, refusing=refusing) as (server, found):
            failures = await asyncio.gather(found.secret(), found.secret(), return_exceptions=True)
            assert [failed.kind for failed in failures] == [Kind.AUTH] * 2
            assert "Account disabled" in failures[0].message
            assert failures[0].sent is False
            assert len(server.asked) == 1
            server.refusing = None
            assert (await found.secret()).value == "token-2"

    asyncio.run(main())


def test_a_failed_renewal_leaves_the_old_token(key_file):
    """While the old token is good it is used, and the server is left alone for a while."""

    async def main():
        async with renewed(key_file, expires_in=STALE_S) as (server, found):
            await found.secret()
            server.refusing = {"error": "invalid_grant"}
            assert [(await found.secret()).value for _ in range(3)] == ["token-1"] * 3
            assert len(server.asked) == 2

    asyncio.run(main())


def test_a_token_server_out_of_reach(key_file):
    """No connection is CONNECTION: it passes, and the run does not park for it."""

    async def main():
        async with token_server() as server:
            environ = key_file(server.url)
        found = credentials(MODEL, environ)
        with pytest.raises(CallFailed) as failed:
            await found.secret()
        await found.aclose()
        assert (failed.value.kind, failed.value.sent) == (Kind.CONNECTION, False)

    asyncio.run(main())


def test_what_passes_and_what_does_not():
    """What google-auth calls retryable passes, and what a lost connection caused; anything else does not."""
    from google.auth.exceptions import MalformedError, RefreshError, TransportError

    caused = RefreshError("x")
    caused.__cause__ = TransportError("x")
    for error in (TransportError("x"), caused, RefreshError("x", retryable=True)):
        assert failure(error).kind is Kind.CONNECTION
    for error in (RefreshError("x"), MalformedError("x"), ValueError("x")):
        assert failure(error).kind is Kind.AUTH


def test_a_users_own_credentials(tmp_path):
    """What gcloud wrote is found in its folder, and its refresh token is exchanged."""

    async def main():
        async with token_server() as server:
            info = {
                "type": "authorized_user",
                "client_id": "c",
                "client_secret": "s",
                "refresh_token": "r",
                "token_uri": server.url,
            }
            folder = tmp_path / ".config" / "gcloud"
            folder.mkdir(parents=True)
            (folder / "application_default_credentials.json").write_text(json.dumps(info))
            found = credentials_for(MODEL, {"HOME": str(tmp_path)})
            found._found._token_uri = server.url  # gcloud's file always means Google's own server
            assert (await found.secret()).value == "token-1"
            assert server.asked[0]["refresh_token"] == "r"
            await found.aclose()

    asyncio.run(main())


OTHERS = {
    "workload identity": ("google.auth.identity_pool", {"credential_source": {"file": "/nowhere"}}),
    "workload identity of AWS": (
        "google.auth.aws",
        {
            "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
            "credential_source": {
                "environment_id": "aws1",
                "regional_cred_verification_url": "https://sts.{region}.example.invalid",
            },
        },
    ),
    "workload identity by a program": (
        "google.auth.pluggable",
        {"credential_source": {"executable": {"command": "/nowhere", "timeout_millis": 5000}}},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_workload_identity_is_loaded_without_a_connection(tmp_path, name):
    """Each of the three kinds is found by its file, and nothing is asked until a token is needed."""
    module, source = OTHERS[name]
    info = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        **source,
    }
    (tmp_path / "key.json").write_text(json.dumps(info))
    found = credentials(MODEL, {FILE: str(tmp_path / "key.json")})
    assert type(found._found).__module__ == module
    asyncio.run(found.aclose())


def test_impersonation_is_loaded(tmp_path, key_file):
    """A file that borrows another account's rights is taken with the one that it starts from."""
    source = json.loads(Path(key_file("http://127.0.0.1:1/token")[FILE]).read_text())
    info = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
        "robot@example.invalid:generateAccessToken",
        "source_credentials": source,
    }
    (tmp_path / "borrowed.json").write_text(json.dumps(info))
    found = credentials(MODEL, {FILE: str(tmp_path / "borrowed.json")})
    assert type(found._found).__module__ == "google.auth.impersonated_credentials"
    asyncio.run(found.aclose())


METADATA = """
import asyncio
from aiohttp import web
from pipeline.job.settings import Model
from pipeline.providers.credentials.google import credentials

async def main():
    async def token(request):
        assert request.headers["Metadata-Flavor"] == "Google"
        headers = {"Metadata-Flavor": "Google"}
        return web.json_response({"access_token": "machine-token", "expires_in": 3600}, headers=headers)

    async def account(request):
        headers = {"Metadata-Flavor": "Google"}
        return web.json_response({"email": "x", "scopes": [], "aliases": []}, headers=headers)

    app = web.Application()
    app.router.add_get("/computeMetadata/v1/instance/service-accounts/{account}/token", token)
    app.router.add_get("/computeMetadata/v1/instance/service-accounts/{account}/", account)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, SOCKET).start()
    found = credentials(Model(provider="vertex", name="m", max_output_tokens=1), {"K_SERVICE": "job"})
    print((await found.secret()).value)
    await found.aclose()
    await runner.cleanup()

import os, socket
SOCKET = socket.create_server(("127.0.0.1", 0))
os.environ["GCE_METADATA_HOST"] = f"127.0.0.1:{SOCKET.getsockname()[1]}"
asyncio.run(main())
"""


def test_a_machine_at_google_asks_its_metadata_server():
    """On Google's side, without any file, the token comes from the metadata server (in a process of its own)."""
    words = [sys.executable, "-c", METADATA]
    done = subprocess.run(words, cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "machine-token\n", done.stderr


def test_nothing_found_says_what_to_do(tmp_path, monkeypatch):
    """Without a file, away from Google: the message names the variable and the command."""
    monkeypatch.setattr(google, "PRODUCT", tmp_path / "product")
    with pytest.raises(JobError, match=f"{FILE}.*gcloud auth application-default login"):
        credentials_for(MODEL, {"HOME": str(tmp_path)})
    (tmp_path / "product").write_text("Google Compute Engine\n")
    assert isinstance(credentials_for(MODEL, {"HOME": str(tmp_path)}), Renewed)


BAD_FILES = {
    "missing": (None, "cannot be read"),
    "no json": ("{", "cannot be read"),
    "a list": ("[]", "type is None"),
    "another type": ('{"type": "magic"}', "type is 'magic'"),
    "not complete": ('{"type": "service_account", "client_email": "x"}', "not complete or not valid"),
    "no key": (
        '{"type": "service_account", "client_email": "x", "token_uri": "y", "private_key": "hidden-words"}',
        "not complete or not valid",
    ),
    "nothing of workload identity": ('{"type": "external_account"}', "not complete or not valid"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_a_wrong_job(tmp_path, name):
    """The message names the file and what is wrong, and repeats no secret of it."""
    text, words = BAD_FILES[name]
    if text is not None:
        (tmp_path / "key.json").write_text(text)
    with pytest.raises(JobError, match=words) as error:
        credentials(MODEL, {FILE: str(tmp_path / "key.json")})
    assert "key.json" in str(error.value)
    assert "hidden-words" not in str(error.value)


def test_without_google_auth_the_command_is_printed(monkeypatch):
    """When the extra is not installed, the job is wrong and says how to install it."""
    monkeypatch.setitem(sys.modules, "google.auth.transport.requests", None)
    with pytest.raises(JobError, match=r"pip install 'ledger-pipeline\[google\]'"):
        credentials(MODEL, {})


def test_an_express_key_that_is_not_there_is_not_replaced():
    """A job that names a variable for its API key means that one, and no other credentials."""
    model = Model(provider="vertex", name="m", max_output_tokens=1, api_key_env="EXPRESS_KEY")
    with pytest.raises(JobError, match="EXPRESS_KEY"):
        credentials_for(model, {FILE: "/nowhere"})
    secret = asyncio.run(credentials_for(model, {"EXPRESS_KEY": "the-key"}).secret())
    assert (secret.value, secret.bearer) == ("the-key", False)
