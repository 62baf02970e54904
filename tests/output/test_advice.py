"""An oversized model.max_output_tokens is the largest loss there is: check, estimate and the summary say so."""

import json

import pytest
from scripted_server import Scripted

ANSWER = json.dumps({"name": "x", "total": "1"})


@pytest.fixture
def oversized(job, server):
    """Twelve rows of some 500 tokens in and 100 out, under a cap of 8,000."""
    job.env["OPENAI_API_KEY"] = "sk-made-up"
    server.script = lambda document, nth, body: Scripted(usage=(500, 100), text=ANSWER)
    lines = [{"id": f"r{n}", "text": f"document {n} " * 100} for n in range(12)]
    return job.write(server.url, rows=lines, model={"max_output_tokens": 8000})


def test_a_run_says_at_its_end_which_value_would_do(oversized):
    """By its own answers: 128 for 100, rounded up; in run.json and in the summary."""
    ended = oversized.run()
    (told,) = oversized.reconcile()["advice"]
    assert "model.max_output_tokens" in told
    assert "128 would do" in told
    assert "13.5 times slower" in told  # (500 + 8,000) / (500 + 128)
    assert told in ended.err


def test_check_and_estimate_say_it_before_a_cent_is_spent(oversized):
    """By the schema's shape, and by answers once there are some to go by."""
    assert "192 would do" in oversized.pipeline("check", oversized.file, code=0).out
    oversized.run()
    assert "128 would do" in oversized.pipeline("check", oversized.file, code=0).out
    report = json.loads(oversized.pipeline("estimate", oversized.file, "--json", code=0).out)
    assert "128 would do" in report["advice"][0]


def test_nothing_is_said_of_a_cap_that_fits(oversized):
    """Nor where output counts as it is produced."""
    oversized.run("--set", "model.max_output_tokens=128")
    assert oversized.reconcile()["advice"] == []
