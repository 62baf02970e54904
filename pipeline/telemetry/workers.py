"""The workers of a run on a cluster in words, by their nodes, from how run.json and `status` have them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LOST = "lost"
MOST_NODES = 10


def workers_lines(workers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """`10.0.0.7: 4 workers (1 lost), 120 rows, 130 calls, 9 s of CPU`, node by node; nothing without a cluster."""
    nodes: dict[str, list[Mapping[str, Any]]] = {}
    for one in workers:
        nodes.setdefault(one["node"], []).append(one)
    by_calls = sorted(nodes.items(), key=lambda item: -sum(one["calls"] for one in item[1]))
    for node, there in by_calls[:MOST_NODES]:
        lost = sum(one.get("ended") == LOST for one in there)
        rows, calls, cpu_s = (sum(one[name] for one in there) for name in ("rows", "calls", "cpu_s"))
        some = f"{len(there)} worker{'' if len(there) == 1 else 's'}{f' ({lost} lost)' if lost else ''}"
        yield f"{node}: {some}, {rows:,} rows, {calls:,} calls, {cpu_s:,.0f} s of CPU"
    if len(by_calls) > MOST_NODES:
        yield f"{len(by_calls) - MOST_NODES} nodes more, which run.json has"
