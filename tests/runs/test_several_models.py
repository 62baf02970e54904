"""Jobs with more than one model: where rows go, what they cost, and what the books say of it."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest
from batch_server import PRICES, SOON, extract, providing
from scripted_server import Scripted

from pipeline.commands.verify import verify
from pipeline.sandbox.exchange import Rules

GOOD = {"name": "Blue Mill", "total": "1234.50"}
STRONG = {"name": "gpt-4o", "max_output_tokens": 200}
DOWN = Scripted(status=503, raw=b'{"error": {"message": "down"}}')
NO_KEY = Scripted(status=401, raw=b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}')


def by_model(**answers):
    """Answers by the model that is asked, with `_` for `-`; a list is taken from."""

    def script(document, nth, body):
        found = answers[body["model"].replace("-", "_")]
        found = found.pop(0) if isinstance(found, list) and len(found) > 1 else found
        found = found[0] if isinstance(found, list) else found
        return found if isinstance(found, Scripted) else Scripted(text=json.dumps(found))

    return script


@pytest.fixture
def several(job, server):
    """Writes a job with `[models.strong]`; `more`: its routes and fallbacks."""

    def written(more, rows=1, strong=None, **sections):
        model = {"provider": "openai", "base_url": server.url, **STRONG, **(strong or {})}
        toml = "".join(f"{key} = {json.dumps(value)}\n" for key, value in model.items())
        made = [
            {"id": f"r{number}", "text": f"bill {number}", "language": "ja" if number % 2 else "en"}
            for number in range(rows)
        ]
        job.write(server.url, rows=made, **sections)
        job.file.write_text(f"{job.file.read_text()}\n[models.strong]\n{toml}\n{more}")
        return job

    return written


def fallback(*causes):
    return f'[[fallback]]\non = {json.dumps(causes)}\nmodel = "strong"\n'


def test_a_row_that_one_model_gets_wrong_goes_on_to_the_next(several, job, server):
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=GOOD)
    several(fallback("invalid_output")).run()
    (row,) = job.results()
    assert (row["status"], row["model"], row["models_tried"]) == ("ok", "gpt-4o", ["gpt-4o-mini", "strong"])
    calls = job.calls()
    assert [call["model"] for call in calls] == ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
    assert [call["purpose"] for call in calls] == ["extract", "repair", "extract"]
    assert row["cost_usd"] == sum(call["cost_usd"] for call in calls)
    assert calls[2]["cost_usd"] > calls[0]["cost_usd"] * 10, "each at its own price"
    assert job.manifest()["models"] == {
        "gpt-4o-mini": {"rows": 0, "calls": 2, "cost_usd": str(calls[0]["cost_usd"] * 2)},
        "strong": {"rows": 1, "calls": 1, "cost_usd": str(calls[2]["cost_usd"])},
    }
    job.reconcile()
    job.pipeline("verify", job.out, code=0)
    job.run()
    assert server.sent == 3, "a second run pays nothing"


def test_what_no_fallback_is_for_fails_as_ever(several, job, server):
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=GOOD)
    several(fallback("refused")).run(code=1)
    (row,) = job.results()
    assert (row["error_code"], row["models_tried"]) == ("invalid_output", ["gpt-4o-mini"])


def test_a_row_that_all_get_wrong_ends_with_the_last_ones_words(several, job, server):
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=Scripted(refusal="I would rather not."))
    several(fallback("invalid_output", "refused")).run(code=1)
    (row,) = job.results()
    assert (row["error_code"], row["model"], row["models_tried"]) == ("refused", "gpt-4o", ["gpt-4o-mini", "strong"])


def test_a_retry_begins_with_the_first_model_again(several, job, server):
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=Scripted(text="none either"))
    several(fallback("invalid_output")).run(code=1)
    assert server.sent == 4
    server.script = by_model(gpt_4o_mini=GOOD)
    job.pipeline("retry", job.file, code=0)
    (row,) = job.results()
    assert (row["status"], row["model"], row["models_tried"]) == ("ok", "gpt-4o-mini", ["gpt-4o-mini"])
    job.pipeline("verify", job.out, code=0)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("answer", "cause"), [(DOWN, "outage"), (NO_KEY, "auth")])
def test_rows_go_on_at_the_spare_while_the_first_is_down(several, job, server, answer, cause, workers):
    server.script = by_model(gpt_4o_mini=answer, gpt_4o=GOOD)
    several(fallback(cause), rows=40, limits={"concurrency": 4, "workers": workers}).run()
    rows = job.results()
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["model"] for row in rows} == {"gpt-4o"}
    assert {call["cost_usd"] for call in job.calls() if call["model"] == "gpt-4o-mini"} <= {Decimal(0), None}
    assert len([call for call in job.calls() if call["model"] == "gpt-4o-mini"]) < 20
    job.pipeline("verify", job.out, code=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_run_parks_where_the_spare_is_down_too(several, job, server, workers):
    server.script = by_model(gpt_4o_mini=NO_KEY, gpt_4o=NO_KEY)
    several(fallback("auth"), rows=3, limits={"workers": workers}).run(code=4)
    assert job.manifest()["reason"] == "auth"
    assert {row["status"] for row in job.results()} == {"pending"}


def test_one_cap_is_over_all_models(several, job, server):
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=GOOD)
    several(fallback("invalid_output"), rows=40, budget={"max_usd": 0.004}).run(code=3)
    spent = sum(call["cost_usd"] for call in job.calls())
    assert Decimal("0.001") < spent <= Decimal("0.004")
    job.pipeline("verify", job.out, code=0)


@pytest.mark.parametrize("route", ['where = {column = "language", in = ["ja"]}', "min_input_tokens = 200"])
def test_rows_are_routed_before_anything_is_sent(several, job, server, route):
    server.script = by_model(gpt_4o_mini=GOOD, gpt_4o=GOOD)
    several(f'[[route]]\n{route}\nmodel = "strong"\n', rows=4)
    if "min" in route:
        lines = (job.folder / "in.jsonl").read_text().replace("bill 1", "bill " * 400).replace("bill 3", "long " * 400)
        (job.folder / "in.jsonl").write_text(lines)
    job.run()
    assert [row["model"] for row in job.results()] == ["gpt-4o-mini", "gpt-4o"] * 2
    assert [row["models_tried"] for row in job.results()] == [["gpt-4o-mini"], ["strong"]] * 2
    assert server.sent == 4


def test_equal_texts_of_different_routes_are_different_rows(several, job, server):
    server.script = by_model(gpt_4o_mini=GOOD, gpt_4o=GOOD)
    several('[[route]]\nwhere = {column = "language", in = ["ja"]}\nmodel = "strong"\n')
    rows = [{"id": language, "text": "the same", "language": language} for language in ("en", "ja")]
    (job.folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job.run()
    assert [row["model"] for row in job.results()] == ["gpt-4o-mini", "gpt-4o"]


def test_an_estimate_has_each_model_and_the_rows_that_go_on(several, job, server):
    server.script = by_model(gpt_4o_mini=GOOD, gpt_4o=GOOD)
    route = '[[route]]\nwhere = {column = "language", in = ["ja"]}\nmodel = "strong"\n'
    several(route, rows=10)
    found = json.loads(job.pipeline("estimate", job.file, "--json").out)
    assert (found["rows"], found["requests"], server.sent) == (10, 10, 0)
    main, strong = found["models"]
    assert [(one["model"], one["by"], one["rows"]) for one in (main, strong)] == [
        *(("gpt-4o-mini", "route", 5), ("strong", "route", 5)),
    ]
    both = Decimal(main["cost_usd"]["expected"]) + Decimal(strong["cost_usd"]["expected"])
    assert abs(Decimal(found["cost_usd"]["expected"]) - both) < Decimal("0.000002")
    several(fallback("invalid_output"), rows=10)
    found = json.loads(job.pipeline("estimate", job.file, "--json").out)
    assert [(one["by"], one["share"]) for one in found["models"]] == [("route", 1.0), ("fallback", 0.1)]
    assert Decimal(found["models"][1]["cost_usd"]["low"]) == 0
    assert "10% of rows go on to strong (assumed; invalid_output)" in found["assumptions"]
    assert "strong    1 rows (10%) by fallback" in job.pipeline("estimate", job.file).out


def test_check_tells_of_each_model_and_a_spare_without_a_key_is_a_warning(several, job, server):
    server.script = by_model(gpt_4o_mini=GOOD, gpt_4o=GOOD)
    several(fallback("invalid_output"), strong={"api_key_env": "SPARE_KEY"})
    told = job.pipeline("check", job.file, code=0).out
    assert "models.strong: openai gpt-4o, asked for as json_schema" in told
    assert "SPARE_KEY" in told
    assert "Without it no row goes on to this model" in told
    assert "invalid_output: rows go on to strong" in told
    ended = job.run()
    assert "Without it no row goes on to this model" in ended.err
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"))
    job.run("--fresh", code=1)
    assert job.results()[0]["models_tried"] == ["gpt-4o-mini"]


def test_a_model_that_rows_are_routed_to_needs_its_key(several, job, server):
    route = '[[route]]\nmin_input_tokens = 1\nmodel = "strong"\n'
    several(route, strong={"api_key_env": "SPARE_KEY"})
    assert "SPARE_KEY" in job.pipeline("check", job.file, code=2).out
    assert "[models.strong]" in job.run(code=2).err
    assert server.sent == 0


def test_a_price_is_missing_for_one_model_under_a_cap(several, job, server):
    several(fallback("auth"), strong={"name": "nobody-knows-it"}, budget={"max_usd": 1.0})
    assert "[models.strong]" in job.run(code=2).err
    assert server.sent == 0


def test_costs_are_told_by_model(several, job, server):
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=GOOD)
    several(fallback("invalid_output")).run()
    groups = json.loads(job.pipeline("costs", job.out, "--by", "model", "--json").out)["groups"]
    assert {group["model"]: group["calls"] for group in groups} == {"gpt-4o-mini": 2, "gpt-4o": 1}


def test_a_retry_may_begin_with_another_model(several, job, server):
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=Scripted(text="none either"))
    several(fallback("invalid_output")).run(code=1)
    assert server.sent == 4
    server.script = by_model(gpt_4o=GOOD)
    job.pipeline("retry", job.file, "--from-model", "strong", code=0)
    (row,) = job.results()
    assert (row["status"], row["model"], row["models_tried"], server.sent) == ("ok", "gpt-4o", ["strong"], 5)
    told = job.pipeline("retry", job.file, "--from-model", "strange", code=2).err
    assert "no model of this job. There are: gpt-4o-mini, strong" in told


def test_a_row_that_needed_another_model_is_worth_a_look(several, job, server):
    answers = {"bill 0": Scripted(text="no JSON"), "bill 1": {"name": "bill", "total": "1"}}
    server.script = lambda document, nth, body: (
        found
        if isinstance(
            found := answers[document] if "mini" in body["model"] else {"name": "bill", "total": "0"}, Scripted
        )
        else Scripted(text=json.dumps(found))
    )
    several(fallback("invalid_output"), rows=2, extract={"evidence": "align"}).run()
    assert [row["needs_review"] for row in job.results()] == [True, False]
    first = json.loads(job.pipeline("export", job.out, "--format", "jsonl", "--review").out.splitlines()[0])
    assert (first["id"], first["review_reasons"]) == ("r0", ["fallback"])


POINTS = ["call-named:9", "answer-received:14", "committed:4", "outcome-known:6"]


@pytest.mark.parametrize(("point", "workers"), [*((point, 1) for point in POINTS), ("answer-received:5", 2)])
def test_three_models_and_a_kill_pay_for_nothing_twice(several, job, server, point, workers):
    """Rows are routed to one, go on to another, and stay at the first; each answer is paid for once."""
    right, wrong = {"name": "x", "total": "1"}, Scripted(text="no JSON")
    server.script = lambda document, nth, body: (
        wrong if "mini" in body["model"] and document.endswith(("3", "5")) else Scripted(text=json.dumps(right))
    )
    third = '[models.third]\nprovider = "openai"\nname = "gpt-4.1-mini"\nmax_output_tokens = 200\n'
    route = '[[route]]\nwhere = {column = "language", in = ["ja"]}\nmodel = "third"\n'
    url = f'base_url = "{server.url}"\n'
    several(f"{third}{url}{route}{fallback('invalid_output')}", rows=10, limits={"concurrency": 3, "workers": workers})
    job.env["PIPELINE_CRASH_AT"] = point
    job.process("run", job.file, code=-9 if workers == 1 else None)
    del job.env["PIPELINE_CRASH_AT"]
    job.run()
    lost = [call for call in job.calls() if call["error_code"] == "lost"]
    rows = job.results()
    assert [row["status"] for row in rows] == ["ok"] * 10
    tried = [row["models_tried"] for row in rows]
    assert tried[0] == ["gpt-4o-mini"]
    assert tried[1] == ["third"]
    assert tried[3] == tried[5] == ["third", "strong"]
    assert sum(server.paid.values()) <= 10 + 2 * 2 + len(lost), "two rows: an answer, a repair, and the next model"
    assert len(lost) <= 3 * 3 * (1 if workers == 1 else 2 * 3), "what was in flight; each worker is replaced twice"
    job.pipeline("verify", job.out, code=0)


def test_what_rows_may_cost_at_a_dearer_model_is_asked_about(several, job, server):
    server.script = by_model(gpt_4o_mini=GOOD, gpt_4o=GOOD)
    budget = {"confirm_above_usd": 0.002}
    several(
        '[[route]]\nwhere = {column = "language", in = ["no such"]}\nmodel = "strong"\n', rows=40, budget=budget
    ).run()
    asked = several(fallback("invalid_output"), rows=40, budget=budget).run("--output", job.folder / "anew", code=2).err
    assert "--yes" in asked
    assert server.sent == 40


def test_rows_that_come_back_wrong_from_a_batch_go_on_live(several, job, server):
    """The first model by batch, at half its price; what it gets wrong, and what is routed away from it, live."""
    server.script = by_model(gpt_4o=GOOD)

    def half_wrong(text, schema):
        good = extract(text, schema)
        return {**good, "total": "x"} if set("48") & set(text) else good

    rules = Rules(half_wrong, lambda text, schema, errors: half_wrong(text, schema), lambda text, cap: text)
    routed = '[[route]]\nwhere = {column = "language", in = ["ja"]}\nmodel = "strong"\n'
    with providing(rules) as provider:
        several(
            routed + fallback("invalid_output"), rows=12,
            model={"base_url": provider.url, "lane": "batch"}, batch=SOON, prices=PRICES,
        ).run()  # fmt: skip
        served = provider.counters()
    manifest, rows = job.manifest(), job.results()
    assert manifest["rows"]["ok"] == 12
    first = [row for row in rows if row["models_tried"][0] == "gpt-4o-mini"]
    on = [row for row in first if row["models_tried"] == ["gpt-4o-mini", "strong"]]
    assert len(first) == 6
    assert 0 < len(on) < 6
    assert served["billed_twice"] == 0
    assert {call["lane"] for call in job.calls() if call["model"] == "gpt-4o"} == {"live"}
    assert sum(call["lane"] == "batch" for call in job.calls()) == 6
    assert len(server.requests) == len(on) + 6
    assert [check.problem for check in verify(job.out) if check.problem is not None] == []
    job.run()
    assert len(server.requests) == len(on) + 6, "a second run sends nothing"


def test_a_batch_lane_does_not_go_on_elsewhere_while_its_provider_is_down(several, job):
    several(fallback("invalid_output", "outage"), model={"lane": "batch"})
    told = job.pipeline("check", job.file, code=2).out
    assert "model.lane = 'batch' does not go with [[fallback]] on = ['outage'] yet" in told


def contents(job):
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db:
        return db.execute("SELECT doc FROM rows ORDER BY row").fetchall()


def test_workers_know_rows_as_the_run_does_where_a_spare_has_no_key(several, job, server):
    """What they have concluded is found by the next command, whoever carries the rows then."""
    server.script = by_model(gpt_4o_mini=Scripted(text="no JSON"), gpt_4o=GOOD)
    written = several(fallback("invalid_output"), rows=6, strong={"api_key_env": "NO_SUCH_KEY"}, limits={"workers": 2})
    written.run(code=1)
    docs = contents(job)
    sent = server.sent
    job.run("--set", "limits.workers=1", "--fresh", code=1)
    assert contents(job) == docs
    assert server.sent == 2 * sent
