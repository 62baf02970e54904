"""HTML: what a browser shows, tables row by row."""

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reader.html import visible_text
from pipeline.reader.kinds import read_bytes
from pipeline.reader.read import DAMAGED, ReadOptions, Unreadable


@each_case(
    ("html", "text"),
    [
        ("<p>One  \n two</p><p>three", "One two\n\nthree"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<div>a</div><div>b<div>c</div></div>d", "a\nb\nc\nd"),
        ("Fish &amp; chips &euro;5&nbsp;&#x41;", "Fish & chips €5 A"),
        ("<a href='http://x'>the link</a> text", "the link text"),
        ("<title>Invoice 7</title><body>Total 5", "Invoice 7\n\nTotal 5"),
        ("<head><title>Invoice 7</title></head><h1>Invoice 7</h1>Total", "Invoice 7\n\nTotal"),
        ("a<script>if (1 < 2) x()</script><style>p{}</style><!-- no --><noscript>no</noscript>b", "ab"),
        ("a<template>no</template><svg><title>no</title><text>no</text></svg>b", "ab"),
        ("<p hidden>no</p><p style='DISPLAY : none'>no<b>no</b></p>yes", "yes"),
        ("<p hidden>no<p>yes", "yes"),
        ("<div style='visibility:hidden'>no<div>no</div></div>yes", "yes"),
        ("<span style='font-size:0px;color:#fff'>no</span>yes<span style='font-size:0.9em'>!", "yes!"),
        ("<div style='opacity:0'>no</div><div style='opacity:0.5'>yes", "yes"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>d", "- a\n- b\n- c\n\nd"),
        ("<ol start=3><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<pre>a  b\n c</pre>", "a  b\n c"),
        ("<input type=hidden value=no><input value='Ann'>", "Ann"),
        ("&#0;&#xD800;a", "\ufffd\ufffda"),
    ],
)
def test_only_what_is_shown_is_read(html, text):
    assert visible_text(html) == text


ROWS = "<tr><th>Item<th>Price<tr><td><p>Desk</p><td>5.00<tr><td><td>5.00"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (f"<table>{ROWS}</table>after", "Item | Price\nDesk | 5.00\n5.00\nafter"),
        ("<table><tr><td>a<br>b</td><td></td><td>c</td></tr></table>", "a b | | c"),
        ("<table><td>a<td>b</table>", "a | b"),
        ("<table><tr><td>a</div><td>b</table>", "a | b"),
        ("<table><tr style='display:none'><td>no</tr><tr><td>a<td hidden>no<td>b</table>", "a | b"),
        (
            f"<table><tr><td>Left</td><td><table>{ROWS}</table></td></tr></table>",
            "Left\nItem | Price\nDesk | 5.00\n5.00",
        ),
        ("<table><tr><td>" + "<p>x" * 20 + "<td>side</table>", "\n\n".join("x" * 20) + "\nside"),
        ("<td>a</td><td>b</td>", "a | b"),
        ("</table></tr></td>a", "a"),
    ],
)
def test_a_table_is_read_row_by_row(html, text):
    assert visible_text(html).replace("\n\n", "\n") == text.replace("\n\n", "\n")


def test_the_encoding_in_its_head_counts():
    html = "<html><head><meta charset='shift_jis'></head><body>請求書</body></html>".encode("shift_jis")
    assert read_bytes(html, "a.html", ReadOptions()).pieces[0].pages[0].text == "請求書"


def test_old_pages_that_never_close_a_font_are_read():
    assert visible_text("<font>a" * 20_000) == "a" * 20_000


@pytest.mark.parametrize("part", ["<!--", "<!-- > ", "<a ", "<a b='", "</", "<!", "<?", "<![CDATA[ >"])
def test_tags_that_never_end_are_refused_at_once(part):
    with pytest.raises(Unreadable, match="never end") as caught:
        visible_text(part * 100_000)
    assert caught.value.reason == DAMAGED


def test_nesting_without_end_is_refused():
    with pytest.raises(Unreadable, match="nested more than") as caught:
        visible_text("<div>" * 20_000)
    assert caught.value.reason == DAMAGED


TAGS = [
    "p",
    "/p",
    "table",
    "tr",
    "td",
    "/td",
    "/tr",
    "/table",
    "ul",
    "li",
    "/ul",
    "ol",
    "pre",
    "/pre",
    "br",
    "b",
    "div",
    "/div",
]


@given(st.lists(st.sampled_from([*TAGS, "w", " "])))
def test_no_word_is_lost_or_said_twice_however_tags_are_nested(pieces):
    marked = [f"w{i}" if piece == "w" else piece for i, piece in enumerate(pieces)]
    found = visible_text("".join(f"{one} " if one[0] in "w " else f"<{one}>" for one in marked))
    words = [word for word in found.split() if word.startswith("w")]
    assert sorted(words) == sorted(piece for piece in marked if piece.startswith("w"))
