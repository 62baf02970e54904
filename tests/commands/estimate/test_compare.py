"""Models side by side: each by its own counter, window and price."""

import json

import pytest

NAMES = "gpt-5.4-mini,anthropic:claude-haiku-4-5,nonesuch-7b"


@pytest.fixture
def compared(job):
    rows = [{"id": str(n), "text": f"Thing {n} costs 5.00. " * 40} for n in range(12)]
    job.write("", rows=rows, prices={"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0})
    return job


def _listed(job, names):
    return json.loads(job.pipeline("estimate", job.file, "--json", "--compare", names, code=0).out)["compare"]


def test_the_jobs_own_model_comes_first_and_each_other_by_its_own_counter(compared):
    own, mini, claude, _ = _listed(compared, NAMES)
    assert [one["model"] for one in (own, mini, claude)] == ["gpt-4o-mini", "gpt-5.4-mini", "claude-haiku-4-5"]
    assert [one["provider"] for one in (own, claude)] == ["openai", "anthropic"]
    assert claude["input_tokens"]["expected"] > 1.2 * own["input_tokens"]["expected"]
    assert mini["window_tokens"] > own["window_tokens"]
    assert own["price"].startswith("$1.0 in")  # the job's own [prices] are for its own model alone
    assert not mini["price"].startswith("$1.0 in")


def test_an_unknown_price_is_null_and_loud(compared):
    *_, unknown = _listed(compared, NAMES)
    assert unknown["cost_usd"] is None
    assert unknown["price"] is None
    text = compared.pipeline("estimate", compared.file, "--compare", NAMES, code=0).out
    assert "nonesuch-7b: NO PRICE IS KNOWN" in text
    assert "UNKNOWN" in text


def test_a_model_that_cannot_do_the_job_says_why_and_does_not_stop_the_others(compared):
    """Its window does not hold the output that is asked for."""
    compared.write("", model={"max_output_tokens": 20_000})
    small, large = _listed(compared, "gpt-4,gpt-5.4-mini")[1:]
    assert "context window" in small["problem"]
    assert small["cost_usd"] is None
    assert large["problem"] is None


def test_a_provider_that_does_not_exist_is_named(compared):
    ended = compared.pipeline("estimate", compared.file, "--compare", "opnai:gpt-5", code=2)
    assert "'opnai' is no provider" in ended.err
