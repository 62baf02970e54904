"""The report's section of batches: each, with what became of it and what its lines cost."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pipeline.commands.report.words import escape, usd
from pipeline.output.manifest import Manifest

MOST = 50
NOTHING = "–"


def batches_section(manifest: Manifest, usd_by_batch: Mapping[str, Decimal]) -> str:
    """Empty where none went so."""
    batches = manifest.batches
    if not batches:
        return ""
    lines = "".join(_line(one, usd_by_batch.get(one["batch_id"])) for one in batches[-MOST:])
    left = len(batches) - MOST
    note = f'<p class="quiet">and {left:,} before these</p>' if left > 0 else ""
    head = '<th>Batch</th><th>State</th><th class="n">Rows</th><th class="n">Done</th>'
    head += '<th class="wide">Submitted</th><th class="wide">Deadline</th><th class="n">Cost</th>'
    return (
        f'<h2>Batches</h2><div class="card scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table>{note}</div>\n"
    )


def _line(one: Mapping[str, Any], cost: Decimal | None) -> str:
    done = NOTHING if one["done"] is None else f"{one['done']:,}"
    return (
        f'<tr><td class="word">{escape(one["batch_id"])}</td><td>{escape(one["state"])}</td>'
        f'<td class="n">{one["rows"]:,}</td><td class="n">{done}</td>'
        f'<td class="wide">{_minute(one["submitted_at"])}</td><td class="wide">{_minute(one["deadline_at"])}</td>'
        f'<td class="n">{NOTHING if cost is None else usd(cost)}</td></tr>'
    )


def _minute(moment: str | None) -> str:
    return NOTHING if moment is None else escape(moment[:16].replace("T", " "))
