"""Whole runs by the Responses API: rows, money and repairs as by chat completions, and what is refused before."""

import json

import pytest
from scripted_server import Scripted

ROWS = [{"id": name, "text": name} for name in ("good", "bad once", "refused", "cut", "blocked", "busy once")]


def script(document, nth, body):
    return {
        "bad once": Scripted(text="no JSON") if nth == 1 else None,
        "refused": Scripted(refusal="No."),
        "cut": Scripted(text='{"name"', finish="max_output_tokens"),
        "blocked": Scripted(finish="content_filter"),
        "busy once": Scripted(429, headers={"retry-after-ms": "5"}) if nth == 1 else None,
    }.get(document)


def test_every_row_ends_as_it_should(job, server):
    """One repair, one higher cap, a 429 waited out; cost and tokens agree in all books."""
    server.script = script
    job.write(server.url, rows=ROWS, model={"api": "responses"}).run(code=1)
    manifest = job.reconcile()
    ends = {line["id"]: line["error_code"] for line in job.results()}
    assert ends == {"good": None, "bad once": None, "refused": "refused", "cut": "truncated", "blocked": "blocked",
                    "busy once": None}  # fmt: skip
    assert (manifest["repairs"], manifest["rate_limited"]) == (1, 1)
    assert float(manifest["cost_usd"]) > 0
    bodies = [body for _, body, _ in server.requests]
    assert all("input" in body and body["store"] is False for body in bodies)
    assert sorted({body["max_output_tokens"] for body in bodies}) == [100, 200]
    (repair,) = [body for body in bodies if len(body["input"]) > 1]
    assert [turn["role"] for turn in repair["input"]] == ["user", "assistant", "user"]
    job.pipeline("verify", job.out, code=0)


def test_a_model_that_has_nothing_else_is_asked_by_it_and_found_again(job, server):
    """And once more by name, for nothing; chat completions are another question."""
    rows = [{"id": "a", "text": "one"}]
    job.write(server.url, rows=rows, model={"name": "o3-pro"}).run("--yes")
    assert (server.sent, "input" in server.requests[0][1]) == (1, True)
    job.write(server.url, rows=rows, model={"name": "o3-pro", "api": "responses"}).run("--yes")
    assert server.sent == 1
    job.write(server.url, rows=rows, model={"name": "o3-pro", "api": "chat"}).run("--yes", "--yes-rerun")
    assert (server.sent, "messages" in server.requests[1][1]) == (2, True)


def test_a_server_that_tells_no_usage_is_counted_here(job, server):
    server.script = lambda document, nth, body: Scripted(usage=None)
    ended = job.write(server.url, rows=ROWS[:1], model={"api": "responses"}).run()
    assert "the server tells no usage" in ended.err
    assert job.calls()[0]["output_tokens"] > 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api": "responses", "seed": 7}, "model.seed: the Responses API has no such parameter. Leave the key out"),
        ({"name": "o3-pro", "stop": ["END"]}, "model.stop: the Responses API has no such parameter"),
        ({"api": "responses", "max_output_tokens": 8}, "takes 16 at the least"),
        ({"api": "converse"}, "openai has 'chat' and 'responses'"),
        ({"api": "invoke"}, "openai has 'chat' and 'responses'"),
        ({"api": "responses", "provider": "bedrock", "name": "amazon.nova-lite-v1:0", "region": "us-east-1"},
         "bedrock has 'converse' and 'invoke'"),
        ({"api": "chat", "provider": "anthropic", "name": "claude-sonnet-4-5"}, "anthropic has one API only"),
        ({"api": "chat", "name": "o3-pro", "base_url": ""}, "OpenAI has o3-pro in the Responses API only"),
        ({"api": "responses", "name": "gpt-4o-search-preview", "base_url": ""}, "in chat completions only"),
    ],
)  # fmt: skip
def test_what_every_request_would_be_refused_for_is_told_before(job, server, settings, words):
    """By check and by run, which sends nothing."""
    job.write(server.url, rows=ROWS, model=settings)
    job.env |= {"ANTHROPIC_API_KEY": "k", "AWS_BEARER_TOKEN_BEDROCK": "k"}
    found = json.loads(job.pipeline("check", job.file, "--json", code=2).out)["findings"]
    assert [one for one in found if one["level"] == "problem" and words in one["detail"]]
    assert words in job.run(code=2).err.replace("\n", " ")
    assert server.sent == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"name": "o3-pro"}, ["the Responses API, as this model has no chat completions"]),
        ({"api": "responses"}, ["the Responses API, as asked for"]),
        ({}, []),
    ],
)
def test_check_says_which_api_it_is_where_it_is_not_the_usual_one(job, server, settings, told):
    job.write(server.url, rows=ROWS[:1], model=settings)
    found = json.loads(job.pipeline("check", job.file, "--json", code=0).out)["findings"]
    assert [one["detail"] for one in found if one["what"] == "api"] == told


def test_where_a_gateway_may_know_more_it_is_a_warning(job, server):
    job.write(server.url, rows=ROWS[:1], model={"name": "o3-pro", "api": "chat"})
    found = json.loads(job.pipeline("check", job.file, "--json", code=0).out)["findings"]
    assert [one for one in found if one["level"] == "warning" and "Write api = 'responses'" in one["detail"]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["gpt-4o-mini", "gpt-5.5-pro"])
def test_the_sandbox_rehearses_it(job, name, stream):
    job.write("", rows=[{"id": "a", "text": "Name: one\nTotal: 2.00"}],
              model={"provider": "sandbox", "name": name, "api": "responses", "stream": stream})  # fmt: skip
    job.run("--yes")
    (line,) = job.results()
    assert (line["status"], line["finish_reason"], line["model_version"]) == ("ok", "completed", "sandbox-rules-1")


def test_and_says_what_to_write_where_the_wrong_one_is_asked(job):
    job.write("", rows=ROWS[:1], model={"provider": "sandbox", "name": "o3-pro", "api": "chat"})
    assert "Write api = 'responses'" in job.run(code=2).err.replace("\n", " ")
