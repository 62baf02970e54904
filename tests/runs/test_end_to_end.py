"""Every provider, and every way of working, through the command line, against the sandbox as a user would start it."""

import json

import pytest
from sandbox_process import KEYS, counters, sandbox
from scripted_server import Scripted

PROVIDERS = {
    "openai": {"provider": "openai", "name": "gpt-4o-mini"},
    "responses": {"provider": "openai", "name": "gpt-4o-mini", "api": "responses"},
    "azure responses": {"provider": "azure", "name": "gpt-5-pro"},
    "azure": {"provider": "azure", "name": "gpt-4o-mini", "api_version": "2024-10-21"},
    "anthropic": {"provider": "anthropic", "name": "claude-sonnet-4-5"},
    "converse": {"provider": "bedrock", "name": "us.anthropic.claude-haiku-4-5-20251001-v1:0", "region": "us-east-1"},
    "invoke": {
        "provider": "bedrock",
        "api": "invoke",
        "name": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "region": "us-east-1",
    },
    "gemini": {"provider": "gemini", "name": "gemini-2.5-flash"},
    "vertex": {"provider": "vertex", "name": "gemini-2.5-flash", "project": "p", "api_key_env": "VERTEX_KEY"},
}
TEXTS = [
    "Supplier: Acorn Mills\nTotal: 12.50",
    "Supplier: Blue Barn\nTotal: 8.00",
    "Supplier: Copper Kiln\nTotal: 3.75",
]


@pytest.fixture(scope="module")
def url():
    with sandbox() as found:
        yield found


@pytest.fixture
def job(job):
    job.env.update(KEYS)
    return job


def base_url(url, provider):
    return f"{url}/v1" if PROVIDERS[provider]["provider"] == "openai" else url


def write(job, url, name, texts=TEXTS, **sections):
    model = {**PROVIDERS[name], "base_url": base_url(url, name), "max_output_tokens": 500, **sections.pop("model", {})}
    rows = [{"id": f"r{number}", "text": text, "customer": f"c{number % 2}"} for number, text in enumerate(texts)]
    return job.write(url, rows=rows, model=model, **sections)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_works_by_changing_two_keys(job, url, name, stream):
    """check, run: typed rows with tokens, finish reason, model version and the provider's request id."""
    write(job, url, name, model={"stream": stream})
    if not stream:
        assert json.loads(job.pipeline("check", job.file, "--json", code=0).out)["ok"]
    job.run()
    manifest = job.reconcile()
    assert manifest["rows"]["ok"] == 3
    for line in job.results():
        assert line["record"]["name"]
        assert line["input_tokens"] > 0
        assert line["output_tokens"] > 0
        assert line["finish_reason"]
    for call in job.calls():
        assert call["provider_request_id"]
        assert (call["ttft_ms"] is not None) == stream
    if not stream:
        job.pipeline("verify", job.out, code=0)


@pytest.mark.parametrize("name", ["openai", "anthropic", "converse", "gemini"])
def test_two_steps_are_both_paid_for_on_the_row(job, url, name):
    """Mode = two_step: a free reading, then its form; both calls count in tokens and cost."""
    write(job, url, name, extract={"mode": "two_step"}).run()
    job.reconcile()
    assert [line["calls"] for line in job.results()] == [2, 2, 2]
    assert all(line["record"]["total"] for line in job.results())


def test_a_rolling_summary_goes_with_each_chunk(job, server):
    """Context = rolling: chunk after chunk, each with what was said of those before, within the budget."""
    text = "\n\n".join(f"part{number} " + "lorem ipsum dolor " * 30 for number in range(4))
    job.write(
        server.url,
        rows=[{"id": "a", "text": text}],
        chunks={"max_tokens": 130, "context": "rolling"},
        extract={"prompt": "Read it.\n{text}"},
    ).run()
    job.reconcile()
    (line,) = job.results()
    assert line["calls"] == 2 * line["chunks"] - 1
    asked = [body["messages"][-1]["content"] for _, body, _ in server.requests if "response_format" in body]
    assert "Summary of the parts" not in asked[0]
    assert all("Summary of the parts" in one for one in asked[1:])


@pytest.mark.parametrize("name", ["anthropic", "converse", "invoke"])
def test_a_long_fixed_part_is_paid_for_once_and_read_from_the_providers_cache(job, url, name):
    """Written by the first call, a tenth of the price for the others; a short one is not marked."""
    version = "claude-sonnet-4-5-20250929"
    model = {"name": version if name == "anthropic" else f"us.anthropic.{version}-v1:0"}
    rules = f"Rules of {name}. " + "Read every line of the invoice with care. " * 300
    ended = write(job, url, name, model=model, extract={"system": rules}, limits={"concurrency": 1}).run()
    job.reconcile()
    first, *others = job.calls()
    assert first["cache_write_tokens"] > 1024
    assert [call["cached_input_tokens"] for call in others] == [first["cache_write_tokens"]] * 2
    assert all(call["cost_usd"] < first["cost_usd"] / 3 for call in others)
    told = job.manifest()["caching"]
    assert "marked" in told["decision"]
    assert told["hit_rate"] > 0.5
    assert float(told["saved_usd"]) > 0
    assert "read from the provider's cache, which saved $" in ended.err
    job.pipeline("verify", job.out, code=0)
    write(job, url, name, model=model, limits={"concurrency": 1}).run()
    assert not any(call["cache_write_tokens"] for call in job.calls())


@pytest.mark.parametrize("name", ["anthropic", "converse", "gemini", "openai"])
def test_an_exact_estimate_is_counted_by_the_provider(job, url, name):
    """Estimate --exact: the provider's own count, where it has one; nothing is answered or billed."""
    write(job, url, name)
    before = counters(url)["answered"]
    report = json.loads(job.pipeline("estimate", job.file, "--exact", "--json", code=0).out)
    counted = "counted by the provider" in report["assumptions"][0]
    assert counted == (name != "openai")
    assert counters(url)["answered"] == before


def test_a_tenant_out_of_budget_parks_its_own_rows_only(job, url):
    """The others go on; the run ends with exit code 3, and its rows are pending."""
    write(
        job,
        url,
        "openai",
        texts=[f"{text} {number}" for number in range(12) for text in TEXTS],
        input={"path": "in.jsonl", "id": "id", "tenant": "customer"},
        limits={"concurrency": 2},
    )
    rows = [json.loads(line) for line in (job.folder / "in.jsonl").read_text().splitlines()]
    for row in rows:
        row["customer"] = "large" if row["id"] not in {"r0", "r1"} else "small"
    (job.folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job.run("--set", "budget.tenant_max_usd_per_day=0.0007", code=3)
    manifest = job.reconcile()
    assert (manifest["state"], manifest["reason"]) == ("parked", "budget")
    assert 0 < manifest["rows"]["pending"] < len(rows)
    by_id = {line["id"]: line["status"] for line in job.results()}
    assert (by_id["r0"], by_id["r1"]) == ("ok", "ok")
    job.run()
    assert job.reconcile()["rows"]["ok"] == len(rows)


DEAR = {"name": "x", "total": "1"}


def tenants(job, server, *rows):
    """A job with tenants, whose every answer costs 210 millionths of a dollar; rows are (text, tenant)."""
    server.script = lambda document, nth, body: Scripted(delay_s=0.2, usage=(1000, 100), text=json.dumps(DEAR))
    lines = [{"id": f"r{n}", "text": text, "customer": tenant} for n, (text, tenant) in enumerate(rows)]
    return job.write(server.url, rows=lines, input={"path": "in.jsonl", "id": "id", "tenant": "customer"})


def test_what_a_tenant_spent_today_counts_in_the_next_run(job, server):
    """The cap is of the day, over all runs of the folder."""
    tenants(job, server, ("a", "t"), ("b", "t"), ("c", "t")).run()
    tenants(job, server, ("d", "t"), ("e", "other"))
    job.run("--set", "budget.tenant_max_usd_per_day=0.0006", code=3)
    assert [line["status"] for line in job.results()] == ["pending", "ok"]
    assert server.sent == 4


def test_a_twin_of_a_tenant_out_of_budget_asks_for_itself(job, server):
    """It waited for another tenant's call that is never sent; its own budget decides."""
    tenants(job, server, ("first", "large"), ("same", "large"), ("same", "small"))
    job.run("--set", "budget.tenant_max_usd_per_day=0.0004", code=0)
    by_id = {line["id"]: line["answer_from"] for line in job.results()}
    assert by_id == {"r0": "call", "r1": "duplicate", "r2": "call"}


def test_what_was_learned_of_limits_is_where_the_next_run_starts(job, url):
    """The ledger remembers it by provider, endpoint and model."""
    import sqlite3

    write(job, url, "openai").run()
    with sqlite3.connect(job.out / "ledger.sqlite") as db:
        kept = dict(db.execute("SELECT key, value FROM remembered"))
    assert any(key.startswith("limits:openai:") for key in kept)
