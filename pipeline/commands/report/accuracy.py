"""The report's section of how right the results are, where known answers are given."""

from collections.abc import Mapping
from typing import Any

from pipeline.commands.evaluate.words import share, worst_first
from pipeline.commands.report.words import escape

MOST_FIELDS = 100
MOST_EXAMPLES = 20
COUNTS = ("n", "right", "wrong", "missing", "extra")
NOTHING = '<span class="quiet">nothing</span>'


def accuracy_section(found: Mapping[str, Any] | None) -> str:
    """`found` is what `evaluate` found; empty where nothing is known."""
    if found is None:
        return ""
    fields = worst_first(found["fields"])
    lines = "".join(_field(path, counts) for path, counts in fields[:MOST_FIELDS])
    left = len(fields) - MOST_FIELDS
    note = f'<p class="quiet">and {left:,} more fields, which are no worse</p>' if left > 0 else ""
    head = '<th>Field</th><th class="n">Values</th><th class="n wide">Right</th><th class="n">Wrong</th>'
    head += '<th class="n wide">Missing</th><th class="n wide">Extra</th><th class="n">Accuracy</th>'
    each = found["cost_per_right_record_usd"]
    cost = "" if each is None else f" · ${each} for each record that is right"
    return (
        "<h2>Against known answers</h2>"
        f"<p>{share(found['accuracy'])} of values and {share(found['record_accuracy'])} of whole records are right"
        f'<span class="quiet"> · {found["compared"]:,} of {found["rows"]:,} known rows compared, '
        f"{found['failed']:,} of them failed{cost}</span></p>"
        f'<div class="card scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{note}</div>'
        f"{_examples(found['examples'])}\n"
    )


def _field(path: str, counts: Mapping[str, Any]) -> str:
    wide = {"right", "missing", "extra"}
    cells = "".join(f'<td class="n{" wide" if name in wide else ""}">{counts[name]:,}</td>' for name in COUNTS)
    return f'<tr><td class="word">{escape(path)}</td>{cells}<td class="n">{share(counts["accuracy"])}</td></tr>'


def _examples(examples: list[Mapping[str, Any]]) -> str:
    if not examples:
        return ""
    lines = "".join(
        f'<tr><td class="word">{escape(one["id"])}</td><td class="word">{escape(one["path"])}</td>'
        + "".join(f'<td class="word">{_value(one[side])}</td>' for side in ("known", "found"))
        + "</tr>"
        for one in examples[:MOST_EXAMPLES]
    )
    head = "<th>Row</th><th>Field</th><th>Known</th><th>Found</th>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<p></p><div class="card scroll"><h3>For example</h3>{table}</div>'


def _value(value: str | None) -> str:
    return NOTHING if value is None else escape(value)
