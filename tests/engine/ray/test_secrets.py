"""What of the run's environment goes to the nodes of a cluster."""

import pytest

from pipeline.engine.ray.secrets import needed
from pipeline.extraction import engines
from pipeline.extraction.prepare import prepare
from pipeline.job.settings import Job

ENVIRON = {
    "OPENAI_API_KEY": "sk-1", "OTHER_API_KEY": "sk-2", "ANTHROPIC_API_KEY": "sk-3", "HOME": "/root", "PATH": "/bin",
    "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1", "RAY_AUTH_TOKEN": "t",
    "AZURE_OPENAI_ENDPOINT": "https://a", "AZURE_OPENAI_API_KEY": "k", "AZURE_CLIENT_SECRET": "s",
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ({}, {"OPENAI_API_KEY"}),
        ({"api_key_env": "OTHER_API_KEY"}, {"OTHER_API_KEY"}),
        ({"api_key_env": "NOT_SET"}, set()),
        (
            {"provider": "bedrock", "name": "amazon.nova-lite-v1:0"},
            {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"},
        ),
        (
            {"provider": "azure", "api_key_env": ""},
            {"AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_CLIENT_SECRET"},
        ),
    ],
)
def test_only_what_the_chain_of_the_provider_looks_at(job, monkeypatch, model, names):
    """Nothing of other providers, of the machine, or of Ray itself."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    url = {"base_url": ""} if model.get("provider") else {}
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "t"}], engine={"on": "ray"})
    job.write("http://127.0.0.1:9/v1", engine={"on": "ray"}, model={**url, **model})
    prepared = prepare(Job.load(job.file))
    found = needed(prepared, ENVIRON)
    assert set(found) == names
    assert all(found[name] == ENVIRON[name] for name in found)


def test_of_several_models_what_each_chain_looks_at(job, monkeypatch):
    """And still nothing else."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "t"}], engine={"on": "ray"})
    more = """
[models.own]
provider = "openai"
name = "gpt-4o"
max_output_tokens = 9
api_key_env = "OTHER_API_KEY"
[models.cloud]
provider = "bedrock"
name = "amazon.nova-lite-v1:0"
max_output_tokens = 9
[[fallback]]
on = ["outage"]
model = "own"
[[fallback]]
on = ["auth"]
model = "cloud"
"""
    job.file.write_text(job.file.read_text() + more)
    of_aws = {name for name in ENVIRON if name.startswith("AWS_")}
    assert set(needed(prepare(Job.load(job.file)), ENVIRON)) == {"OPENAI_API_KEY", "OTHER_API_KEY", *of_aws}
