"""The sandbox answers what `check --online` asks of each provider, in its shape, and counts none of it."""

import json

import pytest
from sandbox_client import with_client

MODEL = "claude-haiku-4-5"
KEYS = {
    "openai": lambda key: {"Authorization": f"Bearer {key}"},
    "azure": lambda key: {"api-key": key},
    "anthropic": lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
    "gemini": lambda key: {"x-goog-api-key": key},
    "vertex": lambda key: {"Authorization": f"Bearer {key}"},
    "bedrock": lambda key: {"Authorization": f"Bearer {key}"},
}
PATHS = {
    "openai": ("/v1/models/{}", "/v1/models"),
    "azure": ("/openai/deployments/{}", "/openai/deployments"),
    "anthropic": ("/v1/models/{}", "/v1/models"),
    "gemini": ("/v1beta/models/{}", "/v1beta/models"),
    "vertex": ("/v1/publishers/google/models/{}", "/v1beta1/publishers/google/models"),
    "bedrock": ("/foundation-models/{}", "/foundation-models"),
}
each = pytest.mark.parametrize("provider", PATHS)


def got(path, headers):
    async def use(client):
        async with client.session.get(client.url + path, headers=headers) as answer:
            body = json.loads(await answer.text())
        return answer.status, body, await client.counters()

    status, body, counters = with_client(use)
    assert counters["requests"] == 0
    return status, body


@each
def test_any_name_is_there_but_the_one_that_is_missing(provider):
    one, every = PATHS[provider]
    assert got(one.format(MODEL), KEYS[provider]("k"))[0] == 200
    assert got(one.format("missing-model"), KEYS[provider]("k"))[0] == 404
    status, body = got(every, KEYS[provider]("k"))
    assert status == 200
    assert any(isinstance(value, list) and value for value in body.values())


@each
@pytest.mark.parametrize("key", ["", "invalid"])
def test_a_bad_key_is_refused_as_for_a_call(provider, key):
    wanted = {401} if provider in {"openai", "azure", "anthropic", "vertex"} else {400, 403}
    assert got(PATHS[provider][0].format(MODEL), KEYS[provider](key))[0] in wanted


def test_a_profile_names_its_models_and_regions():
    status, body = got(f"/inference-profiles/us.anthropic.{MODEL}", KEYS["bedrock"]("k"))
    assert status == 200
    assert {one["modelArn"].rpartition("/")[2] for one in body["models"]} == {f"anthropic.{MODEL}"}
    status, body = got(f"/foundation-model-availability/anthropic.{MODEL}", KEYS["bedrock"]("k"))
    assert body["modelId"] == f"anthropic.{MODEL}"


def test_models_say_how_much_they_take():
    assert got(f"/v1/models/{MODEL}", KEYS["anthropic"]("k"))[1]["max_input_tokens"] == 200_000
    assert got("/v1beta/models/gemini-2.5-flash", KEYS["gemini"]("k"))[1]["inputTokenLimit"] == 1_000_000


def test_an_endpoint_has_a_model():
    assert got("/v1/projects/p/locations/r/endpoints/12", KEYS["vertex"]("k"))[1]["deployedModels"]
