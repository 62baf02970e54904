"""The report's section of evidence: for each field how many of its values stand in their documents."""

from pipeline.commands.report import charts
from pipeline.commands.report.grounded import FieldCount, Grounded
from pipeline.commands.report.page_rows import REVIEW, UNGROUNDED_VALUES
from pipeline.commands.report.words import counted, escape, percent

MOST_FIELDS = 30


def grounded_section(grounded: Grounded | None) -> str:
    """Empty where values were not looked for."""
    if grounded is None or not grounded.fields:
        return ""
    left = len(grounded.fields) - MOST_FIELDS + grounded.fields_left_out
    note = f'<p class="quiet">and {left:,} more fields, of which as much is found or more</p>' if left > 0 else ""
    review = f"{counted(grounded.to_review, 'row')} need{'s' if grounded.to_review == 1 else ''} review"
    axis = charts.percent_axis("its values")
    return (
        "<h2>Values found in their documents</h2>"
        '<p><span class="key ok">found</span><span class="key failed">not found</span>'
        '<span class="key pending">no text to look in</span></p>'
        f'<p class="quiet">Over the whole run, the least found first; enums and booleans are left out.</p>'
        f'<p>{review}. <button type="button" data-show="{REVIEW}">Show them</button> '
        f'<button type="button" data-show="{UNGROUNDED_VALUES}">Those with values not found</button></p>'
        f'<div class="card fields">{"".join(map(_field, grounded.fields[:MOST_FIELDS]))}'
        f'<div class="field"><span></span><div>{axis}</div><span></span></div>{note}</div>\n'
    )


def _field(one: FieldCount) -> str:
    looked_for = one.found + one.not_found
    share = (
        f'{one.found:,} of {looked_for:,} <span class="quiet">{percent(one.found, looked_for)}</span>'
        if looked_for
        else "–"
    )
    told = f"{one.name}: {one.found:,} found, {one.not_found:,} not found, {one.unverifiable:,} with no text to look in"
    bar = charts.shares((("ok", one.found), ("bad", one.not_found), ("waiting", one.unverifiable)), told)
    return f'<div class="field"><span class="word">{escape(one.name)}</span>{bar}<span class="n">{share}</span></div>'
