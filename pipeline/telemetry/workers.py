"""The workers of a run by their nodes: sums, words, and how many would do, from how run.json and `status` have them.

Pure.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

LOST = "lost"
MOST_NODES = 10
FULL = 0.85  # of a core: what keeps so much busy has no time to wait for answers
IDLE = 0.3
GOOD = 0.7  # to have some left for when much comes at once

Workers = Sequence[Mapping[str, Any]]


class NodeFigures(Struct, frozen=True):
    """All workers that a node has had. `cpu_share`: of a core, by each of those at work; None: not known."""

    node: str
    workers: int
    working: int
    lost: int
    rows: int
    calls: int
    cpu_s: float
    cpu_share: float | None


def by_node(workers: Workers) -> list[NodeFigures]:
    """The busiest first."""
    nodes: dict[str, list[Mapping[str, Any]]] = {}
    for one in workers:
        nodes.setdefault(one["node"], []).append(one)
    return sorted((_figures(node, there) for node, there in nodes.items()), key=lambda one: -one.calls)


def _figures(node: str, there: Workers) -> NodeFigures:
    rows, calls, cpu_s = (sum(one[name] for one in there) for name in ("rows", "calls", "cpu_s"))
    shares = _shares(there)
    return NodeFigures(
        node=node,
        workers=len(there),
        working=sum("ended" not in one for one in there),
        lost=sum(one.get("ended") == LOST for one in there),
        rows=rows,
        calls=calls,
        cpu_s=cpu_s,
        cpu_share=sum(shares) / len(shares) if shares else None,
    )


def _shares(workers: Workers) -> list[float]:
    return [one["cpu_share"] for one in workers if "ended" not in one and "cpu_share" in one]


def workers_lines(workers: Workers) -> Iterator[str]:
    """`10.0.0.7: 4 workers (1 lost), 120 rows, 130 calls, 9 s of CPU`, node by node; nothing without workers."""
    nodes = by_node(workers)
    for one in nodes[:MOST_NODES]:
        some = f"{one.workers} worker{'' if one.workers == 1 else 's'}{f' ({one.lost} lost)' if one.lost else ''}"
        share = "" if one.cpu_share is None else f", {_percent(one.cpu_share)} of a core each"
        yield f"{one.node}: {some}, {one.rows:,} rows, {one.calls:,} calls, {one.cpu_s:,.0f} s of CPU{share}"
    if len(nodes) > MOST_NODES:
        yield f"{len(nodes) - MOST_NODES} nodes more, which run.json has"


def workers_advice(workers: Workers, setting: str, cores: int | None = None) -> str:
    """Whether more workers or fewer would do, by the CPU that they take; "" where they are right, or it is too early.

    `setting` is the key of the job file; `cores` of the one machine that they are on, None on a cluster.

        >>> workers_advice([{"worker": 1, "cpu_share": 0.97}], "engine.workers")
        'the worker keeps 97 % of a core busy, which holds rows up: --set engine.workers=2 may be faster'
    """
    shares = _shares(workers)
    if not shares:
        return ""
    count, busy = len(shares), sum(shares)
    each = f"{f'each of {count} workers' if count > 1 else 'the worker'} keeps {_percent(busy / count)} of a core busy"
    if cores is not None and busy >= FULL * cores:
        return f"workers keep all {cores} cores of this machine busy: more of them would not be faster here"
    if busy >= FULL * count:
        more = 2 * count if cores is None else min(cores, 2 * count)
        return f"{each}, which holds rows up: --set {setting}={more} may be faster" if more > count else ""
    fewer = max(1, math.ceil(busy / GOOD))
    if busy < IDLE * count and fewer < count:
        return f"{each}: --set {setting}={fewer} would do"
    return ""


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
