"""What is looked up of a model before a row is read."""

import pytest

import pipeline
from pipeline.extraction.prepare import prepare


@pytest.mark.parametrize(
    ("provider", "name", "prices", "most"),
    [
        ("openai", "gpt-4o-mini", {}, 160_000),
        ("sandbox", "gpt-4.1", {}, 1_250_000),
        ("openai", "my-own-model", {}, 0),
        ("azure", "gpt-4o-mini", {}, 0),
        ("azure", "our-deployment", {"as": "gpt-4o-mini"}, 160_000),
    ],
)
def test_what_a_model_refuses_is_known_where_it_is_sure_which_it_is(job, monkeypatch, provider, name, prices, most):
    """A deployment may be called what it is not. With room: of two published windows the smaller one is listed."""
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    job.write(
        "http://127.0.0.1:9/v1",
        rows=[{"id": "a", "text": "a bill"}],
        model={"provider": provider, "name": name},
        prices=prices,
    )
    assert prepare(pipeline.Job.load(job.file)).plan.input_most == most
