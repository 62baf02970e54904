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


def _expected(job, **model):
    """Output tokens of all 12 answers, as expected and at the most; and what is assumed of reasoning."""
    job.write("", model={"name": "gpt-5-mini", "max_output_tokens": 10_000, **model})
    found = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    assumed = [line for line in found["assumptions"] if line.startswith("reasoning")]
    return found["output_tokens"]["expected"], found["output_tokens"]["high"], assumed


def test_output_grows_by_what_the_job_says_of_reasoning(compared):
    """A dozen answers and a repair in fifty; at the most, all reason up to their cap."""
    plain, usual_most, usual = _expected(compared, name="gpt-5.1", reasoning="none")
    assert usual == []
    assert usual_most < 10_000
    levels = [_expected(compared, reasoning=level) for level in ("minimal", "low", "default", "medium", "high")]
    grown = [round((expected - plain) / 12.24) for expected, _, _ in levels]
    assert grown == pytest.approx([60, 150, 300, 300, 750], abs=2)
    assert all(most > 12 * 10_000 for _, most, _ in levels)
    assert "150 tokens an answer expected ('low' is assumed to be 0.5 times the usual 300)" in levels[1][2][0]
    counted, _, told = _expected(compared, provider="gemini", name="gemini-2.5-flash", reasoning=2000)
    assert counted > 12 * 2000
    assert "2,000 tokens an answer expected (model.reasoning = 2000)" in told[0]


def test_another_model_is_compared_without_what_it_does_not_take(compared):
    compared.write("", model={"name": "gpt-5-mini", "max_output_tokens": 2000, "reasoning": "minimal"})
    _, plain, claude = _listed(compared, "gpt-4o-mini,anthropic:claude-opus-4-7")
    assert (plain["problem"], claude["problem"]) == (None, None)
