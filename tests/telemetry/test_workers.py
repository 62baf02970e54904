"""Workers on a cluster, in words."""

from pipeline.telemetry.workers import workers_lines


def one(node, rows, calls, **more):
    return {"worker": 1, "node": node, "rows": rows, "calls": calls, "cpu_s": 1.2, **more}


def test_they_are_told_of_by_their_nodes():
    """Busiest first, with who was lost; nothing where there are none, and not every one of a thousand nodes."""
    assert list(workers_lines(())) == []
    told = list(workers_lines([one("a", 1, 2), one("b", 1000, 1200), one("b", 5, 7, ended="lost", ended_at="…")]))
    assert told == [
        "b: 2 workers (1 lost), 1,005 rows, 1,207 calls, 2 s of CPU",
        "a: 1 worker, 1 rows, 2 calls, 1 s of CPU",
    ]
    many = list(workers_lines([one(f"n{number}", 1, 1) for number in range(13)]))
    assert (len(many), many[-1]) == (11, "3 nodes more, which run.json has")
