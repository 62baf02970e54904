"""What is told of one worker."""

from datetime import UTC, datetime

import pytest

from pipeline.engine.workers.facts import BASIS_S, CpuSeen, ended_fact, worker_fact

NOW = datetime(2026, 11, 30, 9, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("heard", "share"),
    [
        ([], None),
        ([(2.0, 100.0)], None),
        ([(2.0, 100.0), (3.0, 100.0 + BASIS_S / 2)], None),
        ([(2.0, 100.0), (2.5, 101.0), (2.0 + BASIS_S, 100.0 + 2 * BASIS_S)], 0.5),
    ],
)
def test_the_share_of_a_core_is_of_its_work_and_not_of_its_start(heard, share):
    """What it had taken before its first word was for its imports; of a few seconds nothing is said."""
    cpu = CpuSeen()
    for told in heard:
        cpu.heard(*told)
    assert cpu.share == share
    fact = worker_fact(3, "a", 7, 8, cpu)
    assert fact.get("cpu_share") == share
    assert {**fact, "cpu_share": 0} == {
        "worker": 3, "node": "a", "rows": 7, "calls": 8, "cpu_s": heard[-1][0] if heard else 0.0, "cpu_share": 0,
    }  # fmt: skip


def test_of_one_that_is_no_more_it_is_told_when_and_why():
    """`why` only where there is something to say."""
    fact = worker_fact(1, "a", 0, 0, CpuSeen())
    told = {**fact, "ended": "lost", "ended_at": "2026-11-30T09:00:00+00:00"}
    assert ended_fact(fact, "lost", "exit code -9", NOW) == {**told, "why": "exit code -9"}
    assert ended_fact(fact, "lost", "", NOW) == told
