"""The difference of two outputs as one self-contained page, in the frame of the report.

Everything that came from outside goes through `escape`. The table of rows is bounded, and says what it leaves out.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline.commands.diff.words import named, place, schema_notes
from pipeline.commands.export import whole_file
from pipeline.commands.report.frame import framed
from pipeline.commands.report.words import escape, short, usd
from pipeline.errors import JobError

MOST_ON_PAGE = 1000  # changed rows
MOST_FIELDS = 100
SIDES = ("left", "right")
NOTHING = '<span class="quiet">nothing</span>'
FACTS = (
    ("folder", "Folder"), ("job", "Job"), ("provider", "Provider"), ("model", "Model"),
    ("prompt_version", "Prompt version"), ("schema_hash", "Schema"), ("state", "State"), ("started_at", "Started"),
    ("ok", "Rows ok"), ("failed", "Rows failed"), ("pending", "Rows pending"),
)  # fmt: skip


def write_page(found: Mapping[str, Any], target: Path) -> None:
    """`found` is what `diff` found, with up to MOST_ON_PAGE changes.

    Raises:
        JobError: the file cannot be written.
    """
    try:
        with whole_file(target) as out:
            out.write(page(found).encode("utf-8", "replace").decode())
    except OSError as error:
        raise JobError(f"{target}: cannot be written: {error.strerror}") from None


def page(found: Mapping[str, Any]) -> str:
    """The whole page."""
    sections = [
        _head(found),
        _cards(found),
        _sides(found),
        _fields(found),
        _outcomes(found),
        _alone(found),
        _rows(found),
    ]
    title = " and ".join(str(found[side].get("job") or found[side]["folder"]) for side in SIDES)
    return framed(f"{title} – difference", "".join(sections))


def _head(found: Mapping[str, Any]) -> str:
    notes = "".join(f"<p>{escape(note[0].upper() + note[1:])}.</p>" for note in schema_notes(found))
    state = (
        '<span class="state finished">equal</span>' if found["equal"] else '<span class="state parked">differ</span>'
    )
    return (
        '<header><h1>What changed</h1><button id="theme" type="button">Light or dark</button></header>\n'
        f'<p>{state} <span class="quiet">{escape(named(found["left"]))} → {escape(named(found["right"]))}</span></p>'
        f"{notes}\n"
    )


def _cards(found: Mapping[str, Any]) -> str:
    total = found["rows"] or 1
    left, right = (None if one is None else Decimal(one) for one in found["cost_usd"])
    costs = "unknown" if right is None else usd(right)
    beside = "on the right" + ("" if left is None else f", {usd(left)} on the left")
    cards = [
        ("Rows", f"{found['rows']:,}", "of both sides together"),
        ("The same", f"{found['same']:,}", f"{found['same'] / total:.1%} of them"),
        ("Changed", f"{found['changed']:,}", f"{found['changed'] / total:.1%} of them"),
        ("Only left", f"{found['only_left']:,}", "rows that the right one has not"),
        ("Only right", f"{found['only_right']:,}", "rows that the left one has not"),
        ("Cost", costs, beside),
    ]
    told = (
        f'<div class="card"><h3>{name}</h3><b>{value}</b><span class="quiet">{note}</span></div>'
        for name, value, note in cards
    )
    return f'<div class="cards">{"".join(told)}</div>\n'


def _sides(found: Mapping[str, Any]) -> str:
    costs = dict(zip(SIDES, found["cost_usd"], strict=True))
    lines = [(title, *(found[side].get(key) for side in SIDES)) for key, title in FACTS] + [
        ("Cost in all runs", *(None if costs[side] is None else usd(Decimal(costs[side])) for side in SIDES))
    ]
    cells = "".join(
        f'<tr><td>{title}</td><td class="word">{_fact(left)}</td><td class="word">{_fact(right)}</td></tr>'
        for title, left, right in lines
        if left is not None or right is not None
    )
    return f"<h2>Side by side</h2>{_table('<th></th><th>Left</th><th>Right</th>', cells)}\n"


def _table(head: str, lines: str, note: str = "") -> str:
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="card scroll">{table}{note}</div>'


def _fact(value: object) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else escape(value)


def _fields(found: Mapping[str, Any]) -> str:
    fields: Mapping[str, int] = found["fields"]
    lines = "".join(
        f'<tr><td class="word">{escape(path)}</td><td class="n">{rows:,}</td>'
        f'<td class="n wide">{rows / (found["rows"] or 1):.1%}</td>'
        f'<td class="n"><button type="button" data-show="f{number}">Show</button></td></tr>'
        for number, (path, rows) in enumerate(list(fields.items())[:MOST_FIELDS])
    )
    left = len(fields) - MOST_FIELDS
    note = f'<p class="quiet">and {left:,} more fields</p>' if left > 0 else ""
    head = '<th>Field</th><th class="n">Rows changed</th><th class="n wide">Of all</th><th></th>'
    return f"<h2>Fields that changed</h2>{_table(head, lines, note)}\n" if fields else ""


def _outcomes(found: Mapping[str, Any]) -> str:
    lines = "".join(
        f'<tr><td class="word">{escape(outcomes)}</td><td class="n">{rows:,}</td></tr>'
        for outcomes, rows in found["outcomes"].items()
    )
    head = '<th>Left → right</th><th class="n">Rows</th>'
    return f"<h2>Rows that ended otherwise</h2>{_table(head, lines)}\n" if lines else ""


def _alone(found: Mapping[str, Any]) -> str:
    parts = []
    for side in SIDES:
        ids = found[f"only_{side}_ids"]
        more = found[f"only_{side}"] - len(ids)
        told = ", ".join(f"<code>{escape(short(one))}</code>" for one in ids) + (f" and {more:,} more" if more else "")
        parts += [f'<div class="card"><h3>Only {side}</h3><p>{told}</p></div>'] if ids else []
    return f'<h2>Rows of one side</h2><div class="pair">{"".join(parts)}</div>\n' if parts else ""


def _rows(found: Mapping[str, Any]) -> str:
    changes = found["changes"]
    numbers = {path: number for number, path in enumerate(list(found["fields"])[:MOST_FIELDS])}
    left_out = found["changes_left_out"]
    note = (
        f"{len(changes):,} of {found['changed']:,} changed rows are in this file, {left_out:,} are not."
        if left_out
        else ""
    )
    options = "".join(f'<option value="f{number}">{escape(path)}</option>' for path, number in numbers.items())
    rows = "".join(_row(place, change, numbers) for place, change in enumerate(changes, start=1))
    return (
        f'<h2 id="rows">Changed rows</h2><p class="quiet">{note}</p>'
        '<div class="tools"><input id="search" type="search" placeholder="Search ids and values" '
        'aria-label="Search rows"><select id="status" aria-label="Which rows"><option value="">all</option>'
        f'<option value="outcome">ended otherwise</option>{options}</select></div>'
        f'<p id="count" class="quiet" aria-live="polite"></p>{rows}\n'
    )


def _row(number: int, change: Mapping[str, Any], numbers: Mapping[str, int]) -> str:
    left, right = change["left"], change["right"]
    moved = left["outcome"] != right["outcome"]
    paths = list(dict.fromkeys(one["path"] for one in change["fields"]))
    kinds = [f"f{numbers[path]}" for path in paths if path in numbers] + (["outcome"] if moved else [])
    note = ", ".join([f"{left['outcome']} → {right['outcome']}"] * moved + paths)
    chunk = f" · chunk {change['chunk']}" if "chunk" in change else ""
    lines = "".join(map(_leaf, change["fields"]))
    more = change["fields_left_out"]
    left_out = f'<p class="quiet">and {more:,} more values</p>' if more else ""
    table = _table("<th>Field</th><th>Left</th><th>Right</th>", lines) if lines else ""
    told = " · ".join(f"{side}: {change[side]['outcome']}, {_cost(change[side]['cost_usd'])}" for side in SIDES)
    return (
        f'<details class="row" data-kinds="{" ".join(kinds)}"><summary>'
        f'<span class="number quiet">{number:,}</span><span>{escape(change["id"])}</span>'
        f'<span class="status {"failed" if moved else "ok"}">{"outcome" if moved else f"{len(paths):,} fields"}</span>'
        f'<span class="note">{escape(short(note))}</span>'
        f'<span class="cost quiet">{_cost(right["cost_usd"])}</span></summary>'
        f'<p class="quiet">{escape(told)}{chunk}</p>{table}{left_out}</details>\n'
    )


def _cost(cost: str | None) -> str:
    return "no price" if cost is None else usd(Decimal(cost))


def _leaf(one: Mapping[str, Any]) -> str:
    cells = "".join(f'<td class="word">{_value(one[side])}</td>' for side in SIDES)
    return f'<tr><td class="word">{escape(place(one))}</td>{cells}</tr>'


def _value(side: Mapping[str, Any]) -> str:
    """With the words of the document that it stands on, where they are known."""
    if side["value"] is None:
        return NOTHING
    evidence = side.get("evidence") or {}
    facts = [evidence.get("status"), f"page {evidence['page']}" if evidence.get("page") is not None else None]
    quote = f"“{short(evidence['quote'])}”" if evidence.get("quote") else None
    told = " · ".join(str(fact) for fact in (quote, *facts) if fact)
    return escape(side["value"]) + (f'<br><span class="quiet">{escape(told)}</span>' if told else "")
