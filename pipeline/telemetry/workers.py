"""The workers of a run on a cluster in words, by their nodes, from how run.json and `status` have them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LOST = "lost"
MOST_NODES = 10


def workers_lines(workers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """`10.0.0.7: 4 workers (1 lost), 120 rows, 130 calls`, node by node; nothing of a run on one machine."""
    nodes: dict[str, list[Mapping[str, Any]]] = {}
    for one in workers:
        nodes.setdefault(one["node"], []).append(one)
    by_calls = sorted(nodes.items(), key=lambda item: -sum(one["calls"] for one in item[1]))
    for node, there in by_calls[:MOST_NODES]:
        lost = sum(one.get("ended") == LOST for one in there)
        rows, calls = (sum(one[name] for one in there) for name in ("rows", "calls"))
        yield f"{node}: {len(there)} workers{f' ({lost} lost)' if lost else ''}, {rows:,} rows, {calls:,} calls"
    if len(by_calls) > MOST_NODES:
        yield f"{len(by_calls) - MOST_NODES} nodes more, which run.json has"
