"""kill -9 at every place of the batch lane, under each fault that matters: billed once, and no row is lost."""

import random
import signal
from unittest.mock import patch

import pytest
from batch_server import agrees, providing, write

from pipeline.engine.batches import collect

PLACES = (
    "batch-planned",
    "batch-uploaded",
    "batch-submitting",
    "batch-created",
    "batch-submitted",
    "line-collected:2",
    "batch-collected",
    "committed:6",
    "batch-cancelling",
    "batch-submitting:2",  # with another one out already, or in doubt
)
FAILS = {"batches": {"fails": "validation", "times": 1}}
MISSING = {"lines": {"missing": 0.3}}
FAULTS = (
    {},
    {"on": {"look": ["500*2"], "list": ["500"]}},
    {"on": {"content": ["cut", "500"]}},
    {"on": {"create": ["lost"]}},
    {"on": {"create": ["ok", "500 after"], "list": ["429"]}},
    {"lines": {"expired": 0.3}},
    {"lines": {"refused": 0.3}},
    {"lines": {"duplicated": 0.5, "foreign": 0.3, "shuffled": True}},
    MISSING,
    FAILS,
    {"batches": {"unseen_looks": 2}},
    {"batches": {"hide": ["output", "error"], "hide_looks": 2}},
)
SOON_OFF = {"deadline_h": 2 / 3600}


def night(job, seed, rows=5):
    """One kill or two, then the same command until it has finished; returns run.json once both books agree."""
    chance = random.Random(seed)
    place, faults = PLACES[seed % len(PLACES)], chance.choice(FAULTS)
    if faults == MISSING and place in {"batch-collected", "committed:6"}:
        place = "line-collected:2"
    again = chance.choice(PLACES[:6]) if chance.random() < 0.3 else None
    if faults == MISSING or place.startswith("batch-submitting"):
        again = None  # a process waits for a minute, or looks for two whether a submission was taken
    called_off = place == "batch-cancelling"
    texts = [{"id": f"r{number}", "text": f"document {number} of night {seed}"} for number in range(rows)]
    with providing(seed=seed, batch_s=3.0 if called_off else 0.0) as provider:
        provider.faults(**faults)
        write(
            job, provider, texts, limits={"max_attempts": 9}, batch={"max_rows": 3, **(SOON_OFF if called_off else {})}
        )
        killed(job, place, {-signal.SIGKILL, *((0,) if faults == FAILS else ())})
        if again is not None:
            killed(job, again, {-signal.SIGKILL, 0, 5})  # it may not come there any more
        with patch.object(collect, "SHORT_S", 0.1 if faults == MISSING else collect.SHORT_S):
            while job.run(code=None).returncode == 5:  # the deadline is over, and a batch not collected yet
                assert called_off
        lost = sum(call["error_code"] == "lost" for call in job.calls())
        manifest = agrees(job, provider, missing=lost, twice=lost, called_off=called_off)
    assert not lost or faults == MISSING, (seed, place, faults)
    assert manifest["rows"]["ok"] == rows, (seed, place, faults)
    return manifest


def killed(job, place, codes):
    job.env["PIPELINE_CRASH_AT"] = place
    ended = job.process("run", job.file)
    del job.env["PIPELINE_CRASH_AT"]
    assert ended.returncode in codes, (place, ended.out, ended.err)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr("pipeline.engine.batches.submission.ABSENT_GAP_S", 0.3)


@pytest.mark.parametrize("seed", range(len(PLACES)))
def test_a_night_that_is_killed_is_billed_once(job, seed):
    night(job, seed)
