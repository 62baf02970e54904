"""An estimate, as people read it. Pure."""

from collections.abc import Sequence
from typing import Any

from pipeline.text import duration


def estimate_text(report: dict[str, Any]) -> str:
    """The dry-run as people read it."""
    cost, seconds = report["cost_usd"], report["seconds"]
    money_line = "unknown: no price for this model"
    if cost is not None:
        money_line = f"${cost['low']} low · ${cost['expected']} expected · ${cost['high']} high"
    lines = [
        f"{report['name']}: {report['model']} ({report['provider']})",
        f"  rows      {report['rows']:,}",
        f"  requests  {report['requests']:,}, and {_expected(report['repair_requests'])} repairs",
        f"  input     {_expected(report['input_tokens'])} tokens",
        f"  output    {_expected(report['output_tokens'])} tokens",
        f"  cost      {money_line}",
        f"  time      about {duration(seconds['expected'])}, up to {duration(seconds['high'])}",
        *_select_lines(report.get("chunks_select")),
        *_pack_lines(report.get("chunks_pack")),
        *_lane_lines(report["lanes"]),
        *map(_model_line, report.get("models", ())),
        *(f"  advice    {text}" for text in report.get("advice", ())),
        "  because",
        *(f"    - {line}" for line in report["assumptions"]),
    ]
    return "\n".join(lines)


def _select_lines(saved: dict[str, Any] | None) -> list[str]:
    """What is not asked about, where the job leaves chunks out."""
    if saved is None:
        return []
    usd = "an unknown amount" if saved["usd_saved"] is None else f"${saved['usd_saved']}"
    tokens = f"{saved['input_tokens_saved']:,} input tokens"
    return [f"  chunks    chunks.select: {saved['asked']:,} of {saved['chunks']:,} chunks, saves {usd} ({tokens})"]


def _pack_lines(saved: dict[str, Any] | None) -> list[str]:
    """What going together saves, where the job has rows do that."""
    if saved is None:
        return []
    usd, tokens = saved["usd_saved"], saved["input_tokens_saved"]
    requests = f"{saved['requests']:,} requests instead of {saved['requests_alone']:,}"
    costs = str(tokens if usd is None else usd).startswith("-")
    amount = "an unknown amount" if usd is None else f"${usd.lstrip('-')}"
    told = f"costs {amount} more" if costs else f"saves {amount}"
    return [f"  chunks    chunks.pack: {requests}, {told} ({abs(tokens):,} input tokens)"]


def _lane_lines(lanes: Sequence[dict[str, Any]]) -> list[str]:
    """The ways that the requests can go, where there is more than one."""
    return [_lane_line(one) for one in lanes] if len(lanes) > 1 else []


def _lane_line(one: dict[str, Any]) -> str:
    cost, seconds = one["cost_usd"], one["seconds"]
    usd = "unknown" if cost is None else f"${cost['expected']} (${cost['low']} to ${cost['high']})"
    time = f"about {duration(seconds['expected'])}, up to {duration(seconds['high'])}"
    if one["lane"] == "batch":
        time = f"from {duration(seconds['low'])} to {duration(seconds['high'])}"
    return f"  {one['lane']:<9} {usd}, {time}{'   <- this job' if one['chosen'] else ''}"


def _model_line(one: dict[str, Any]) -> str:
    """Of a job with several models, what one of them is expected to be asked."""
    cost = one["cost_usd"]
    usd = "unknown" if cost is None else f"${cost['expected']} (${cost['low']} to ${cost['high']})"
    return f"  {one['model']:<9} {one['rows']:,} rows ({one['share']:.0%}) by {one['by']}, {usd}"


def _expected(band: dict[str, Any]) -> str:
    return f"{band['expected']:,} ({band['low']:,} to {band['high']:,})"
