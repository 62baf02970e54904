"""[prices] in a whole run: every class at its own price to 1e-10 USD, worked out again by `verify`, and refusals."""

import json
from decimal import Decimal

import orjson
import pytest
from scripted_server import Scripted, completion

ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(4)]
USAGE = {
    "prompt_tokens": 1003,
    "completion_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 701},
}
CACHED = {"cached_input_usd_per_mtok": 0.0123}
BOTH = {"input_usd_per_mtok": 0.7, "output_usd_per_mtok": 1.9}


@pytest.fixture
def priced(job, server):
    """A job with these prices, over a server that answers each row from its cache in part."""
    server.script = lambda _, nth, body: Scripted(raw=orjson.dumps({**completion(Scripted(), body), "usage": USAGE}))

    def write(name="gpt-4o-mini", **prices):
        model = {"name": name}
        return job.write(server.url, rows=ROWS, model=model, prices=prices, budget={"max_usd": 1.0})

    return write


@pytest.mark.parametrize(
    ("name", "prices", "usd"),
    [
        ("gpt-4o-mini", {}, "0.0001080750"),  # 302 x 0.15 + 701 x 0.075 + 17 x 0.60
        ("gpt-4o-mini", CACHED, "0.0000641223"),  # 302 x 0.15 + 701 x 0.0123 + 17 x 0.60
        ("gpt-4o-mini", BOTH, "0.0007344000"),  # 1003 x 0.7 + 17 x 1.9
        ("in-house", {**BOTH, **CACHED}, "0.0002523223"),  # 302 x 0.7 + 701 x 0.0123 + 17 x 1.9
        ("in-house", {"as": "gpt-4o-mini"}, "0.0001080750"),
        ("in-house", {"as": "gpt-4o-mini", **CACHED}, "0.0000641223"),
        ("in-house", {"as": "anthropic:claude-haiku-4-5"}, "0.0004571000"),  # 302 x 1 + 701 x 0.1 + 17 x 5
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", {}, "0.0003213000"),  # 1003 x 0.3 + 17 x 1.2: no cached price is known
    ],
)
def test_every_class_costs_what_it_is_given_and_verify_agrees(priced, name, prices, usd):
    job = priced(name, **prices)
    job.run()
    assert {call["cost_usd"] for call in job.calls()} == {Decimal(usd)}
    manifest = job.reconcile()
    told = {key: value for key, value in manifest["job"]["prices"].items() if value}
    assert told == {key: value if key == "as" else str(value) for key, value in prices.items()}
    checks = json.loads(job.pipeline("verify", job.out, "--json", code=0).out)
    assert "every call costs what its tokens cost" in json.dumps(checks)


def test_verify_sees_a_cost_that_is_not_by_the_jobs_own_prices(priced):
    job = priced("in-house", **BOTH, **CACHED)
    job.run()
    manifest = job.manifest()
    manifest["job"]["prices"]["cached_input_usd_per_mtok"] = "0.0124"
    (job.out / "run.json").write_text(json.dumps(manifest))
    assert "its tokens cost 0.0002523924" in job.pipeline("verify", job.out, code=1).out


@pytest.mark.parametrize("prices", [{}, BOTH])
def test_verify_reads_a_run_of_before_that_has_no_prices_of_classes(priced, prices):
    job = priced(**prices)
    job.run()
    manifest = job.manifest()
    old = {"input_usd_per_mtok", "output_usd_per_mtok"}
    manifest["job"]["prices"] = {key: value for key, value in manifest["job"]["prices"].items() if key in old}
    (job.out / "run.json").write_text(json.dumps(manifest))
    job.pipeline("verify", job.out, code=0)


@pytest.mark.parametrize(
    ("name", "prices", "told"),
    [
        (
            "gpt-4o-mini",
            {"as": "gpt-4o-minni"},
            "prices.as = 'gpt-4o-minni': the price table has no such model of openai",
        ),
        ("in-house", CACHED, "prices.cached_input_usd_per_mtok is given, and no price is known for 'in-house'"),
        ("in-house", {}, "or as = the model of the price table"),
        ("gpt-4o-mini", {"cache_write_usd_per_mtok": -1}, "should be 0 or more USD"),
        ("gpt-4o-mini", {"batch_share": 1.5}, "prices.batch_share = 1.5 should be a share between 0 and 1"),
    ],
)
def test_what_check_refuses_run_refuses_too_and_nothing_is_sent(priced, server, name, prices, told):
    job = priced(name, **prices)
    for verb in ("check", "run"):
        ended = job.pipeline(verb, job.file, code=2)
        assert told in " ".join((ended.out + ended.err).split())
    assert server.sent == 0


def test_the_price_of_a_model_is_told_by_class_and_by_the_name_that_it_goes_by(priced):
    job = priced("in-house", **{"as": "gpt-4.1", **CACHED})
    told = job.pipeline("check", job.file, code=0).out
    assert "$2 in, $0.0123 cached, $8 out per million tokens" in told
    assert "as gpt-4.1, and the job file's [prices]" in told
    assert "in-house: window 1,000,000 tokens" in told
    assert "assumed" not in told


def test_a_price_that_is_learned_later_makes_nothing_due_again(priced, server):
    """A model without a name that says anything, priced as another only the next night."""
    job = priced("in-house", **BOTH)
    job.run()
    job.write(server.url, rows=ROWS, model={"name": "in-house"}, prices={"as": "gpt-4.1", **CACHED})
    job.run()
    assert server.sent == len(ROWS)


def test_compare_tells_prices_by_class_and_keeps_the_jobs_own_for_its_own_model(priced):
    job = priced("in-house", **BOTH, **CACHED, batch_share=0.25)
    names = "gpt-4o-mini,anthropic:claude-haiku-4-5"
    found = json.loads(job.pipeline("estimate", job.file, "--json", "--compare", names, code=0).out)["compare"]
    assert [one["price"] for one in found] == [
        "$0.7 in, $0.0123 cached, $1.9 out per million tokens",
        "$0.15 in, $0.075 cached, $0.6 out per million tokens",
        "$1 in, $0.1 cached, $1.25 cache writes, $5 out per million tokens",
    ]
    own, other = found[:2]
    assert Decimal(own["batch_cost_usd"]["expected"]) == pytest.approx(
        Decimal(own["cost_usd"]["expected"]) / 4, abs=Decimal("0.000001")
    )
    assert other["batch_cost_usd"] is None or other["batch_cost_usd"] != own["batch_cost_usd"]
