"""HTML → the text that a browser shows: no scripts, no styles, nothing hidden; tables row by row."""

import re
from collections import Counter
from html.parser import HTMLParser

from pipeline.reader.clean import page_of
from pipeline.reader.flow import Flow
from pipeline.reader.media_types import HTML
from pipeline.reader.one_piece import one_piece
from pipeline.reader.plain import decoded
from pipeline.reader.read import DAMAGED, Read, ReadOptions, Unreadable

MAX_DEPTH = 5000
MOST_UNCLOSED = 1000  # for each of them the parser looks through all that follows
CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
UNSEEN = frozenset(
    [
        "script",
        "style",
        "template",
        "noscript",
        "head",
        "object",
        "iframe",
        "svg",
        "math",
        "audio",
        "video",
        "canvas",
        "map",
        "datalist",
        "select",
    ]
)
BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hgroup",
        "legend",
        "main",
        "nav",
        "option",
        "section",
        "summary",
        "tbody",
        "tfoot",
        "thead",
    ]
)
SPACED = frozenset(["blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul"])
INLINE = frozenset(["a", "b", "big", "em", "font", "i", "nobr", "s", "small", "span", "strong", "tt", "u"])
CELLS = frozenset({"td", "th", "caption"})
TABLE = CELLS | {"table", "tr", "tbody", "thead", "tfoot", "body", "html"}
HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|font-size\s*:\s*0(?:\.0+)?(?:px|pt|em|rem|%)?\s*(?:;|!|$)"
    r"|opacity\s*:\s*0(?:\.0+)?\s*(?:;|!|$)|mso-hide\s*:\s*all",
    re.IGNORECASE,
)
CLOSES = {  # an element that begins → those that its beginning ends, and those that they are not looked for beyond
    "li": ({"li"}, {"ul", "ol"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "tr": ({"tr", "td", "th"}, {"table"}),
    "td": ({"td", "th"}, {"tr", "table"}),
    "th": ({"td", "th"}, {"tr", "table"}),
    "option": ({"option"}, {"select"}),
    **dict.fromkeys(
        (BLOCKS | SPACED) - {"dt", "dd", "option", "tbody"}, ({"p"}, {"td", "th", "table", "body", "button"})
    ),
}
SPACE = re.compile(r"[ \t\r\n\f]+")


def read_html(data: bytes, name: str, options: ReadOptions) -> Read:
    """One page, with what a browser would show.

    Raises:
        Unreadable: its encoding is not known, or it is nested without end.
    """
    del options
    found = CHARSET.search(data[:4096])
    return one_piece(data, name, HTML, (page_of(visible_text(decoded(data, found and found[1].decode()))),))


def visible_text(html: str) -> str:
    """Begins with the page's title, where that is not its first line anyway.

    Raises:
        Unreadable: elements are nested deeper than MAX_DEPTH, or more than MOST_UNCLOSED tags never end.
    """
    ends = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<", ">"))
    if sum(html.count(begins, html.rfind(end) + 1) for begins, end in ends) > MOST_UNCLOSED:
        raise Unreadable(DAMAGED, f"more than {MOST_UNCLOSED} of its tags and comments never end")
    reader = _Visible()
    reader.feed(html)
    reader.close()
    title, text = SPACE.sub(" ", reader.title).strip(), reader.flow.done()
    return f"{title}\n\n{text}" if title and not text.startswith(title) else text


class _Visible(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.flow = Flow()
        self.title = ""
        self._open: list[tuple[str, bool]] = []  # element, whether it and all in it is hidden
        self._count: Counter[str] = Counter()  # of the open ones
        self._numbers: list[int | None] = []  # of the lists: the last number, or none

    @property
    def _hidden(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._close_implied(tag)
        if tag == "body":
            self._end_to("head")
        hidden = self._hidden or tag in UNSEEN or _hides(dict(attrs))
        if not hidden:
            self._begin(tag, dict(attrs))
        if tag in VOID:
            return
        if len(self._open) >= MAX_DEPTH:
            if tag in INLINE and not hidden:
                return  # never closed, as old pages have it
            raise Unreadable(DAMAGED, f"its elements are nested more than {MAX_DEPTH} deep")
        self._open.append((tag, hidden))
        self._count[tag] += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # a browser takes no notice of the stroke

    def handle_endtag(self, tag: str) -> None:
        if tag in {"p", "br"} and not self._count[tag] and not self._hidden:
            self.flow.line()
        if tag in TABLE or not self._beyond_cell(tag):
            self._end_to(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "title" and not self._count["svg"]:
            self.title += data
        elif not self._hidden:
            self._say(data)

    def _say(self, data: str) -> None:
        if self._count["pre"] or self._count["textarea"]:
            self.flow.kept(data)
        else:
            self.flow.text(SPACE.sub(" ", data))

    def _begin(self, tag: str, attrs: dict[str, str | None]) -> None:
        if tag == "tr":
            self.flow.begin_row()
        elif tag in {"td", "th"}:
            if not self._in_row():
                self.handle_starttag("tr", [])
            self.flow.begin_cell()
        elif tag == "li":
            self.flow.text(f"\r{self._bullet()} ")
        elif tag in {"ul", "ol"}:
            self._numbers.append(_number(attrs.get("start")) - 1 if tag == "ol" else None)
            self._break("ul" if len(self._numbers) == 1 else "div")
        elif tag == "input" and attrs.get("type", "text") not in {"hidden", "checkbox", "radio", "password", "image"}:
            self.flow.text(f" {SPACE.sub(' ', attrs.get('value') or '')} ")
        else:
            self._break(tag)

    def _break(self, tag: str) -> None:
        if tag in SPACED:
            self.flow.gap()
        elif tag == "br":
            self.flow.line()
        elif tag in BLOCKS:
            self.flow.edge()

    def _end(self, tag: str) -> None:
        if tag == "tr":
            self.flow.end_row()
        elif tag in {"td", "th"}:
            self.flow.end_cell()
        elif tag in {"ul", "ol"} and self._numbers:
            self._numbers.pop()
            self._break("div" if self._numbers else "ul")
        elif tag != "br":
            self._break(tag)

    def _end_to(self, tag: str) -> None:
        """End the nearest open element of this name, with all in it; nothing where there is none."""
        while self._count[tag]:
            name, hidden = self._open.pop()
            self._count[name] -= 1
            if not hidden:
                self._end(name)
            if name == tag:
                return

    def _close_implied(self, tag: str) -> None:
        ended, limits = CLOSES.get(tag, (set(), set()))
        if not any(self._count[name] for name in ended):
            return None
        for name, _ in reversed(self._open):
            if name in limits:
                return None
            if name in ended:
                self._end_to(name)
                return self._close_implied(tag)
        return None

    def _beyond_cell(self, tag: str) -> bool:
        """Whether the nearest open element of this name is outside of the cell that is being filled."""
        if not self._count[tag] or not any(self._count[cell] for cell in CELLS):
            return False
        return next(name for name, _ in reversed(self._open) if name == tag or name in CELLS) != tag

    def _in_row(self) -> bool:
        return next((name for name, _ in reversed(self._open) if name in {"tr", "table"}), "") == "tr"

    def _bullet(self) -> str:
        if not self._numbers or self._numbers[-1] is None:
            return "-"
        self._numbers[-1] += 1
        return f"{self._numbers[-1]}."


def _hides(attrs: dict[str, str | None]) -> bool:
    return "hidden" in attrs or bool(HIDING.search(attrs.get("style") or ""))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 1
