"""model.reasoning in whole runs: sent on every request, refused before the first, told of where it left no answer."""

import json

import pytest
from scripted_server import GOOD, Scripted

ROWS = [{"id": "a", "text": "one"}, {"id": "b", "text": "two"}]


def test_it_goes_with_every_request_and_another_level_asks_again(job, server):
    job.write(server.url, rows=ROWS, model={"name": "gpt-5-mini", "reasoning": "low"})
    job.run()
    assert [body["reasoning_effort"] for _, body, _ in server.requests] == ["low", "low"]
    job.write(server.url, model={"name": "gpt-5-mini", "reasoning": "high"})
    job.run("--yes")
    assert [body["reasoning_effort"] for _, body, _ in server.requests[2:]] == ["high", "high"]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"name": "gpt-4o-mini", "reasoning": "low"}, "gpt-4o-mini does not reason"),
        ({"name": "gpt-5.1", "reasoning": "minimal"}, "takes 'none', 'low', 'medium' or 'high'"),
        ({"name": "gpt-5", "reasoning": 2000}, "no number of tokens"),
        (
            {"provider": "anthropic", "name": "claude-sonnet-4-5", "reasoning": "low", "max_output_tokens": 1000},
            "Raise that well above 1,024",
        ),
        ({"provider": "gemini", "name": "gemini-3.8-flash", "reasoning": "none"}, "cannot be kept from reasoning"),
    ],
)
def test_what_the_model_does_not_take_is_refused_before_anything_is_sent(job, server, model, told):
    job.write(server.url, rows=ROWS, model=model)
    for command in ("check", "run"):
        done = job.pipeline(command, job.file, code=2)
        said = " ".join((done.out + done.err).split())
        assert "model.reasoning" in said
        assert told in said
    assert server.sent == 0


def test_a_row_that_was_cut_off_while_thinking_says_so(job, server):
    """After the one retry with twice the cap."""
    spent = {"prompt_tokens": 100, "completion_tokens": 200, "completion_tokens_details": {"reasoning_tokens": 200}}
    empty = {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "length"}], "usage": spent}

    def script(document, nth, body):
        return Scripted(raw=json.dumps(empty).encode()) if document == "one" else Scripted(text=json.dumps(GOOD))

    server.script = script
    job.write(server.url, rows=ROWS, model={"name": "gpt-5-mini", "reasoning": "low"})
    job.run(code=1)
    row = next(row for row in job.results() if row["id"] == "a")
    assert (row["status"], row["error_code"]) == ("failed", "truncated")
    assert row["error"] == (
        "200 tokens of reasoning, no answer: lower model.reasoning or raise model.max_output_tokens"
    )
    assert [body["max_completion_tokens"] for document, body, _ in server.requests if document == "one"] == [100, 200]
