"""`check --online`: what a provider's listing says, what is to be mended, and that it costs nothing."""

import asyncio
import json
import socket

import pytest
from listing_server import HANG, listing
from spellings import SPELLINGS, tells

import pipeline
from pipeline.commands import online
from pipeline.job.settings import Job

KEY = "sk-test/very+secret-key-0123456789"
CLAUDE, HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ENVIRON = {
    **dict.fromkeys(("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), KEY),
    "AWS_ACCESS_KEY_ID": "AKIATEST0123456789",
    "AWS_SECRET_ACCESS_KEY": KEY,
    "VERTEX_KEY": KEY,
}
ARNS = [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{CLAUDE}"} for region in ("us-west-2", "us-east-1")]
PROFILE = {"inferenceProfileId": HAIKU, "status": "ACTIVE", "models": ARNS}


class Asked:
    """One provider: what a job says, where its model is listed, and how each answer looks."""

    def __init__(self, provider, path, entry, names, key, base="", **model):
        self.provider, self.path, self.entry, self.names, self.key, self.base = provider, path, entry, names, key, base
        self.model = model

    def job(self, folder, url, **model):
        model = {
            "provider": self.provider,
            "base_url": url + self.base,
            "max_output_tokens": 100,
            **self.model,
            **model,
        }
        folder.write("", rows=[{"id": "a", "text": "one"}], model=model)
        return folder

    def found(self, folder, table, **model):
        with listing(table) as server:
            self.job(folder, server.url, **model)
            found = online.online(Job.load(folder.file), ENVIRON)
            assert server.methods <= {"GET"}
            assert all(one.detail for one in found)
            return found, server


PROVIDERS = [
    Asked("openai", "/v1/models/gpt-4o-mini", {"id": "gpt-4o-mini", "object": "model"},
          {"/v1/models": {"data": [{"id": "gpt-4o-mini"}, {"id": "o3"}]}}, "OPENAI_API_KEY", "/v1", name="gpt-4o-mini"),
    Asked("anthropic", "/v1/models/claude-haiku-4-5", {"type": "model", "id": "claude-haiku-4-5"},
          {"/v1/models": {"data": [{"id": "claude-haiku-4-5"}, {"id": "claude-opus-5"}]}}, "ANTHROPIC_API_KEY",
          name="claude-haiku-4-5"),
    Asked("gemini", "/v1beta/models/gemini-2.5-flash",
          {"name": "models/gemini-2.5-flash", "supportedGenerationMethods": ["generateContent"],
           "inputTokenLimit": 1048576, "outputTokenLimit": 65536},
          {"/v1beta/models": {"models": [{"name": "models/gemini-2.5-flash"}]}}, "GEMINI_API_KEY",
          name="gemini-2.5-flash"),
    Asked("vertex", "/v1/publishers/google/models/gemini-2.5-flash", {"name": "publishers/google/models/x"},
          {"/v1beta1/publishers/google/models":
           {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-flash"}]}}, "VERTEX_KEY",
          name="gemini-2.5-flash", api_key_env="VERTEX_KEY"),
    Asked("bedrock", f"/foundation-models/{CLAUDE}",
          {"modelDetails": {"inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["TEXT"]}},
          {"/foundation-models": {"modelSummaries": [{"modelId": CLAUDE}]}}, "AWS_SECRET_ACCESS_KEY",
          name=CLAUDE, region="us-east-1"),
    Asked("azure", "/openai/deployments/mine", {"id": "mine", "model": "gpt-4o-mini", "status": "succeeded"},
          {"/openai/deployments": {"data": [{"id": "mine"}]}}, "AZURE_OPENAI_API_KEY", name="mine"),
]  # fmt: skip
each = pytest.mark.parametrize("asked", PROVIDERS, ids=lambda asked: asked.provider)
SLIPS = {"gpt-4o-mini": "gpt-40-mini", "claude-haiku-4-5": "claude-haiku-45", "gemini-2.5-flash": "gemini-2.5-falsh",
         CLAUDE: CLAUDE.replace("haiku", "haiko"), "mine": "mime"}  # fmt: skip


def levels(found):
    return {one.what: one.level for one in found}


def problems(found):
    return [(one.what, one.detail) for one in found if one.level == "problem"]


@each
def test_a_good_key_and_model(asked, job):
    found, server = asked.found(job, {asked.path: asked.entry})
    assert {one.level for one in found} == {"ok"}
    assert "key" in levels(found)
    assert server.paths[0].startswith(asked.path)
    sent = server.asked[0][2]
    assert {KEY, f"Bearer {KEY}"} & set(sent.values()) or "AWS4" in sent["authorization"]


@each
def test_a_model_that_is_not_there_and_the_nearest_that_is(asked, job):
    """The nearest of what the provider lists, not of what we know."""
    right = asked.model["name"]
    slip = SLIPS[right]
    path = asked.path.replace(right, slip)
    missing = {
        "error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist"}
    }
    found, _ = asked.found(job, {**asked.names, path: (404, missing)}, name=slip)
    ((what, detail),) = problems(found)
    assert what in {"model", "deployment"}
    assert f"Did you mean {right!r}?" in detail


@each
def test_a_key_that_is_refused_names_its_variable(asked, job):
    said = {
        "error": {"message": "Incorrect API key provided", "type": "authentication_error", "status": "UNAUTHENTICATED"}
    }
    found, _ = asked.found(job, {asked.path: (401, said)})
    ((what, detail),) = problems(found)
    assert what == "key"
    assert asked.key in detail


@each
def test_access_that_is_not_given(asked, job):
    said = {"message": "not authorized", "error": {"message": "not authorized", "status": "PERMISSION_DENIED"}}
    found, _ = asked.found(job, {asked.path: (403, said)})
    assert levels(found) == {"access": "problem"}


@each
@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_a_provider_that_is_busy_is_a_warning(asked, status, job):
    found, _ = asked.found(job, {asked.path: (status, {"error": {"message": "later"}})})
    assert levels(found) == {"host": "warning"}


@each
@pytest.mark.parametrize(("status", "level"), [(200, "problem"), (301, "problem"), (502, "warning")])
def test_a_page_is_no_listing(asked, status, level, job):
    found, _ = asked.found(job, {asked.path: (status, b"<html>hello</html>")})
    assert levels(found) == {"host": level}


@each
def test_nobody_there_names_the_host(asked, job):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
    found = online.online(Job.load(asked.job(job, f"http://{host}").file), ENVIRON)
    ((what, detail),) = problems(found)
    assert what == "host"
    assert detail.startswith(f"{host} does not answer")
    assert "model.base_url" in detail


@each
def test_an_answer_that_does_not_come_is_waited_for_only_so_long(asked, job, monkeypatch):
    monkeypatch.setattr(online, "ONE_S", 0.1)
    found, _ = asked.found(job, {asked.path: (200, HANG)})
    assert levels(found) == {"host": "problem"}


def test_all_of_it_takes_only_so_long(job, monkeypatch):
    """However many questions there are."""
    monkeypatch.setattr(online, "ALL_S", 0.1)
    found, _ = PROVIDERS[0].found(job, {PROVIDERS[0].path: (200, HANG)})
    assert levels(found) == {"host": "problem"}
    assert found[0].detail.startswith("not all was answered within 0.1 s")


@each
@pytest.mark.parametrize("spelling", ["plain", "json-twice", "percent-twice", "base64"])
@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
def test_a_key_that_comes_back_is_not_shown(asked, spelling, status, job):
    written = SPELLINGS[spelling](KEY)
    said = {"error": {"message": f"bad: {written}"}, "model": written, "id": written, "message": written}
    names = {path: {"data": [{"id": f"{asked.model['name']}-{written}"}]} for path in asked.names}
    found, _ = asked.found(job, {asked.path: (status, said), **names})
    assert found
    assert not tells(repr(found), KEY)


def test_a_server_without_listings_is_no_failure(job):
    """But one that says that it has no such model is believed, with a list or without."""
    found, _ = PROVIDERS[0].found(job, {})
    assert levels(found) == {"model": "warning"}
    missing = {"error": {"code": "model_not_found", "message": "The model `x` does not exist"}}
    found, _ = PROVIDERS[0].found(job, {PROVIDERS[0].path: (404, missing)})
    assert levels(found) == {"model": "problem"}


@pytest.mark.parametrize(
    "names",
    [
        {"data": [{"id": "gpt-4o-mini"}]},
        {"data": [{"id": "gpt-4o-mini:latest"}]},
        {"models": [{"name": "gpt-4o-mini"}]},
        [{"id": "gpt-4o-mini"}],
    ],
)
def test_a_server_with_a_list_alone(names, job):
    """In the forms that servers have it."""
    found, _ = PROVIDERS[0].found(job, {"/v1/models": names})
    assert levels(found) == {"key": "ok", "model": "ok"}


def test_the_command_ends_with_2_for_a_problem_and_tells_in_json_what_was_resolved(job):
    """By the whole way of a user; without the flag nobody is asked."""
    job.env |= ENVIRON
    asked = PROVIDERS[4]
    table = {f"/inference-profiles/{HAIKU}": PROFILE}
    with listing(table) as server:
        asked.job(job, server.url, name=HAIKU)
        job.pipeline("check", job.file, code=0)
        assert server.asked == []
        told = json.loads(job.pipeline("check", job.file, "--online", "--json", code=0).out)
        profile = next(one for one in told["findings"] if one["what"] == "inference profile")
        assert profile["resolved"] == {"profile": HAIKU, "models": [CLAUDE], "regions": ["us-east-1", "us-west-2"]}
        assert server.methods == {"GET"}
        server.table[f"/inference-profiles/{HAIKU}"] = (404, {"message": "The provided profile does not exist."})
        told = json.loads(job.pipeline("check", job.file, "--online", "--json", code=2).out)
        assert told["ok"] is False


def test_from_python_within_a_loop(job, monkeypatch):
    """As in a notebook; both flags are keywords."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    async def notebook():
        return pipeline.check(pipeline.Job.load(job.file), online=True, strict=True)

    with listing({PROVIDERS[0].path: PROVIDERS[0].entry}) as server:
        PROVIDERS[0].job(job, server.url)
        found = asyncio.run(notebook())
    assert levels(found)["key"] == "ok"
    assert levels(found)["budget.max_usd"] == "problem"


def test_what_keeps_from_asking_is_told(job):
    """No key, no region: nothing is asked, and nothing raises."""
    job.write("", rows=[{"id": "a", "text": "one"}], model={"provider": "bedrock", "name": HAIKU, "base_url": ""})
    found = online.online(Job.load(job.file), {})
    assert levels(found) == {"online": "problem"}
    assert "region" in found[0].detail


def test_the_sandbox_is_started_and_asked(job):
    job.write("", rows=[{"id": "a", "text": "one"}], model={"provider": "sandbox", "base_url": ""})
    assert levels(online.online(Job.load(job.file), {})) == {"key": "ok", "model": "ok"}
    found = online.online(Job.load(job.file, set={"model.name": "missing-model"}), {})
    assert levels(found) == {"model": "problem"}
