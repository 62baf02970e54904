"""kill -9 at every place of the batch lane, under each fault that matters: billed once, and no row is lost."""

import random
import signal

import pytest
from batch_server import agrees, providing, write

PLACES = (
    "batch-planned",
    "batch-uploaded",
    "batch-submitting",
    "batch-created",
    "batch-submitted",
    "line-collected:2",
    "batch-collected",
    "committed:6",
)
FAULTS = (
    {},
    {"on": {"look": ["500*2"], "list": ["500"]}},
    {"on": {"content": ["cut", "500"]}},
    {"lines": {"expired": 0.3}},
    {"lines": {"refused": 0.3}},
    {"lines": {"duplicated": 0.5, "foreign": 0.3, "shuffled": True}},
    {"batches": {"fails": "validation", "times": 1}},
    {"batches": {"unseen_looks": 2}},
    {"batches": {"hide": ["output", "error"], "hide_looks": 2}},
)


def night(job, seed, rows=5):
    """One kill, then the same command until it has finished; returns run.json once both books agree."""
    chance = random.Random(seed)
    place, faults = PLACES[seed % len(PLACES)], chance.choice(FAULTS)
    texts = [{"id": f"r{number}", "text": f"document {number} of night {seed}"} for number in range(rows)]
    with providing(seed=seed) as provider:
        provider.faults(**faults)
        write(job, provider, texts, limits={"max_attempts": 9}, batch={"max_rows": 3})
        job.env["PIPELINE_CRASH_AT"] = place
        job.process("run", job.file, code=-signal.SIGKILL)
        del job.env["PIPELINE_CRASH_AT"]
        job.run()
        manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == rows, (seed, place, faults)
    return manifest


@pytest.mark.parametrize("seed", range(20))
def test_a_night_that_is_killed_is_billed_once(job, seed, monkeypatch):
    monkeypatch.setattr("pipeline.engine.batches.submission.ABSENT_GAP_S", 0.3)
    night(job, seed)
