"""What holds for any text and any record."""

import json
from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extraction.evidence import Source, align, grounded_share, prepared, ungrounded
from pipeline.extraction.evidence.cleaned import cleaned, plain

TEXT, NUMBER, DAY = {"type": "string"}, {"type": "string", "format": "decimal"}, {"type": "string", "format": "date"}
ITEM = {"properties": {"text": TEXT, "amount": NUMBER, "day": DAY, "kind": {"enum": ["a", 1]}}}
READY = prepared({"properties": {"items": {"type": "array", "items": ITEM}, **ITEM["properties"]}})
PIECES = ["1.234,50", "€", "-", "(", ")", " ", "\n", "\f", "\0", "\ud800", "ß", "ﬁ", "İ", "\u00ad", "e\u0301", "株"]
PIECES += ["１２", "14.05.2026", "7", "net", "Total", "%", "due", "'"]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join)
numbers = st.integers() | st.floats() | st.sampled_from([-(10**60), Decimal("1E+99999"), Decimal("NaN")])
HUGE = 10**5000  # which Python refuses to write
values = (
    texts
    | numbers
    | st.booleans()
    | st.none()
    | st.none().map(lambda _: HUGE)
    | st.sampled_from(["2026-05-14", "1234.50", "7", "NaN", "1E999", "9" * 5000])
)
keys = st.sampled_from(["text", "amount", "day", "kind", "items", "other", "a.b[0]", ""])
trees = st.recursive(
    values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
records = st.dictionaries(keys, trees, max_size=5)


@given(records, texts, st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=2))
@settings(max_examples=80)
def test_any_record_and_any_text_give_leaves(record, text, ocr):
    """Never an exception, the same twice, and a place that holds its quote."""
    source = Source(text, ocr=tuple(ocr), xml=text[::-1])
    leaves = align(READY, record, source)
    again = align(READY, record, source)
    assert [(one.path, one.status, one.start) for one in leaves] == [(one.path, one.status, one.start) for one in again]
    share = grounded_share(leaves)
    assert share is None or 0 <= share <= 1
    assert set(ungrounded(leaves)) <= {one.path for one in leaves}
    for one in leaves:
        assert (one.start is None) == (one.end is None)
        if one.start is not None:
            assert 0 <= one.start < one.end <= len(text)
            assert text[one.start : one.end].startswith(one.quote)


@given(st.text(alphabet=st.sampled_from("aß ﬁİé\u0301\u00ad株１٣—’x\n"), max_size=12))
@settings(max_examples=50)
def test_every_place_of_a_cleaned_text_has_one_in_the_text(text):
    """In order, and what is cut out there reads the same."""
    clean = cleaned(text)
    assert clean.text == plain(text)
    assert len(clean.lower) == len(clean.text)
    for start in range(len(clean.text)):
        for end in range(start + 1, len(clean.text) + 1):
            cut = text[clean.start(start) : clean.end(end)]
            assert clean.text[start:end] in plain(cut)


@given(
    st.decimals(0, 10**9, places=2), st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("", ",")]), texts
)
@settings(max_examples=50)
def test_a_printed_amount_is_found_and_means_the_value(value, signs, before):
    """Whatever stands before it, on another line."""
    printed = f"{value:,.2f}".replace(",", "|").replace(".", signs[1]).replace("|", signs[0])
    text = f"{before}\nTotal {printed} EUR"
    (found,) = align(READY, {"amount": str(value)}, Source(text))
    assert found.status in {"exact", "normalised"}
    said = text[found.start : found.end].replace(signs[0], "").replace(signs[1], ".") if value >= 1000 else None
    assert said is None or found.start < len(before) or Decimal(said) == value


@given(st.from_regex(r"[A-Z]{2}-[1-9]{4}/[1-9]{3}", fullmatch=True), st.integers(0, 10), st.sampled_from("0ZÄ"))
@settings(max_examples=50)
def test_a_falsified_id_is_never_found(said, place, other):
    """One sign of it changed."""
    false = said[:place] + other + said[place + 1 :]
    found = align(READY, {"text": said}, Source(f"No. {said} of today"))[0]
    assert found.status == "exact"
    changed = align(READY, {"text": false}, Source(f"No. {said} of today"))[0]
    assert changed.status == "not_found"


@given(st.lists(st.integers(100, 99999), min_size=1, max_size=8), st.permutations(["text", "amount"]))
@settings(max_examples=50)
def test_items_keep_their_order(amounts, order):
    """Equal items stand in different lines, one after another."""
    rows = [{"text": "Cup", "amount": f"{amount / 100:.2f}"} for amount in amounts]
    text = "Items\n" + "\n".join("  ".join(row[name] for name in order) for row in rows)
    leaves = align(READY, {"items": rows}, Source(text))
    lines = [text.count("\n", 0, one.start) for one in leaves if one.path.endswith("text")]
    assert lines == list(range(1, len(rows) + 1))


@given(
    st.dates(date(1990, 1, 1), date(2099, 12, 31)), st.sampled_from(["%d.%m.%Y", "%B %d, %Y", "%Y-%m-%d", "%d %b %Y"])
)
@settings(max_examples=50)
def test_a_printed_date_is_found(day, style):
    """And the day after is not."""
    text = f"on {day.strftime(style)}"
    assert align(READY, {"day": str(day)}, Source(text))[0].status in {"exact", "normalised"}
    assert align(READY, {"day": str(date.fromordinal(day.toordinal() + 1))}, Source(text))[0].status == "not_found"


def test_a_record_as_json_reads_it_is_taken():
    """Numbers that JSON has and floats that it has not."""
    record = json.loads('{"amount": 1234.5, "items": [{"amount": NaN}, {"amount": -Infinity}, {"amount": 1e400}]}')
    assert [one.status for one in align(READY, record, Source("1.234,50"))] == ["normalised", *["not_found"] * 3]
