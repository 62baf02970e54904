"""The table of rows as HTML: each with its source, its record, what was wrong with it and what the model said."""

import shlex
from collections.abc import Callable

from pipeline.commands.report.rows import Shown, ShownAnswer, ShownRow
from pipeline.commands.report.words import escape, milliseconds, short
from pipeline.reader.read import PAGE_BREAK

Again = Callable[[str], str]


def rows_section(shown: Shown, again: Again) -> str:
    note = "" if shown.why_no_text is None else f"<p>Without the source texts: {escape(shown.why_no_text)}.</p>"
    if len(shown.rows) < shown.total:
        note += (
            f"<p>{len(shown.rows):,} of {shown.total:,} rows are in this file: what failed, what was repaired or "
            "conflicts, and the first that are ok, up to a bound each. results.parquet has all of them.</p>"
        )
    codes = sorted({row.error_code for row in shown.rows if row.error_code})
    options = "".join(f'<option value="{escape(code)}">{escape(code)}</option>' for code in codes)
    return (
        f'<h2 id="rows">Rows</h2><div class="quiet">{note}</div>'
        '<div class="tools"><input id="search" type="search" placeholder="Search ids, texts, records and errors" '
        'aria-label="Search rows"><select id="status" aria-label="Which rows"><option value="">all</option>'
        '<option value="ok">ok</option><option value="failed">failed</option><option value="pending">pending</option>'
        f'<option value="repaired">repaired</option><option value="conflict">conflicts</option>{options}</select></div>'
        f'<p id="count" class="quiet" aria-live="polite"></p>{"".join(_row(row, again) for row in shown.rows)}\n'
    )


def _row(row: ShownRow, again: Again) -> str:
    kinds = {row.status, row.error_code or row.status, *(mark.partition(":")[0] for mark in row.marks)}
    mended = f"repaired: {'; '.join(row.mended)}" if row.mended else ""
    note = row.error or mended or ", ".join(row.marks) or short((row.text or "").strip().replace("\n", " "))
    cost = row.cost_usd or ""
    sides = []
    if row.text is not None or row.link is not None:
        sides.append(_source(row))
    if row.record is not None:
        sides.append(f"<div><h3>Record</h3><pre>{escape(row.record)}</pre></div>")
    if row.error is not None:
        sides.append(f"<div><h3>{escape(row.error_code or 'error')}</h3><pre>{escape(row.error)}</pre></div>")
    if mended:
        wrong = "\n".join(row.mended)
        sides.append(f"<div><h3>What was wrong before the repair</h3><pre>{escape(wrong)}</pre></div>")
    sides += [_answer(answer, _whole(row, again)) for answer in row.answers]
    if row.answers_left_out:
        left = f"{row.answers_left_out:,} earlier answers, see {_whole(row, again)}"
        sides.append(f'<p class="quiet">{escape(left)}</p>')
    facts = [f"{row.calls} calls", f"{row.chunks} chunks", *row.marks]
    facts += _of_file(row)
    facts += [] if row.latency_ms is None else [milliseconds(row.latency_ms)]
    return (
        f'<details class="row" data-kinds="{escape(" ".join(sorted(kinds)))}"><summary>'
        f'<span class="number quiet">{row.row:,}</span><span>{escape(row.id)}</span>'
        f'<span class="status {escape(row.status)}">{escape(row.status)}</span>'
        f'<span class="note">{escape(short(note))}</span><span class="cost quiet">{cost}</span></summary>'
        f'<p class="quiet">{escape(" · ".join(facts))}</p><div class="beside">{"".join(sides)}</div></details>\n'
    )


def _source(row: ShownRow) -> str:
    """A text by its pages; of a file that went as it is, where it lies."""
    link = f'<p><a href="{escape(row.link)}">{escape(row.id)}</a></p>' if row.link else ""
    pages = (row.text or "").split(PAGE_BREAK)
    heads = [f'<p class="quiet">page {number}</p>' if len(pages) > 1 else "" for number in range(1, len(pages) + 1)]
    shown = [f"{head}<pre>{escape(page)}</pre>" for head, page in zip(heads, pages, strict=True) if page or head]
    return f"<div><h3>Source</h3>{link}{''.join(shown)}</div>"


def _of_file(row: ShownRow) -> list[str]:
    if row.document is None:
        return []
    pages = row.document["pages"]
    counted = [] if pages is None else [f"{pages:,} page{'' if pages == 1 else 's'}"]
    return [row.document["media_type"], *counted, *([f"went as {mode}"] if (mode := row.document["mode"]) else [])]


def _answer(answer: ShownAnswer, whole: str) -> str:
    cut = f"… {answer.more:,} more characters, see `{whole}`" if answer.more else ""
    wrong = "".join(f'<p class="quiet">{escape(error)}</p>' for error in answer.errors)
    return f"<div><h3>{escape(answer.title)}</h3><pre>{escape(answer.text)}{escape(cut)}</pre>{wrong}</div>"


def _whole(row: ShownRow, again: Again) -> str:
    """The command that prints all that was answered for a row."""
    marked = "-- " if row.id.startswith("-") else ""
    return f"{again('show')} --answers {marked}{shlex.quote(row.id)}"
