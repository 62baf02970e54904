"""Whole runs by settings of [model] that go into bodies, against a server that keeps what it was sent."""

from decimal import Decimal

import orjson
import pytest
from scripted_server import GOOD, Scripted, completion

from pipeline.types import tenant_hash

ROWS = [{"id": name, "text": name, "customer": name.upper()} for name in ("a", "b", "c")]
NO_ROOM = Scripted(429, error={"message": "Resource unavailable. Try again later.", "type": "resource_unavailable"})


def served(body, tier):
    told = completion(Scripted(), body)
    return Scripted(raw=orjson.dumps({**told, "service_tier": tier} if tier else told))


def test_a_run_sends_what_the_job_says_and_a_cut_answer_is_judged_by_its_content(job, server):
    """An answer that a stop word has cut does not parse; it is repaired as any."""
    text = orjson.dumps(GOOD).decode()
    server.script = lambda _, nth, __: Scripted(text=text[:10] if nth == 1 else text)
    asked = {"top_p": 0.5, "seed": 7, "stop": ["END"], "extra.min_p": 0.1}
    job.write(server.url, rows=ROWS[:1], model={**asked, "name": "some-model"}).run()
    (row,) = job.results()
    assert (row["status"], row["repaired"], row["finish_reason"]) == ("ok", True, "stop")
    for _, body, _ in server.requests:
        assert {key: body[key] for key in ("top_p", "seed", "stop", "min_p")} == {
            "top_p": 0.5, "seed": 7, "stop": ["END"], "min_p": 0.1,
        }  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
def test_flex_without_room_is_asked_at_the_default_tier_once_where_the_job_says_so(job, server, workers):
    """The 429 costs nothing and spends no attempt; each call costs what its answer says; the request stays the same."""

    def script(document, nth, body):
        if "service_tier" in body:
            return NO_ROOM if document == "a" else served(body, "flex")
        return served(body, "default")

    server.script = script
    more = {"name": "gpt-5-mini", "service_tier": "flex", "flex_fallback": True}
    job.write(server.url, rows=ROWS, model=more, limits={"max_attempts": 1, "workers": workers}).run()
    costs = {row["id"]: row["cost_usd"] for row in job.results()}
    assert costs["a"] == 2 * costs["b"] == 2 * costs["c"] > 0
    assert [body.get("service_tier") for document, body, _ in server.requests if document == "a"] == ["flex", None]
    assert sorted(call["cost_usd"] for call in job.calls() if call["row"] == 0) == [Decimal(0), costs["a"]]
    job.pipeline("verify", job.out, code=0)
    sent = server.sent
    job.write(server.url, rows=ROWS, model={**more, "flex_fallback": False}).run()
    assert server.sent == sent


def test_without_the_setting_it_is_waited_out_as_any_429(job, server):
    server.script = lambda document, nth, body: NO_ROOM if nth < 3 else served(body, "flex")
    job.write(server.url, rows=ROWS[:1], model={"name": "gpt-5-mini", "service_tier": "flex"})
    job.write(
        server.url, rows=ROWS[:1], model={"name": "gpt-5-mini", "service_tier": "flex"}, limits={"max_attempts": 1}
    )
    job.run()
    assert [body["service_tier"] for _, body, _ in server.requests] == ["flex"] * 3
    assert [call["error_code"] for call in job.calls()] == ["rate_limited", "rate_limited", None]


@pytest.mark.parametrize(("said", "share"), [("flex", 1), ("", 1), ("default", 2), ("priority", Decimal("3.6"))])
def test_an_answer_costs_the_tier_that_it_names_else_the_one_that_was_asked_for(job, server, said, share):
    """gpt-5-mini: 0.125 and 1 for a million tokens at flex, 0.25 and 2, and 0.45 and 3.6."""
    server.script = lambda document, nth, body: served(body, said)
    job.write(server.url, rows=ROWS[:1], model={"name": "gpt-5-mini", "service_tier": "flex"}).run()
    (row,) = job.results()
    assert row["cost_usd"] == share * (100 * Decimal("0.125") + 20) / 1_000_000
    job.pipeline("verify", job.out, code=0)


def test_a_budget_that_holds_flex_alone_lets_flex_through(job, server):
    """The reservation is made at the tier that is asked for."""
    server.script = lambda document, nth, body: served(body, body.get("service_tier", "default"))
    parked = {}
    for tier in ("flex", "default", "priority"):
        more = {"name": "gpt-5-mini", "service_tier": tier, "max_output_tokens": 10_000}
        job.write(server.url, rows=ROWS[:1], model=more, budget={"max_usd": 0.015}, output={"path": tier})
        parked[tier] = job.run(code=None).returncode != 0
    assert parked == {"flex": False, "default": True, "priority": True}


def test_estimates_are_of_the_tier_that_is_asked_for(job, server):
    costs = {}
    for tier in ("default", "flex", "priority"):
        job.write(server.url, rows=ROWS, model={"name": "gpt-5-mini", "service_tier": tier})
        told = orjson.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
        costs[tier] = Decimal(told["cost_usd"]["high"])
    assert costs["priority"] > costs["default"] > costs["flex"] > 0
    assert abs(costs["default"] - 2 * costs["flex"]) <= Decimal("0.000002")


def test_a_tenant_goes_along_as_a_hash_and_changes_no_request(job, server):
    """Equal documents of two tenants stay one request, and what was answered without it is found again."""
    rows = [*ROWS[:2], {"id": "again", "text": "a", "customer": "Z"}, {"id": "nobodys", "text": "d", "customer": None}]
    job.write(server.url, rows=rows, input={"tenant": "customer"}, model={"send_tenant": True}).run()
    told = {document: body.get("safety_identifier") for document, body, _ in server.requests}
    assert (told["b"], told["d"]) == (tenant_hash("B"), None)
    assert told["a"] in {tenant_hash("A"), tenant_hash("Z")}
    assert server.sent == 3
    job.write(server.url, rows=rows, input={"tenant": "customer"}).run()
    assert server.sent == 3


REFUSED = {
    "seed": ({"provider": "anthropic", "name": "claude-haiku-4-5", "seed": 7}, "model.seed"),
    "flex": ({"provider": "anthropic", "name": "claude-haiku-4-5", "service_tier": "flex"}, "does not sell"),
    "safety": ({"safety.HARM_CATEGORY_HARASSMENT": "OFF"}, "model.safety"),
    "stop": ({"name": "o3", "stop": ["END"]}, "model.stop"),
    "top_p": ({"name": "gpt-5-mini", "top_p": 0.5}, "model.top_p"),
    "extra": ({"extra.messages": "x"}, "extra.messages is set by this package"),
    "tenant": ({"provider": "gemini", "name": "gemini-3.8-flash", "send_tenant": True}, "model.send_tenant"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_check_refuses_a_run_does_not_send(job, server, name):
    model, words = REFUSED[name]
    job.write(server.url, rows=ROWS, model=model)
    job.env |= {"ANTHROPIC_API_KEY": "k", "GEMINI_API_KEY": "k"}
    assert words in job.pipeline("check", job.file, code=2).out
    assert words in job.run(code=2).err
    assert server.sent == 0


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_the_sandbox_sells_every_tier(job, tier):
    model = {"provider": "sandbox", "name": "gpt-5-mini", "service_tier": tier, "base_url": ""}
    job.write("", rows=ROWS, model=model).run()
    price = Decimal("0.125") if tier == "flex" else Decimal("0.45")
    for row in job.results():
        assert row["cost_usd"] == price * (row["input_tokens"] + 8 * row["output_tokens"]) / 1_000_000
