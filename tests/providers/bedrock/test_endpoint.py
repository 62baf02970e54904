"""Where calls to Bedrock go, and signatures as AWS's library makes them."""

import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.providers.bedrock.endpoint import Endpoint
from pipeline.providers.credentials import aws
from pipeline.providers.credentials.secret import Secret

NOW = datetime(2026, 11, 25, 12, 30, 59, tzinfo=UTC)
KEY = Secret("a/secret+key", "AKIAEXAMPLE", "")
ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def model(**changes):
    return Model(**{"provider": "bedrock", "name": HAIKU, "max_output_tokens": 10, "region": "us-east-1", **changes})


def signed_by_aws(url, body, secret, region, now):
    """The signature that botocore makes, at a time of our choice."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"Content-Type": "application/json", "X-Amz-Date": stamp}
    if secret.session_token:
        headers["X-Amz-Security-Token"] = secret.session_token
    request = AWSRequest("POST", url, headers=headers, data=body)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(secret.access_key_id, secret.value), "bedrock", region)
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789.:-_/", min_size=1, max_size=60).map(lambda name: f"a{name}")
moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))  # noqa: DTZ001 (made aware in the map)
words = st.text("abcXYZ019+/=", min_size=8, max_size=40)


@given(
    name=names,
    body=st.binary(max_size=200),
    now=moments,
    secret=st.builds(Secret, words, words, st.one_of(st.just(""), words)),
    base=st.sampled_from(
        ["", "http://127.0.0.1:8080", "https://gateway.example/bedrock/", "https://gateway.example:443"]
    ),
    region=st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
)
def test_a_signature_is_the_one_that_aws_makes(name, body, now, secret, base, region):
    """For any model's name, body, time, key and endpoint, and also after other requests were signed."""
    endpoint = Endpoint(model(name=name, region=region, base_url=base))
    url = endpoint.url(name, "converse")
    endpoint.headers(url, b"", KEY, NOW)
    headers = endpoint.headers(url, body, secret, now)
    assert headers["Authorization"].rpartition("Signature=")[2] == signed_by_aws(url, body, secret, region, now)
    assert headers["x-amz-date"] == now.strftime("%Y%m%dT%H%M%SZ")
    assert ("x-amz-security-token" in headers) == bool(secret.session_token)
    assert "host" not in headers


def test_the_signed_headers_are_named_and_the_scope_is_the_services():
    """The header Authorization as AWS writes it: credential, scope, names in order."""
    endpoint = Endpoint(model())
    found = endpoint.headers(endpoint.url(HAIKU, "invoke"), b"{}", Secret("s", "AKIA", "t"), NOW)
    start = "AWS4-HMAC-SHA256 Credential=AKIA/20261125/us-east-1/bedrock/aws4_request, "
    assert found["Authorization"].startswith(
        start + "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
    )


@given(names)
def test_an_http_client_leaves_a_url_as_it_was_signed(name):
    """The one we use puts URLs into yarl's normal form; a URL of ours is in it already."""
    url = Endpoint(model(name="x", base_url="http://127.0.0.1:9")).url(name, "converse")
    assert str(URL(url)) == url
    assert url.count("/") == 5


@pytest.mark.parametrize(
    "secret", [Secret("a-token", bearer=True), Secret("a-token"), Secret("t", "AKIA", bearer=True)]
)
def test_a_bearer_token_signs_nothing(secret):
    """A Bedrock API key goes as a bearer token, also where nobody said that it is one but no key id came with it."""
    found = Endpoint(model()).headers("https://x/model/m/converse", b"{}", secret, NOW)
    assert found == {"Authorization": f"Bearer {secret.value}", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ({"region": "cn-north-1"}, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ({"region": "eusc-de-east-1"}, "https://bedrock-runtime.eusc-de-east-1.amazonaws.eu"),
        ({"region": "", "name": ARN}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ({"base_url": "http://127.0.0.1:1/"}, "http://127.0.0.1:1"),
        ({"name": ARN, "base_url": "http://127.0.0.1:1/"}, "http://127.0.0.1:1"),
    ],
)
def test_the_endpoint_is_the_regions(changes, url):
    """By the job's region, else by the one in an ARN; a base URL goes before both."""
    assert Endpoint(model(**changes)).url("m", "converse") == f"{url}/model/m/converse"


def test_a_region_is_needed_and_an_arns_own_is_not_overruled():
    """Without one, and with two that differ, the job is wrong: the message says what to set."""
    with pytest.raises(JobError, match=r"needs model\.region \(or AWS_REGION"):
        Endpoint(model(region=""))
    with pytest.raises(JobError, match=r"ARN of eu-west-1.*us-east-1.*set model\.region = 'eu-west-1'"):
        Endpoint(model(name=ARN))


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
