"""What Google tells of a model, by the one service and by the other."""

from datetime import UTC, datetime

import pytest
from listing_server import conversation

from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.gemini.listing import GeminiListing, VertexListing

FLASH = {"supportedGenerationMethods": ["generateContent"], "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536}
NOT_FOUND = (404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "it is not found"}})


def gemini(table, name="gemini-2.5-flash", **more):
    model = Model(provider="gemini", name=name, **{"max_output_tokens": 100, **more})
    return conversation(GeminiListing(model).look(), table, NOT_FOUND)


def levels(findings):
    return [(one.what, one.level) for one in findings]


@pytest.mark.parametrize(
    ("changes", "model", "last"),
    [
        ({}, {}, ("model", "ok")),
        ({"supportedGenerationMethods": ["embedContent"]}, {}, ("model", "problem")),
        ({"inputTokenLimit": 32_768}, {}, ("window", "warning")),
        ({"outputTokenLimit": 8_192}, {}, ("window", "warning")),
        ({}, {"max_output_tokens": 100_000}, ("window", "problem")),
    ],
)
def test_what_a_model_can_do(changes, model, last):
    findings, asked = gemini({"/v1beta/models/gemini-2.5-flash": {**FLASH, **changes}}, **model)
    assert levels(findings)[0] == ("key", "ok")
    assert levels(findings)[-1] == last
    assert asked == ["https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash"]


def test_a_tuned_model_has_a_path_of_its_own():
    findings, asked = gemini({"/v1beta/tunedModels/mine-1": {"state": "ACTIVE"}}, "tunedModels/mine-1")
    assert levels(findings) == [("key", "ok"), ("model", "ok")]
    assert asked[0].endswith("/v1beta/tunedModels/mine-1")


def test_the_nearest_that_is_listed():
    listed = {"models": [{"name": "models/gemini-2.5-flash"}, {"name": "models/gemma-3"}]}
    (finding,), _ = gemini({"/v1beta/models": listed}, "gemini-2.5-flush")
    assert "Did you mean 'gemini-2.5-flash'?" in finding.detail


def vertex(table, name="gemini-2.5-flash", **more):
    model = Model(
        provider="vertex", name=name, max_output_tokens=9, **{"project": "p", "region": "europe-west4", **more}
    )
    return conversation(VertexListing(model).look(), table, NOT_FOUND)


@pytest.mark.parametrize(
    ("name", "more", "url"),
    [
        ("gemini-2.5-flash", {}, "https://europe-west4-aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash"),
        ("gemini-2.5-flash", {"region": ""}, "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash"),
        ("publishers/anthropic/models/claude-x", {}, "https://europe-west4-aiplatform.googleapis.com/v1/publishers/anthropic/models/claude-x"),
        ("projects/q/locations/us-east1/publishers/google/models/m", {}, "https://us-east1-aiplatform.googleapis.com/v1/publishers/google/models/m"),
        ("endpoints/12", {}, "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/endpoints/12"),
        ("projects/q/locations/us-east1/endpoints/12", {}, "https://us-east1-aiplatform.googleapis.com/v1/projects/q/locations/us-east1/endpoints/12"),
        ("gemini-2.5-flash", {"base_url": "http://h/v1"}, "http://h/v1/publishers/google/models/gemini-2.5-flash"),
    ],
)  # fmt: skip
def test_where_each_form_of_a_name_is_asked_for(name, more, url):
    assert vertex({}, name, **more)[1][0] == url


def test_what_vertex_tells_and_what_it_does_not():
    findings, _ = vertex({"/v1/publishers/google/models/gemini-2.5-flash": {"launchStage": "GA"}})
    assert levels(findings) == [("key", "ok"), ("model", "ok")]
    assert "nothing tells but a call" in findings[-1].detail
    assert findings[-1].resolved["region"] == "europe-west4"
    listed = {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-flash"}]}
    (finding,), _ = vertex({"/v1beta1/publishers/google/models": listed}, "gemini-2.5-flush")
    assert "Did you mean 'gemini-2.5-flash'?" in finding.detail


def test_an_endpoint_needs_a_model():
    path = "/v1/projects/p/locations/europe-west4/endpoints/12"
    assert levels(vertex({path: {"deployedModels": [{"id": "1"}]}}, "endpoints/12")[0])[-1] == ("model", "ok")
    assert levels(vertex({path: {}}, "endpoints/12")[0])[-1] == ("model", "problem")
    with pytest.raises(JobError, match=r"model\.project"):
        vertex({}, "endpoints/12", project="")


def test_an_api_key_that_is_told_nothing_is_no_bad_key():
    said = {
        "error": {"message": "API keys are not supported by this API. Expected OAuth2.", "status": "UNAUTHENTICATED"}
    }
    findings, _ = vertex({"/v1/publishers/google/models/gemini-2.5-flash": (401, said)}, api_key_env="K")
    assert levels(findings) == [("model", "warning")]


def test_a_token_says_whose_quota_it_uses():
    model = Model(provider="vertex", name="m", max_output_tokens=9, project="p")
    headers = VertexListing(model).headers("", Secret("t", bearer=True), datetime.now(UTC))
    assert headers == {"Authorization": "Bearer t", "x-goog-user-project": "p"}
