"""Credentials for Bedrock, from wherever AWS keeps them."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from places import REPO

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers.credentials import aws
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.credentials.secret import Secret

botocore = pytest.importorskip("botocore", reason="AWS's SDK is an extra")

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def model(**changes):
    return Model(**{"provider": "bedrock", "name": HAIKU, "max_output_tokens": 10, "region": "us-east-1", **changes})


def test_the_wires_and_their_keys_cost_no_sdk():
    """Nothing of AWS's is imported for a job with a Bedrock API key, or with keys in its environment."""
    code = """
import sys
from datetime import UTC, datetime
from pipeline.job.settings import Model
from pipeline.providers.bedrock import converse, invoke
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.credentials.secret import Secret
from pipeline.types import AnswerShape
model = Model(provider="bedrock", name="anthropic.claude-x", max_output_tokens=9, region="us-east-1")
for kind in (converse.ConverseWire, invoke.InvokeWire):
    kind(model, AnswerShape("T", "tool", {}, True)).headers(b"", Secret("s", "AKIA"), datetime.now(UTC))
for keys in ({"AWS_BEARER_TOKEN_BEDROCK": "t"}, {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}):
    credentials_for(model, keys)
assert not [name for name in sys.modules if "boto" in name]
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPO, timeout=60)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without any AWS credentials: environment, files, and a home to put some into."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(aws, "MACHINES", {str(tmp_path / "sys_vendor"): "Amazon EC2"})
    (tmp_path / ".aws").mkdir()
    return tmp_path


def found(machine, *, config="", credentials="", **environ):
    """The credentials of a job on this machine; the environment is the process's own too, where AWS's SDK looks."""
    (machine / ".aws" / "config").write_text(config)
    (machine / ".aws" / "credentials").write_text(credentials)
    os.environ.update(environ)
    try:
        return aws.credentials(model(api_key_env=environ.get("THE_KEY", "")), environ)
    finally:
        for name in environ:
            del os.environ[name]


@pytest.mark.parametrize("lane", ["batch", "auto"])
def test_batches_need_keys_that_open_a_bucket(machine, lane):
    """An API key of Bedrock is passed over, and is not enough."""
    key = {"AWS_BEARER_TOKEN_BEDROCK": "token"}
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}
    assert secret_of(aws.credentials(model(lane=lane), {**key, **keys})) == Secret("s", "AKIA")
    assert secret_of(aws.credentials(model(), {**key, **keys})) == Secret("token", bearer=True)
    with pytest.raises(JobError, match="AWS_BEARER_TOKEN_BEDROCK opens no bucket"):
        aws.credentials(model(lane=lane), {**key, "HOME": str(machine)})


def secret_of(credentials):
    return asyncio.run(credentials.secret())


def test_a_bedrock_key_goes_before_all_others(machine):
    """AWS_BEARER_TOKEN_BEDROCK wins over keys in the environment and in files, and needs no SDK."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    made = found(machine, AWS_BEARER_TOKEN_BEDROCK=" token \n", **keys)
    assert secret_of(made) == Secret("token", bearer=True)
    asyncio.run(made.aclose())


def test_keys_in_the_environment_need_no_sdk(machine, monkeypatch):
    """Access key and secret, with the session token that goes with them if there is one."""
    monkeypatch.setattr(aws, "find_spec", lambda name: None)
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert secret_of(found(machine, **keys)) == Secret("secret", "AKIA", "")
    assert secret_of(found(machine, **keys, AWS_SESSION_TOKEN="t")) == Secret("secret", "AKIA", "t")
    with pytest.raises(JobError, match="only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        found(machine, AWS_ACCESS_KEY_ID="AKIA")


def test_a_variable_of_the_jobs_own_holds_a_bedrock_key(machine):
    """model.api_key_env: its value is a bearer token; when it is empty nothing else takes its place."""
    assert secret_of(found(machine, THE_KEY="MY_KEY", MY_KEY="token")) == Secret("token", bearer=True)
    with pytest.raises(JobError, match="MY_KEY holds no key for bedrock"):
        found(machine, THE_KEY="MY_KEY", AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="secret")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"config": "[default]\nregion = us-east-1\n"},
        {"config": "[profile other]\naws_access_key_id = AKIA\naws_secret_access_key = s\n"},
        {"config": "[sso-session mine]\nsso_start_url = https://example.com\n"},
    ],
)
def test_a_machine_without_credentials_is_told_what_to_set(machine, files):
    """Nothing in the environment, nothing in the files for this profile, no machine of AWS's: a JobError, at once."""
    with pytest.raises(JobError, match=r"no AWS credentials were found for bedrock\. Set AWS_BEARER_TOKEN_BEDROCK"):
        found(machine, **files)
    with pytest.raises(JobError, match="no AWS credentials"):
        credentials_for(model(), {"HOME": str(machine)})


def test_a_profile_that_is_nowhere_is_named(machine):
    """With the profiles that there are; a file that cannot be read is named too."""
    config = "[profile work]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n"
    with pytest.raises(JobError, match=r"AWS_PROFILE names 'home'.*Profiles there: work"):
        found(machine, config=config, AWS_PROFILE="home")
    with pytest.raises(JobError, match=r"\.aws/config cannot be read"):
        found(machine, config="no section\n")


def test_what_has_to_be_fetched_needs_the_sdk(machine, monkeypatch):
    """The message is the command that installs it."""
    monkeypatch.setattr(aws, "find_spec", lambda name: None)
    with pytest.raises(JobError, match=r"pip install 'ledger-pipeline\[aws\]'"):
        found(machine, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/x")


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x"},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1/"},
    ],
)
def test_what_can_be_fetched_is_left_for_the_first_call(machine, environ):
    """Web identity, a container's role and a machine's: no connection is opened before a secret is asked for."""
    assert isinstance(found(machine, **environ), aws.AwsChain)


def test_a_machine_of_awss_is_known_by_what_it_says_of_itself(machine):
    """Its role may give credentials, unless the metadata service is switched off."""
    (machine / "sys_vendor").write_text("Amazon EC2\n")
    assert isinstance(found(machine), aws.AwsChain)
    with pytest.raises(JobError, match="no AWS credentials"):
        found(machine, AWS_EC2_METADATA_DISABLED="true")


def chained(machine, use, **sources):
    """`use(credentials)` while the environment is as `sources` say."""
    environ = {name: value for name, value in sources.items() if name.isupper()}
    made = found(machine, **sources)
    os.environ.update(environ)
    try:
        return asyncio.run(use(made))
    finally:
        for name in environ:
            del os.environ[name]


def test_a_profile_gives_its_keys(machine):
    """By its name, or by default; the same value again until it is renewed."""

    async def use(credentials):
        first = await credentials.secret()
        assert await credentials.secret() is first
        return first

    text = "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = one\n"
    text += "[other]\naws_access_key_id = AKIA2\naws_secret_access_key = two\naws_session_token = t\n"
    assert chained(machine, use, credentials=text) == Secret("one", "AKIA1", "")
    assert chained(machine, use, credentials=text, AWS_PROFILE="other") == Secret("two", "AKIA2", "t")


GIVES = """
import json, pathlib, sys
from datetime import UTC, datetime, timedelta
count = pathlib.Path(sys.argv[1])
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
until = datetime.now(UTC) + timedelta(minutes=5 if number == 1 else 60)
print(json.dumps({"Version": 1, "AccessKeyId": f"ASIA{number}", "SecretAccessKey": f"secret{number}",
                  "SessionToken": f"token{number}", "Expiration": until.isoformat()}))
"""


def test_credentials_are_renewed_before_they_expire(machine):
    """Those with five minutes left are exchanged for others at once; those with an hour are kept."""

    async def use(credentials):
        return [await credentials.secret() for _ in range(3)]

    script = machine / "gives.py"
    script.write_text(GIVES)
    config = f"[default]\ncredential_process = {sys.executable} {script} {machine / 'count'}\n"
    first, second, third = chained(machine, use, config=config)
    assert first == Secret("secret2", "ASIA2", "token2")
    assert first is second is third
    assert (machine / "count").read_text() == "2"


def test_many_calls_at_once_ask_for_credentials_once(machine):
    """A container's role, over loopback: one request, however many calls wait for its answer."""
    asked = []

    async def role(request):
        asked.append(request.path)
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {"AccessKeyId": "ASIA", "SecretAccessKey": "secret", "Token": "token", "Expiration": until}
        return web.json_response(body)

    async def main():
        app = web.Application()
        app.router.add_get("/role", role)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        uri = f"http://127.0.0.1:{runner.addresses[0][1]}/role"
        made = found(machine, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)
        os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = uri
        try:
            return await asyncio.gather(*(made.secret() for _ in range(50)))
        finally:
            del os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
            await runner.cleanup()

    assert set(asyncio.run(main())) == {Secret("secret", "ASIA", "token")}
    assert asked == ["/role"]


def failing(machine, **sources):
    async def use(credentials):
        with pytest.raises(CallFailed) as failed:
            await credentials.secret()
        return failed.value

    return chained(machine, use, **sources)


def test_credentials_that_cannot_be_had_are_a_matter_of_authorisation(machine):
    """A process that fails, and a chain that finds nothing in the end; nothing was sent."""
    failed = failing(machine, config="[default]\ncredential_process = /bin/false\n")
    assert (failed.kind, failed.sent) == (Kind.AUTH, False)
    assert "CredentialRetrievalError" in failed.message
    (machine / "sys_vendor").write_text("Amazon EC2\n")
    nothing = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9/"}
    failed = failing(machine, **nothing)
    assert (failed.kind, failed.sent) == (Kind.AUTH, False)
    assert "AWS_BEARER_TOKEN_BEDROCK" in failed.message


def test_a_service_that_gives_credentials_out_and_is_not_reached_is_tried_again(machine):
    """It is a broken connection, not a bad key."""
    token = machine / "token"
    token.write_text(json.dumps("a token"))
    sources = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
    }
    failed = failing(machine, **sources)
    assert (failed.kind, failed.sent) == (Kind.CONNECTION, False)
