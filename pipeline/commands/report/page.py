"""The page: figures and rows → HTML. Everything that came from outside goes through `escape`."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.commands.report import charts
from pipeline.commands.report.accuracy import accuracy_section
from pipeline.commands.report.batches import batches_section
from pipeline.commands.report.figures import Figures, Group, Spread, rows_by_status
from pipeline.commands.report.frame import framed
from pipeline.commands.report.page_grounded import grounded_section
from pipeline.commands.report.page_rows import Again, rows_section
from pipeline.commands.report.rows import Shown
from pipeline.commands.report.words import escape, milliseconds, percent, short, usd
from pipeline.commands.report.workers import workers_section
from pipeline.output.manifest import Manifest
from pipeline.telemetry.snapshot import waited_for
from pipeline.text import duration

WHAT_TO_DO = {
    "bad_row": "Mend the input and run again: only the mended rows are sent.",
    "context_exceeded": "Lower chunks.max_tokens, or raise the limit that the error names.",
    "truncated": "Raise model.max_output_tokens, or lower chunks.max_tokens.",
    "ungrounded": "Values are not in the document: see the answers; lower extract.min_grounded, or retry.",
    "invalid_output": "Loosen the schema or say more in its descriptions, then retry.",
    "refused": "Another prompt or another model.",
    "blocked": "The provider's filter settings, or another model.",
    "invalid_request": "The provider will refuse it again: its words say why.",
    "provider_error": "Retry later.",
    "timeout": "Retry; a longer limits.timeout_s for long answers.",
    "rate_limited": "Retry.",
    "tool_error": "Retry where what it reads was down; else mend the function in extract.tools, then run.",
}
EXAMPLES = 3


def page(
    manifest: Manifest, figures: Figures, shown: Shown, again: Again, evaluated: Mapping[str, Any] | None = None
) -> str:
    """`manifest` is run.json; `again` makes the command that does a verb on this run; `evaluated`: of known answers."""
    sections = [
        _head(manifest, again),
        _cards(manifest, figures),
        accuracy_section(evaluated),
        grounded_section(figures.grounded),
        _time(manifest, figures),
        _durations(figures),
        _money(figures),
        batches_section(manifest, figures.usd_by_batch),
        workers_section(manifest),
        _failures(manifest, shown, again),
        _conflicts(figures),
        rows_section(shown, again),
        _about(manifest),
    ]
    return framed(f"{manifest.job['name']} – report", "".join(sections))


# ── sections ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _head(manifest: Manifest, again: Again) -> str:
    job, rows = manifest.job, manifest.rows
    reason = f" ({escape(manifest.reason)})" if manifest.reason else ""
    total = rows.total or 1
    took = "" if manifest.seconds is None else f" in {duration(manifest.seconds)}"
    keys = "".join(
        f'<span class="key {name}">{count:,} {name} <span class="quiet">{count / total:.1%}</span></span>'
        for name, count in rows_by_status(manifest)
    )
    return (
        f'<header><h1>{escape(job["name"])}</h1><button id="theme" type="button">Light or dark</button></header>\n'
        f'<p><span class="state {escape(manifest.state)}">{escape(manifest.state)}{reason}</span> '
        f'<span class="quiet">{escape(job["model"]["name"])} by {escape(job["model"]["provider"])} · '
        f"{escape(manifest.started_at[:19].replace('T', ' '))} UTC{took}</span></p>\n"
        f"{_share(manifest)}<p>{keys}</p>\n{_next_step(manifest, again)}"
    )


def _share(manifest: Manifest) -> str:
    """The bar of ok, failed and pending."""
    kinds = {"ok": "ok", "failed": "bad", "pending": "waiting"}
    told = ", ".join(f"{count:,} {name}" for name, count in rows_by_status(manifest))
    parts = [(kinds[name], count) for name, count in rows_by_status(manifest)]
    return charts.shares(parts, f"Rows: {told}") + charts.percent_axis(f"{manifest.rows.total:,} rows")


def _next_step(manifest: Manifest, again: Again) -> str:
    rows = manifest.rows
    if rows.pending:
        return f"<p>To go on from here:</p>{_command(again('run'))}"
    if rows.failed:
        return f"<p>To run only the failed rows again:</p>{_command(again('retry'))}"
    return ""


def _command(line: str) -> str:
    return f'<code class="command">{escape(line)}</code>\n'


def _cards(manifest: Manifest, figures: Figures) -> str:
    rows, tokens = manifest.rows, manifest.tokens
    cost = manifest.cost_usd
    each = "" if cost is None or not rows.ok else f"{usd(cost / rows.ok)} for each row that is ok"
    cached = tokens.cached_input_tokens
    cards = [
        ("Cost", "unknown" if cost is None else usd(cost), each),
        ("Lost on failures", usd(figures.wasted_usd), "paid for rows that failed in the end"),
        ("Input tokens", f"{tokens.input_tokens:,}", f"{cached:,} of them from a cache"),
        ("Output tokens", f"{tokens.output_tokens:,}", f"{tokens.reasoning_tokens:,} of them reasoning"),
        ("Calls", f"{manifest.calls:,}", f"{manifest.rate_limited:,} answered 429"),
        ("Repairs", f"{manifest.repairs:,}", f"{manifest.repaired_rows:,} rows were mended by them"),
        *_found_card(figures),
    ]
    return f'<div class="cards">{"".join(_card(*card) for card in cards)}</div>\n'


def _found_card(figures: Figures) -> list[tuple[str, str, str]]:
    grounded = figures.grounded
    if grounded is None or not grounded.looked_for:
        return []
    note = f"{grounded.found:,} of {grounded.looked_for:,}, in their documents"
    return [("Values found", percent(grounded.found, grounded.looked_for), note)]


def _card(title: str, value: str, note: str) -> str:
    return f'<div class="card"><h3>{title}</h3><b>{value}</b><span class="quiet">{note}</span></div>'


def _time(manifest: Manifest, figures: Figures) -> str:
    if not figures.slices:
        return ""
    limit = manifest.job["limits"]["requests_per_minute"]
    calls = charts.over_time(figures.slices, figures.slice_s, limit)
    waited = waited_for(manifest.waited_share)
    why = f'<p class="quiet">Calls waited for: {escape(waited)}</p>' if waited else ""
    keys = (
        '<p><span class="key ok">answered</span><span class="key failed">failed</span>'
        '<span class="key limited">429</span>'
        + ('<span class="quiet">dashes: limits.requests_per_minute</span>' if limit else "")
        + "</p>"
    )
    return (
        '<h2>Over time</h2><div class="pair">'
        f'<div class="card"><h3>Calls sent</h3>{calls}{keys}{why}</div>'
        f'<div class="card"><h3>Cost so far</h3>{charts.spending(figures.slices, figures.slice_s)}</div></div>\n'
    )


def _durations(figures: Figures) -> str:
    found = [("From sent to answered", figures.latency_ms), ("Waited to be sent", figures.wait_ms)]
    cards = [_duration_card(title, spread) for title, spread in found if spread is not None]
    return f'<h2>How long calls took</h2><div class="pair">{"".join(cards)}</div>\n' if cards else ""


def _duration_card(title: str, spread: Spread) -> str:
    names = ("half of them", "9 of 10", "99 of 100", "the longest")
    cells = "".join(
        f'<tr><td>{name}</td><td class="n">{milliseconds(value)}</td></tr>'
        for name, value in zip(names, spread.quantiles, strict=True)
    )
    return f'<div class="card"><h3>{title}</h3>{charts.distribution(spread, title)}<table>{cells}</table></div>'


def _money(figures: Figures) -> str:
    parts = []
    for what, title, groups in (
        ("model", "Model version", figures.by_model),
        ("tenant", "Tenant", figures.by_tenant),
    ):
        if what == "tenant" and all(group.name == "–" for group in groups):
            continue
        left = figures.groups_left_out[what]
        note = f'<p class="quiet">and {left:,} more: pipeline costs --by {what}</p>' if left else ""
        parts.append(f'<div class="card">{_group_table(title, groups)}{note}</div>')
    return f'<h2>Who and what it was spent on</h2><div class="pair">{"".join(parts)}</div>\n' if figures.calls else ""


def _group_table(title: str, groups: Iterable[Group]) -> str:
    lines = "".join(
        f'<tr><td class="word">{escape(group.name)}</td><td class="n">{group.calls:,}</td>'
        f'<td class="n wide">{group.input_tokens:,}</td><td class="n wide">{group.output_tokens:,}</td>'
        f'<td class="n">{usd(group.usd)}</td></tr>'
        for group in groups
    )
    head = f'<th>{title}</th><th class="n">Calls</th>'
    head += '<th class="n wide">In</th><th class="n wide">Out</th><th class="n">Cost</th>'
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _failures(manifest: Manifest, shown: Shown, again: Again) -> str:
    by_code: Mapping[str, int] = manifest.failed_by_code
    if not by_code:
        return ""
    causes = []
    for code, count in sorted(by_code.items(), key=lambda item: -item[1]):
        examples = [row for row in shown.rows if row.error_code == code][:EXAMPLES]
        told = "".join(f"<li><code>{escape(row.id)}</code> {escape(short(row.error or ''))}</li>" for row in examples)
        retry = "" if code == "bad_row" else _command(f"{again('retry')} --where error_code={code}")
        causes.append(
            f'<div class="cause"><p><b>{count:,} {escape(code)}</b> '
            f'<button type="button" data-show="{escape(code)}">Show them</button></p>'
            f"<p>{WHAT_TO_DO.get(code, '')}</p><ul>{told}</ul>{retry}</div>"
        )
    return f"<h2>Why rows failed</h2>{''.join(causes)}\n"


def _conflicts(figures: Figures) -> str:
    if not figures.conflicts:
        return ""
    lines = "".join(
        f'<tr><td class="word">{escape(name)}</td><td class="n">{count:,}</td></tr>'
        for name, count in figures.conflicts
    )
    return (
        "<h2>Fields on which chunks disagreed</h2>"
        '<p class="quiet">The value of the first chunk stands. '
        '<button type="button" data-show="conflict">Show them</button></p>'
        f'<div class="card scroll"><table><thead><tr><th>Field</th><th class="n">Rows</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>\n"
    )


def _about(manifest: Manifest) -> str:
    facts = [
        ("Job file", manifest.job["file"]),
        ("Input", manifest.job["input"]["path"]),
        ("Prompt version", manifest.job["prompt_version"] or "–"),
        ("Prices", manifest.price_table),
        ("Schema", manifest.schema_hash),
    ]
    lines = "".join(f'<tr><td>{name}</td><td class="word">{escape(value)}</td></tr>' for name, value in facts)
    return f'<h2>What this was made from</h2><div class="scroll"><table>{lines}</table></div>\n'
