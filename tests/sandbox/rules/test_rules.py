"""The sandbox's rules against documents: the samples, invoices that are made up, and texts that are none."""

import json
import time
from datetime import date
from decimal import Decimal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import REPO

from pipeline.sandbox.exchange import tokens_of
from pipeline.sandbox.rules.page import Page
from pipeline.sandbox.rules.rules import extract, read, repair
from pipeline.schema.shape import load_model, restore, shape_for

ROOT = REPO
SAMPLES = ROOT / "sample_data"
INVOICE = load_model(f"{ROOT / 'schemas' / 'invoice.py'}:Invoice")
DOCUMENT = load_model(f"{ROOT / 'schemas' / 'document.py'}:Document")
STRICT = shape_for(INVOICE, "openai", "auto").shape.schema
DIALECTS = [("openai", "auto"), ("openai", "json_object"), ("anthropic", "tool"), ("gemini", "json_schema")]
SUMS = ("net_total", "tax_total", "gross_total")
PART_CHARS = 4_000
PROMPT = "Extract the invoice below.\n\n"


def rows(path):
    """What can be read of a file of JSON lines, some of which are broken on purpose."""
    found = {}
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row.get("text", "none"), str) and row.get("text", "none").strip():
            found.setdefault(row["id"], row)
    return found


EXPECTED = rows(SAMPLES / "invoices_expected.jsonl")
INVOICES = {name: row for name, row in rows(SAMPLES / "invoices.jsonl").items() if name in EXPECTED}
PAPERS = [row["text"] for path in sorted(SAMPLES.glob("documents/*.jsonl")) for row in rows(path).values()]


def answered(text, model=INVOICE, provider="openai", mode="auto", answer=extract):
    """The answer as a run takes it: through JSON, and through the way back from the dialect."""
    shaped = shape_for(model, provider, mode)
    record = json.loads(orjson.dumps(answer(PROMPT + text, shaped.shape.schema)), parse_float=Decimal)
    return model.model_validate_json(json.dumps(restore(shaped, record), default=str))


def test_every_invoice_of_the_samples_is_read_as_expected():
    """All records are valid, all gross totals right, and at least 98 % of all fields are as expected."""
    right, total = 0, 0
    for name, row in INVOICES.items():
        expected = EXPECTED[name]
        record = answered(row["text"]).model_dump(mode="json")
        assert Decimal(record["gross_total"]) == Decimal(expected["gross_total"]), name
        lines = [Decimal(line["amount"]) for line in record["lines"]]
        right += lines == [Decimal(one) for one in expected["line_amounts"]]
        for key in expected.keys() - {"id", "line_amounts"}:
            same = Decimal(record[key]) == Decimal(expected[key]) if key in SUMS else record[key] == expected[key]
            right += same
        total += len(expected) - 1
    assert len(INVOICES) == 56
    assert right >= 0.98 * total


@pytest.mark.parametrize(("provider", "mode"), DIALECTS)
def test_every_dialect_gets_valid_invoices(provider, mode):
    """The same facts come out, whichever dialect asks for them."""
    for name, row in INVOICES.items():
        record = answered(row["text"], provider=provider, mode=mode)
        assert str(record.gross_total.normalize()) == str(Decimal(EXPECTED[name]["gross_total"]).normalize())


def test_papers_whole_and_in_parts_are_valid():
    """Contracts, leases, minutes and reports give valid records; only a beginning has a title."""
    assert PAPERS
    titled = 0
    for text in PAPERS:
        titled += answered(text, DOCUMENT).title is not None
        for at in range(0, len(text), PART_CHARS):
            answered(text[at : at + PART_CHARS], DOCUMENT)
    assert titled > 0.9 * len(PAPERS)


def test_what_a_contract_says():
    """Title, kind, date, duties with deadlines, and sums with what they are for."""
    found = answered(
        'SUPPLY AGREEMENT\n\nDated: 3 March 2026\n\nBetween GREEN PUMPS LIMITED (the "Supplier") and Blue Baths Ltd'
        ' (the "Buyer").\n\n1. The Supplier shall deliver all pumps by 4 May 2026.\n2. The deposit is £1,250.00.\n',
        DOCUMENT,
    )
    assert (found.title, found.kind, found.dated) == ("SUPPLY AGREEMENT", "contract", date(2026, 3, 3))
    assert [(one.who, one.what, one.due) for one in found.obligations] == [
        ("The Supplier", "deliver all pumps by 4 May 2026", date(2026, 5, 4))
    ]
    assert [(one.label, one.value, one.currency) for one in found.amounts] == [
        ("The deposit is", Decimal("1250.00"), "GBP")
    ]


STYLES = {  # (thousands, decimal mark, words for net, tax and gross total, currency, where it stands)
    "english": (",", ".", "Subtotal", "VAT {rate}%", "Total due", "£{}"),
    "american": (",", ".", "Subtotal", "Sales tax {rate}%", "TOTAL", "${}"),
    "german": (".", ",", "Zwischensumme netto", "zzgl. {rate} % MwSt.", "Rechnungsbetrag", "{} €"),
    "french": (" ", ",", "Total HT", "TVA {rate} %", "Total TTC", "{} €"),
    "swiss": ("'", ".", "Zwischentotal", "MWST {rate} %", "Total CHF", "{}"),
}


def printed(value, thousands, mark):
    whole, _, cents = f"{value:,.2f}".rpartition(".")
    return whole.replace(",", thousands) + mark + cents


@st.composite
def made_up(draw):
    """An invoice, and what is to be found: (text, line amounts, net, tax, gross)."""
    thousands, mark, net_word, tax_word, total_word, place = STYLES[draw(st.sampled_from(sorted(STYLES)))]
    cents = st.integers(100, 2_000_000).map(lambda one: Decimal(one) / 100)
    items = draw(st.lists(st.tuples(st.integers(2, 60), cents), min_size=1, max_size=8))
    rate = draw(st.sampled_from([5, 7, 19, 20, 25]))
    lines = [quantity * price for quantity, price in items]
    net = sum(lines)
    tax = (net * rate / 100).quantize(Decimal("0.01"))

    def money(value):
        return place.format(printed(value, thousands, mark)).rjust(18)

    text = "Made-up Machines Ltd\nInvoice no. M-4711      14 May 2026\n\n"
    for number, (quantity, price) in enumerate(items):
        text += f"{'Machine ' + chr(65 + number):30}{quantity:6}{money(price)}{money(quantity * price)}\n"
    for word, value in ((net_word, net), (tax_word.format(rate=rate), tax), (total_word, net + tax)):
        text += f"{word:54}{money(value)}\n"
    return text, lines, net, tax, net + tax


@given(made_up())
@settings(max_examples=40, deadline=None)
def test_an_invoice_that_adds_up_is_read_to_the_cent(made):
    """In any style of numbers: lines, quantities, net, tax and gross."""
    text, lines, *sums = made
    found = answered(text)
    assert [line.amount for line in found.lines] == lines
    assert [found.net_total, found.tax_total, found.gross_total] == sums
    assert (found.supplier, found.invoice_number) == ("Made-up Machines Ltd", "M-4711")
    assert all(abs(line.quantity * line.unit_price - line.amount) <= Decimal("0.02") for line in found.lines)


RECEIPT = (
    "CORNER SHOP\n01/02/2026 10:31  #0815\nTea 2.00\nCake 3.50\nTOTAL GBP 5.50\nCASH 10.00\nVAT 20% included 0.92\n"
)
CREDIT = (
    "Corner Shop Ltd\nCREDIT NOTE CN-7\nDate: 1 May 2026\nTea    £2.00\nNet    £2.00\nVAT    £0.40\nTotal   £2.40\n"
)
PAID = "Corner Shop Ltd\nInvoice 12\nTea 100.00\nTotal EUR 100.00\nAmount paid -40.00\nBalance due 60.00\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RECEIPT, ("receipt", "CORNER SHOP", "0815", True, "4.58", "0.92", "5.50")),
        (CREDIT, ("credit_note", "Corner Shop Ltd", "CN-7", False, "-2.00", "-0.40", "-2.40")),
        (PAID, ("invoice", "Corner Shop Ltd", "12", False, "100.00", "0.00", "100.00")),
    ],
)
def test_other_papers_than_plain_invoices(text, expected):
    """Prices with tax, money given back, and deposits paid."""
    found = answered(text)
    sums = (found.net_total, found.tax_total, found.gross_total)
    assert (found.kind, found.supplier, found.invoice_number, found.prices_include_tax) == expected[:4]
    assert sums == tuple(map(Decimal, expected[4:]))


WRONG = "Corner Shop Ltd\nInvoice 12\nTea EUR 100.00\nNet EUR 100.00\nVAT EUR 20.00\nTotal EUR {}\n"
TEA = "Tea EUR 100.00\n"


@pytest.mark.parametrize(
    ("text", "sums"),
    [(WRONG.format("130.00"), (100, 20, 120)), (WRONG.format("130.00").replace(TEA, ""), (110, 20, 130))],
)
def test_a_repair_makes_totals_consistent(text, sums):
    """Totals that contradict each other are told as printed; asked again, they follow from what agrees."""
    with pytest.raises(ValueError, match="differs from gross_total"):
        answered(text)
    mended = answered(text, answer=lambda *asked: repair(*asked, "gross_total is wrong"))
    assert (mended.net_total, mended.tax_total, mended.gross_total) == sums
    assert len(mended.lines) == text.count("Tea")


def test_a_repair_drops_lines_that_do_not_add_up():
    """Rather no lines than wrong ones, when the totals agree with each other."""
    text = WRONG.format("120.00").replace(TEA, "Tea EUR 90.00\n")
    with pytest.raises(ValueError, match="line amounts"):
        answered(text)
    mended = answered(text, answer=lambda *asked: repair(*asked, "the lines are wrong"))
    assert (mended.gross_total, mended.lines) == (120, [])


NOISE = st.sampled_from(
    ["Total", "12,50", "€", "EUR 1.234,00", "\n", "   ", "VAT 20%", "Invoice no. 7", "2026-05-01", "|", "\t"]
) | (
    st.sampled_from(
        [
            "(",
            "-5.00",
            "<td>",
            "\ud800",
            "合計",
            "¥1,000",
            ":",
            "元年",
            "name: x",
            "{0.__class__}",
            "\x1c",
            "1 000,00",
            "ß",
        ]
    )
)


@given(st.lists(NOISE, max_size=60).map(" ".join) | st.text(max_size=200))
@settings(max_examples=40, deadline=None)
def test_no_text_is_too_strange(text):
    """Any text at all gives records that can be sent as JSON, and the same ones again; a repair gives valid ones."""
    once = extract(text, STRICT)
    assert orjson.dumps(once) == orjson.dumps(extract(text, STRICT))
    mended = orjson.dumps(repair(text, STRICT, "anything"))
    INVOICE.model_validate_json(mended)
    assert orjson.dumps(extract(text, shape_for(DOCUMENT, "openai", "auto").shape.schema))


@pytest.mark.parametrize(
    "piece",
    [
        "Total 1.00 2.00 net 3.00 ",
        '(the "Buyer"), Ltd ',
        "1 x 2.00\n",
        "a: b, ",
        "9" * 50,
        "<p>Tax: 1,00 €",
        " ",
        '["«(-',
    ],
)
def test_long_texts_do_not_take_long(piece):
    """Five megabytes are answered in about the time of a hundred kilobytes: only the start and the end are read."""
    text = piece * (5_000_000 // len(piece))
    begun = time.process_time()
    extract(text, STRICT)
    extract(text[:30_000], shape_for(DOCUMENT, "openai", "auto").shape.schema)
    assert time.process_time() - begun < 10  # measured: below 1
    assert len(Page(text).text) < 130_000


@given(st.text(max_size=400) | st.sampled_from(PAPERS), st.none() | st.integers(1, 3_000))
@settings(max_examples=40, deadline=None)
def test_free_text_is_the_document_well_within_the_cap(text, cap_tokens):
    """Its lines in order, cut between lines where it is too long; never empty, never at the cap."""
    answer = read(text, cap_tokens)
    assert answer
    assert tokens_of(answer) <= max(1, 0.8 * (cap_tokens or 2_500))
    plain = [" ".join(row.split()) for row in Page(text).rows]
    lines = answer.split("\n")
    assert lines == plain[: len(lines)] or len(lines) == 1
