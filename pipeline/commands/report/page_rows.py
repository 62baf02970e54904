"""The table of rows as HTML: each with its source, its record, what was wrong with it and what the model said."""

import shlex
from collections.abc import Callable, Iterator

from pipeline.codes import ErrorCode
from pipeline.commands.report.beside import beside
from pipeline.commands.report.rows import Shown, ShownAnswer, ShownRow
from pipeline.commands.report.words import counted, escape, milliseconds, short
from pipeline.extraction.evidence.share import ungrounded

UNGROUNDED_VALUES, REVIEW = "ungrounded-values", "review"  # kinds of rows, beside statuses, causes and marks
Again = Callable[[str], str]


def rows_section(shown: Shown, again: Again) -> str:
    note = "" if shown.why_no_text is None else f"<p>Without the source texts: {escape(shown.why_no_text)}.</p>"
    if len(shown.rows) < shown.total:
        note += (
            f"<p>{len(shown.rows):,} of {shown.total:,} rows are in this file: what failed, what was repaired, "
            "conflicts or should be looked at, and the first that are ok, up to a bound each. results.parquet has all "
            "of them.</p>"
        )
    rows = "".join(_row(row, place, again) for place, row in enumerate(shown.rows))
    return (
        f'<h2 id="rows">Rows</h2><div class="quiet">{note}</div>'
        '<div class="tools"><input id="search" type="search" placeholder="Search ids, texts, records and errors" '
        'aria-label="Search rows"><select id="status" aria-label="Which rows"><option value="">all</option>'
        f"{''.join(_options(shown))}</select></div>"
        f'<p id="count" class="quiet" aria-live="polite"></p>{rows}\n'
    )


def _options(shown: Shown) -> Iterator[str]:
    looked_for = any(row.evidence is not None for row in shown.rows)
    fixed = [(REVIEW, "needs review"), (UNGROUNDED_VALUES, "ungrounded values")] if looked_for else []
    fixed += [(name, name) for name in ("ok", "failed", "pending", "repaired")]
    codes = sorted({row.error_code for row in shown.rows if row.error_code})
    for value, name in [*fixed, ("conflict", "conflicts"), *((code, code) for code in codes)]:
        yield f'<option value="{escape(value)}">{escape(name)}</option>'


def _row(row: ShownRow, place: int, again: Again) -> str:
    facts = [counted(row.calls, "call"), counted(row.chunks, "chunk"), *row.marks, *_of_file(row)]
    facts += [] if row.latency_ms is None else [milliseconds(row.latency_ms)]
    flag = ' <b class="flag">review</b>' if row.reasons else ""
    more = f'<div class="beside">{further}</div>' if (further := "".join(_further(row, again))) else ""
    return (
        f'<details class="row" data-kinds="{escape(" ".join(sorted(_kinds(row))))}"><summary>'
        f'<span class="number quiet">{row.row:,}</span><span>{escape(row.id)}</span>'
        f'<span class="status {escape(row.status)}">{escape(row.status)}{flag}</span>'
        f'<span class="note">{escape(short(_note(row)))}</span><span class="cost quiet">{row.cost_usd or ""}</span>'
        f'</summary><p class="quiet">{escape(" · ".join(facts))}</p>{beside(row, place)}{more}</details>\n'
    )


def _kinds(row: ShownRow) -> set[str]:
    kinds = {row.status, row.error_code or row.status, *(mark.partition(":")[0].split()[0] for mark in row.marks)}
    if row.error_code == ErrorCode.UNGROUNDED or ungrounded(row.evidence or ()):
        kinds.add(UNGROUNDED_VALUES)
    return kinds | ({REVIEW} if row.reasons else set())


def _note(row: ShownRow) -> str:
    """What there is to say of a row on its line; of one that went well, how its text begins."""
    mended = [f"repaired: {'; '.join(row.mended)}"] if row.mended else []
    missing = ungrounded(row.evidence or ())
    told = [*mended, *([f"not found: {', '.join(missing)}"] if missing else [])]
    return row.error or " · ".join(told) or ", ".join(row.marks) or row.begins or " · ".join(_of_file(row))


def _further(row: ShownRow, again: Again) -> Iterator[str]:
    """What was wrong with a row, and what the model said."""
    if row.error is not None:
        yield f"<div><h3>{escape(row.error_code or 'error')}</h3><pre>{escape(row.error)}</pre></div>"
    if row.mended:
        wrong = "\n".join(row.mended)
        yield f"<div><h3>What was wrong before the repair</h3><pre>{escape(wrong)}</pre></div>"
    for answer in row.answers:
        yield _answer(answer, _whole(row, again))
    if row.answers_left_out:
        left = f"{row.answers_left_out:,} earlier answers, see {_whole(row, again)}"
        yield f'<p class="quiet">{escape(left)}</p>'


def _of_file(row: ShownRow) -> list[str]:
    if row.document is None:
        return []
    pages = row.document["pages"]
    many = [] if pages is None else [counted(pages, "page")]
    return [row.document["media_type"], *many, *([f"went as {mode}"] if (mode := row.document["mode"]) else [])]


def _answer(answer: ShownAnswer, whole: str) -> str:
    cut = f"… {answer.more:,} more characters, see `{whole}`" if answer.more else ""
    wrong = "".join(f'<p class="quiet">{escape(error)}</p>' for error in answer.errors)
    return f"<div><h3>{escape(answer.title)}</h3><pre>{escape(answer.text)}{escape(cut)}</pre>{wrong}</div>"


def _whole(row: ShownRow, again: Again) -> str:
    """The command that prints all that was answered for a row."""
    marked = "-- " if row.id.startswith("-") else ""
    return f"{again('show')} --answers {marked}{shlex.quote(row.id)}"
