"""What OpenAI's dialect tells of a model, and what an Azure resource tells of a deployment."""

import pytest
from listing_server import conversation

from pipeline.job.settings import Model
from pipeline.providers.openai.azure_listing import AzureListing
from pipeline.providers.openai.listing import OpenAIListing

NOT_FOUND = (404, {"error": {"code": "404", "message": "Resource not found"}})


def asked_of(listing, table):
    """What is found and how bad it is; and what was asked for, with its query."""
    findings, asked = conversation(listing.look(), table, NOT_FOUND)
    return [(one.what, one.level) for one in findings], [url[url.index("/", 8) :] for url in asked]


def openai(table, name="gpt-4o-mini", base_url="http://h/v1"):
    model = Model(provider="openai", name=name, max_output_tokens=100, base_url=base_url)
    return asked_of(OpenAIListing(model), table)


@pytest.mark.parametrize("name", ["org/gpt-4o", "llama3:8b", "a b?c"])
def test_a_name_is_one_part_of_the_path(name):
    _, asked = openai({}, name)
    assert asked[0].count("/") == 3
    assert "?" not in asked[0]


@pytest.mark.parametrize("word", ["max_model_len", "context_window", "context_length", "max_context_length"])
def test_a_server_that_says_how_much_a_model_takes(word):
    """In the words of several; a smaller window than the one we know would be refused."""
    entry = {"id": "gpt-4o-mini", word: 8192}
    assert ("window", "warning") in openai({"/v1/models/gpt-4o-mini": entry})[0]
    assert ("window", "warning") in openai({"/v1/models": {"data": [entry]}})[0]
    assert ("window", "warning") not in openai({"/v1/models/gpt-4o-mini": {**entry, word: 128_000}})[0]


def test_a_model_of_another_kind_is_a_problem():
    name = "text-embedding-3-small"
    assert openai({f"/v1/models/{name}": {"id": name}}, name)[0] == [("key", "ok"), ("model", "problem")]


def test_openai_itself_has_listings():
    """So what it does not list is not there."""
    assert openai({}, base_url="")[0] == [("model", "problem")]
    assert openai({})[0] == [("model", "warning")]


def azure(table, version="", name="mine"):
    model = Model(
        provider="azure", name=name, max_output_tokens=9, base_url="https://r.x/openai/v1", api_version=version
    )
    return asked_of(AzureListing(model), table)


MINE = "/openai/deployments/mine"


@pytest.mark.parametrize(
    ("told", "levels"),
    [
        ({"model": "gpt-4o", "status": "succeeded"}, [("key", "ok"), ("deployment", "ok")]),
        ({"model": "gpt-4o"}, [("key", "ok"), ("deployment", "ok")]),
        ({"model": "gpt-4o", "status": "creating"}, [("key", "ok"), ("deployment", "problem")]),
        ({"scale_settings": {"scale_type": "globalbatch"}}, [("key", "ok"), ("deployment", "problem")]),
        ({"model": "text-embedding-3-small"}, [("key", "ok"), ("model", "problem")]),
    ],
)  # fmt: skip
def test_a_deployment_that_is_told_of(told, levels):
    """Ready, for live calls, and of a model that answers with text."""
    assert azure({MINE: told})[0] == levels


def test_a_resource_that_tells_its_models_alone():
    """The key is known by it; whether there is such a deployment is not, and is said so."""
    found, asked = azure({"/openai/v1/models": {"data": []}})
    assert found == [("key", "ok"), ("deployment", "warning")]
    assert asked == [f"{MINE}?api-version=2022-12-01", "/openai/v1/models"]
    found, asked = azure({"/openai/models": {"data": []}}, version="2024-10-21")
    assert asked[-1] == "/openai/models?api-version=2024-10-21"
    assert azure({})[0] == [("deployment", "warning")]
    assert azure({"/openai/v1/models": (401, {})})[0] == [("key", "problem")]


def test_a_deployment_that_is_said_not_to_be_there():
    missing = (404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist"}})
    assert azure({MINE: missing})[0] == [("key", "ok"), ("deployment", "problem")]
