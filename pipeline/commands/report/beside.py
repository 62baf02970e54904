"""A row's source and its record side by side, as HTML: each value that was found leads to its words. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from pipeline.commands.report.marks import Piece, SourcePage
from pipeline.commands.report.record_lines import Line
from pipeline.commands.report.rows import ShownRow
from pipeline.commands.report.words import escape, escape_text
from pipeline.extraction.evidence.share import FOUND, NOT_FOUND, UNVERIFIABLE
from pipeline.types import Evidence

REASONS = {
    "ungrounded": "values are not in the document",
    "conflicts": "chunks disagree",
    "xml_conflicts": "its XML says otherwise",
    "repaired": "the answer was repaired",
    "fallback": "another model had to be asked",
}
SAID = {NOT_FOUND: "not found", UNVERIFIABLE: "no text to look in"}  # behind a value; others by their own names
QUIET = {"exact", "normalised", "inferred"}  # of these nothing is said


def beside(row: ShownRow, place: int) -> str:
    """`place`: of the row on the page, for the addresses of its marks."""
    sides = []
    if row.source is not None or row.link is not None:
        sides.append(_source(row, place))
    if row.record is not None:
        sides.append(_record(row, place))
    return f'<div class="beside wide-left">{"".join(sides)}</div>' if sides else ""


def found_words(found: Sequence[Evidence]) -> str:
    """How many of the values that can be looked for were found: `12 of 14 found`."""
    there = sum(one.status in FOUND for one in found)
    missing = sum(one.status == NOT_FOUND for one in found)
    unknown = sum(one.status == UNVERIFIABLE for one in found)
    words = [f"{there:,} of {there + missing:,} found"] if there + missing else []
    return ", ".join([*words, *([f"{unknown:,} with no text to look in"] if unknown else [])])


# ── the source ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _source(row: ShownRow, place: int) -> str:
    """A text by its pages, each in a frame that scrolls; of a file that went as it is, where it lies."""
    link = f'<p><a href="{escape(row.link)}">{escape(row.id)}</a></p>' if row.link else ""
    if row.source is None:
        return f"<div><h3>Source</h3>{link}</div>"
    if not any(page.pieces for page in row.source):
        went = row.document is not None and row.document["mode"] in {"native", "image"}
        why = "It went to the model as it is" if went else "Nothing could be read"
        return f'<div><h3>Source</h3>{link}<p class="quiet">{why}: there is no text to mark words in.</p></div>'
    shown = "".join(_pages(row.source, place))
    return f'<div class="from"><h3>Source</h3>{link}<div class="source" tabindex="0">{shown}</div></div>'


def _pages(pages: Sequence[SourcePage], place: int) -> Iterator[str]:
    number = 0
    for page in pages:
        if len(pages) > 1:
            name = f"page {page.number}" if page.number == page.last else f"pages {page.number} to {page.last}"
            yield f'<p class="quiet">{name}{"" if page.pieces else ", without a text"}</p>'
        made = [piece_html(piece, f"m{place}-{number + n}") for n, piece in enumerate(page.pieces)]
        number += len(made)
        yield f"<pre>{''.join(made)}</pre>" if made else ""


def piece_html(piece: Piece, address: str) -> str:
    """Words as they are; marked ones in an element that names the marks over them."""
    if piece.left_out:
        return f'<span class="gap">… {piece.left_out:,} characters left out …</span>'
    if not piece.of:
        return escape_text(piece.text)
    over = " ".join(map(str, piece.of))
    return f'<mark id="{address}" data-of="{over}">{escape_text(piece.text)}</mark>'


def _addresses(pages: Sequence[SourcePage], place: int) -> dict[int, str]:
    """Mark → the first piece that it is over."""
    found: dict[int, str] = {}
    for number, piece in enumerate(piece for page in pages for piece in page.pieces):
        for mark in piece.of:
            found.setdefault(mark, f"m{place}-{number}")
    return found


# ── the record ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _record(row: ShownRow, place: int) -> str:
    addresses = _addresses(row.source or (), place)
    by_path = {one.path: (number, one) for number, one in enumerate(row.evidence or ())}
    lines = "\n".join(_line(line, by_path, addresses) for line in row.record or ())
    cut = f"\n… ({row.record_more:,} more characters)" if row.record_more else ""
    words = found_words(row.evidence or ())
    told = f' <span class="found">{words}</span>' if words else ""
    why = f'<p class="quiet">To look at: {"; ".join(REASONS[one] for one in row.reasons)}.</p>' if row.reasons else ""
    return f'<div><h3>Record{told}</h3>{why}<pre class="record">{lines}{cut}</pre></div>'


def _line(line: Line, by_path: Mapping[str, tuple[int, Evidence]], addresses: Mapping[int, str]) -> str:
    before, value, after = (escape(part) for part in (line.before, line.value, line.after))
    if not line.path or line.path not in by_path:
        return f"{before}{value}{after}"
    number, one = by_path[line.path]
    if number in addresses:
        value = (
            f'<a href="#{addresses[number]}" data-mark="{number}" class="{escape(one.status)}" '
            f'title="{escape(_title(one))}">{value}</a>'
        )
    else:
        value = f'<span class="{escape(one.status)}" title="{escape(_title(one))}">{value}</span>'
    page = [] if one.page is None else [f"p. {one.page}"]
    how = [] if one.status in QUIET else [SAID.get(one.status, one.status)]
    said = ", ".join([*page, *how])
    return f"{before}{value}{after}{f' <small>{escape(said)}</small>' if said else ''}"


def _title(one: Evidence) -> str:
    """As a hint: the words as printed, and whether there are other places."""
    if one.quote is None:
        return SAID.get(one.status, one.status)
    several = f", the likeliest of {one.places:,} places" if one.places > 1 else ""
    return f"“{' '.join(one.quote.split())}”{several}"
