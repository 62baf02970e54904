"""The sandbox as Azure OpenAI: strict as the service is, in the shape of its errors, with its marks on every answer."""

import json

import pytest
from each_case import each_case
from sandbox_client import SCHEMA, ask, shaped, with_client

from pipeline.providers.hints import limits_seen, retry_after_s
from pipeline.types import Dimension

V1 = "/openai/v1/chat/completions"
DATED = "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-01-01-preview"


def at(version, deployment="gpt-4o-mini"):
    return f"/openai/deployments/{deployment}/chat/completions?api-version={version}"


async def send(client, body, path=V1, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "api-key": "k", **headers}
    headers = {name: value for name, value in headers.items() if value is not None}
    async with client.session.post(client.url + path, data=data, headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.text()


def sent(body, path=V1, headers=None, **config):
    status, found, text = with_client(lambda client: send(client, body, path, **(headers or {})), **config)
    return status, {name.lower(): value for name, value in found.items()}, text


@pytest.mark.parametrize("path", [V1, DATED])
def test_an_answer_bears_the_filters_marks(path):
    """The record as at OpenAI, with the content filter's results beside it, and Azure's headers."""
    status, headers, text = sent(ask(), path)
    body = json.loads(text)
    assert status == 200
    assert json.loads(body["choices"][0]["message"]["content"]) == {"name": "a document", "note": None}
    assert body["choices"][0]["content_filter_results"]["violence"] == {"filtered": False, "severity": "safe"}
    assert "jailbreak" in body["prompt_filter_results"][0]["content_filter_results"]
    assert headers["apim-request-id"] == headers["x-request-id"]
    assert headers["x-ms-region"]


def test_a_stream_begins_with_the_prompts_filter():
    """The first event has no choice, and nothing but what the filter found."""
    _, _, text = sent(ask(stream=True), V1)
    first = json.loads(text.split("\n\n")[0].removeprefix("data: "))
    assert first["choices"] == []
    assert first["prompt_filter_results"]
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({"api-key": None}, 401, '"code":"401"'),
        ({"api-key": "invalid"}, 401, '"code":"401"'),
        ({"api-key": None, "Authorization": "Bearer invalid"}, 401, '"statusCode":401'),
        ({"api-key": None, "Authorization": "Basic x"}, 401, '"code":"401"'),
        ({"api-key": None, "Authorization": "Bearer token"}, 200, "chat.completion"),
    ],
)
def test_who_is_let_in(headers, status, part):
    """A key in api-key or a token as Bearer; the two are refused in different shapes."""
    got = sent(ask(), V1, headers)
    assert got[0] == status
    assert part in got[2]


@each_case(
    ("path", "body", "status", "code"),
    [
        (at(""), ask(), 404, "404"),
        (at("latest"), ask(), 404, "404"),
        ("/openai/deployments/x/chat/completions", ask(), 404, "404"),
        (V1 + "?api-version=2024-10-21", ask(), 400, "BadRequest"),
        (at("2025-01-01-preview", "missing-model"), ask(), 404, "DeploymentNotFound"),
        (V1, ask(model="missing-model"), 404, "DeploymentNotFound"),
        (at("2024-02-01"), ask(response_format=...), 400, None),
        (at("2024-10-21"), ask(response_format=...), 400, None),
        (
            *(at("2024-02-01"), ask(max_completion_tokens=..., max_tokens=9, response_format=shaped(SCHEMA))),
            *(400, "BadRequest"),
        ),
        (
            at("2024-02-01"),
            ask(max_completion_tokens=..., response_format=..., stream=True, stream_options={"include_usage": True}),
            400,
            None,
        ),
        (
            at("2025-01-01-preview", "o3-mini"),
            ask(max_completion_tokens=..., max_tokens=9),
            400,
            "unsupported_parameter",
        ),
        (V1, ask(colour="red"), 400, None),
        (V1, b"{", 400, None),
        (DATED, b"[]", 400, None),
        (DATED, b"{", 400, None),
    ],
)
def test_what_is_refused(path, body, status, code):
    """Versions that do not exist or do not know a parameter, deployments that are not there, and all OpenAI refuses."""
    got = sent(body, path)
    assert got[0] == status
    assert json.loads(got[2])["error"]["code"] == code


def test_what_older_versions_take():
    """The older name of the cap, schemas from 2024-08-01-preview on, and a deployment of any name."""
    old = ask(max_completion_tokens=..., max_tokens=9)
    assert sent(old, at("2024-08-01-preview"))[0] == 200
    assert sent(ask(), at("2024-09-01-preview", "o3-mini"))[0] == 200
    assert sent(ask(model=...), at("2025-01-01-preview", "our%20own"))[0] == 200
    assert sent(ask(), V1 + "?api-version=preview")[0] == 200


def test_throttled_by_an_empty_bucket():
    """A 429 in Azure's shape, with both hints and the levels of the deployment."""

    async def use(client):
        await send(client, ask())
        return await send(client, ask())

    status, headers, text = with_client(use, requests_per_minute=1)
    headers = {name.lower(): value for name, value in headers.items()}
    error = json.loads(text)["error"]
    assert (status, error["code"]) == (429, "RateLimitReached")
    assert 0 < retry_after_s(headers) <= 60
    assert 0 < retry_after_s({}, error["message"]) <= 60
    assert {seen.dimension for seen in limits_seen(headers)} == {Dimension.REQUESTS}


def test_a_request_that_never_fits():
    """Larger than the whole limit: no hint, and both sizes in the text."""
    status, headers, text = sent(ask(max_completion_tokens=1000), tokens_per_minute=100)
    assert status == 429
    assert retry_after_s(headers) is None
    assert "Limit 100, Requested" in text


def test_server_errors():
    """500 and 503, in Azure's shape."""

    async def use(client):
        return [await send(client, ask(str(number))) for number in range(12)]

    answers = with_client(use, server_error=1.0)
    codes = {(status, json.loads(text)["error"]["code"]) for status, _, text in answers}
    assert codes == {(500, "InternalServerError"), (503, "ServiceUnavailable")}
