"""The report's section of workers: who carried the rows, on which node, and who was lost when and why."""

from collections.abc import Mapping
from typing import Any

from pipeline.commands.report.words import counted, escape, short
from pipeline.output.manifest import Manifest
from pipeline.telemetry.workers import LOST, NodeFigures, by_node

MOST_WORKERS = 50  # with more, the table is of nodes
MOST_NODES = 200
MOST_LOST = 20


def workers_section(manifest: Manifest) -> str:
    """Empty where the last session had none."""
    workers = manifest.workers
    if not workers:
        return ""
    nodes = by_node(workers)
    rows = (
        [_worker(one) for one in sorted(workers, key=_number)]
        if len(workers) <= MOST_WORKERS
        else [_node(one) for one in nodes]
    )
    left = len(rows) - MOST_NODES
    note = f'<p class="quiet">and {left:,} more, which run.json has</p>' if left > 0 else ""
    head = '<th scope="col">Node</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Calls</th>'
    head += '<th scope="col" class="n wide">Of a core</th><th scope="col" class="n">CPU</th>'
    some = f"{counted(len(workers), 'worker')} on {counted(len(nodes), 'node')}"
    return (
        f'<h2 id="workers">Workers</h2><p class="quiet">{some}, in the last session</p><div class="card scroll">'
        f'<table aria-labelledby="workers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows[:MOST_NODES])}</tbody></table>{note}</div>{_losses(workers)}\n"
    )


def _number(one: Mapping[str, Any]) -> int:
    number: int = one["worker"]
    return number


def _worker(one: Mapping[str, Any]) -> str:
    ended = f', <span class="flag">{LOST}</span>' if one.get("ended") == LOST else ""
    drained = ", drained" if one.get("ended") == "drained" else ""
    beside = f"worker {escape(one['worker'])}{ended}{drained}"
    return _line(one["node"], beside, one["rows"], one["calls"], (one["cpu_s"], one.get("cpu_share")))


def _node(one: NodeFigures) -> str:
    lost = f', <span class="flag">{one.lost:,} {LOST}</span>' if one.lost else ""
    beside = f"{counted(one.workers, 'worker')}{lost}"
    return _line(one.node, beside, one.rows, one.calls, (one.cpu_s, one.cpu_share))


def _line(node: str, beside: str, rows: int, calls: int, cpu: tuple[float, float | None]) -> str:
    """`beside` is HTML."""
    cpu_s, share = cpu
    busy = "–" if share is None else f"{share:.0%}".replace("%", " %")
    return (
        f'<tr><th scope="row" class="word">{escape(node)} <span class="quiet">{beside}</span></th>'
        f'<td class="n">{rows:,}</td><td class="n">{calls:,}</td><td class="n wide">{busy}</td>'
        f'<td class="n">{cpu_s:,.{0 if cpu_s >= 100 else 1}f} s</td></tr>'
    )


def _losses(workers: tuple[Mapping[str, Any], ...]) -> str:
    """Each with its time; the last ones, where there are many."""
    lost = [one for one in workers if one.get("ended") == LOST]
    if not lost:
        return ""
    lines = "".join(
        f"<li>worker {escape(one['worker'])} on {escape(one['node'])}, {_when(one['ended_at'])}"
        f"{': ' + escape(short(one['why'])) if one.get('why') else ''}</li>"
        for one in lost[-MOST_LOST:]
    )
    left = len(lost) - MOST_LOST
    before = f" The last {MOST_LOST} of {len(lost):,}:" if left > 0 else ""
    told = "Lost, and others took their rows up; calls that were in flight are named in calls.parquet as lost."
    return f'<div class="cause"><p>{told}{before}</p><ul>{lines}</ul></div>'


def _when(moment: str) -> str:
    return f"{escape(moment[:19].replace('T', ' '))} UTC"
