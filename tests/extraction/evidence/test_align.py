"""Where a record's values stand in the text that they were taken from: found by meaning, told exactly."""

import pytest
from each_case import each_case

from pipeline.extraction.evidence import Source, align, grounded_share, prepared, ungrounded

TEXT, NUMBER, DAY = {"type": "string"}, {"type": "string", "format": "decimal"}, {"type": "string", "format": "date"}
LINES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"description": TEXT, "quantity": NUMBER, "unit_price": NUMBER, "amount": NUMBER},
    },
}


def leaf(field, value, text, *, name="value", **more):
    (found,) = align(prepared({"properties": {name: field}}), {name: value}, Source(text, **more))
    return found


SPELLINGS = [
    (NUMBER, "1234.56", "Summe 1.234,56 €", "1.234,56"),
    (NUMBER, "1234.56", "Total $1,234.56", "1,234.56"),
    (NUMBER, "1234.56", "Summe CHF 1'234.56", "1'234.56"),
    (NUMBER, "1234.56", "Summe CHF 1’234.56", "1’234.56"),
    (NUMBER, "1234.56", "Total 1 234,56 €", "1 234,56"),
    (NUMBER, "1234.56", "Total 1\u202f234,56 €", "1\u202f234,56"),
    (NUMBER, "1234567.00", "Total ₹12,34,567.00", "12,34,567.00"),
    (NUMBER, "1234.50", "合計 １，２３４．５０円", "１，２３４．５０"),
    (NUMBER, "1234", "合計1,234円", "1,234"),
    (NUMBER, "1234.50", "Total 1.\u200b234,50", "1.\u200b234,50"),
    (NUMBER, "0", "Total 0,00", "0,00"),
    (NUMBER, "510.00", "= 5lO,00", "5lO,00"),  # off a scan
    (NUMBER, "1250.5", "المجموع ١٢٥٠٫٥٠", "١٢٥٠٫٥٠"),
    (NUMBER, "-20.70", "Rabatt 20,70-", "20,70-"),
    (NUMBER, "-20.70", "Discount (20.70)", "(20.70)"),
    (NUMBER, "-20.70", "Discount −£20.70", "−£20.70"),
    (NUMBER, "-20.70", "Discount 20.70", "20.70"),  # whose sign is left to its words
    ({"type": "number"}, 1234.5, "Summe 1.234,50", "1.234,50"),
    ({"type": "integer"}, 1234, "Menge 1.234 Stk", "1.234"),
    (DAY, "2026-05-14", "am 14.05.2026", "14.05.2026"),
    (DAY, "2026-05-14", "on 14th of May 2026", "14th of May 2026"),
    (DAY, "2026-05-14", "le 14 mai 2026", "14 mai 2026"),
    (DAY, "2026-03-01", "am 1. März 2026", "1. März 2026"),
    (DAY, "2026-05-14", "May 14, 2026", "May 14, 2026"),
    (DAY, "2026-05-14", "05/14/2026", "05/14/2026"),
    (DAY, "2026-05-04", "04/05/2026", "04/05/2026"),
    (DAY, "2026-05-04", "05/04/2026", "05/04/2026"),  # nothing tells which it is
    (DAY, "2026-05-14", "2026年5月14日", "2026年5月14日"),
    ({"type": "string", "format": "date-time"}, "2026-05-14T10:30:00", "14.05.2026 10:30 Uhr", "14.05.2026"),
    (TEXT, "RE-2026/0147", "Rechnung RE 2026-0147 vom", "RE 2026-0147"),
    (TEXT, "DE00123456789012345678", "IBAN DE00 1234 5678 9012 3456 78", "DE00 1234 5678 9012 3456 78"),
    (TEXT, "Müller & Söhne GmbH", "Fa. MULLER & SOHNE\nGMBH, Bonn", "MULLER & SOHNE\nGMBH"),
    (TEXT, "Blauwal Logistik", "die Blau\u00adwal  Logistik AG", "Blau\u00adwal  Logistik"),
    (TEXT, "Strasse 5", "Straße 5", "Straße 5"),
    (TEXT, "offer", "the oﬀer", "oﬀer"),
    (TEXT, "EUR", "Summe 5 €", "€"),
    (TEXT, "USD", "Total US$ 5", "US$"),
    (TEXT, "PLN", "razem 5 zł", "zł"),
    (TEXT, "JPY", "合計５円", "円"),
]


@each_case(("field", "value", "text", "quote"), SPELLINGS)
def test_a_value_is_found_however_it_is_spelt(field, value, text, quote):
    """The quote is what the text says, and where it says so."""
    found = leaf(field, value, text)
    assert (found.status, found.quote) == ("normalised", quote)
    assert text[found.start : found.end] == quote


@each_case(
    ("field", "value", "text"),
    [
        (NUMBER, "1234.56", "Summe 1.234,57"),
        (NUMBER, "17", "Zimmer A17, Haus A-17, 551-17"),
        (NUMBER, "117", "117/2026"),
        (NUMBER, "20.70", "Discount -20.70"),
        (NUMBER, "12.34", "einszwölf"),
        (NUMBER, "1234", "一千二百三十四"),  # in words: not done
        (DAY, "2026-05-15", "14.05.2026"),
        (DAY, "2026-05-13", "13/05/2026 and 05/13/2027, 13/05/2025"[14:24]),
        (TEXT, "RE-2026/0148", "Rechnung RE-2026/0147"),
        (TEXT, "2014", "RE20140"),
        (TEXT, "1234", "12 34"),  # two cells of a table
        (TEXT, "Rechnung", "Rechnungsdatum"),
        (TEXT, "Mara Vogt", "Mara Voigt"),
        (TEXT, "Blauwal Logistik AG", "Blauwal Logistik GmbH"),
    ],
)
def test_what_the_text_does_not_say_is_not_found(field, value, text):
    """No part of a word or of an id, no other day, no letter more or less."""
    found = leaf(field, value, text)
    assert (found.status, found.start, found.quote) == ("not_found", None, "")


def test_a_value_as_it_is_spelt_is_exact():
    """With the signs around it; in scripts without blanks, and beside a number, it need not stand alone."""
    for value, text in (
        ("Kettle Ltd.", "from Kettle Ltd. today"),
        ("株式会社ミズイロ", "請求書株式会社ミズイロ御中"),
        ("München", "80333München"),
    ):
        found = leaf(TEXT, value, text)
        assert (found.status, found.quote, found.places) == ("exact", value, 1)


def test_what_is_off_a_picture_is_never_exact():
    """Nor what is in a text layer that nobody sees."""
    found = leaf(TEXT, "Kettle", "from Kettle", ocr=((5, 11),))
    assert (found.status, found.source) == ("normalised", "ocr")


def test_words_with_others_between_are_fuzzy():
    """A cell that is wrapped beside other columns."""
    text = "1  Blue copper   2,00  4,00\n   kettle, 1.5 l\n2  Cup"
    found = leaf(TEXT, "Blue copper kettle, 1.5 l", text)
    assert (found.status, found.quote) == ("fuzzy", text[3:-7])


def test_an_enum_and_a_boolean_are_inferred():
    """And count for nothing."""
    ready = prepared({"properties": {"kind": {"enum": ["invoice", "receipt"]}, "paid": {"type": "boolean"}}})
    leaves = align(ready, {"kind": "invoice", "paid": True}, Source("An invoice."))
    assert [one.status for one in leaves] == ["inferred", "inferred"]
    assert grounded_share(leaves) == 1


def test_what_is_only_in_the_xml_says_so():
    """By meaning, too."""
    found = leaf(DAY, "2026-05-14", "Invoice", xml="<a><due>20260514</due></a>")
    assert (found.status, found.source, found.start) == ("xml", "xml", None)


def test_without_text_nothing_can_be_verified():
    """A scan that the model saw as a picture."""
    assert leaf(TEXT, "Kettle", " \n").status == "unverifiable"
    assert leaf(TEXT, "Kettle", "page one", partial=True).status == "unverifiable"


RECORD = {"issued_on": "2026-05-14", "due_on": "2026-05-28", "net": "100.00", "tax": "19.00", "gross": "119.00"}
AMOUNTS = {"issued_on": DAY, "due_on": DAY, "net": NUMBER, "tax": NUMBER, "gross": NUMBER}


def test_what_follows_from_what_is_printed_is_derived():
    """A sum or a difference, and a date by its term."""
    text = "Date: 14 May 2026\nSubtotal 100.00\nTotal 119.00\nPayable within 14 days."
    found = {one.path: one for one in align(prepared({"properties": AMOUNTS}), RECORD, Source(text))}
    assert {path: one.status for path, one in found.items() if one.status == "derived"} == {
        "due_on": "derived",
        "tax": "derived",
    }
    assert found["due_on"].quote == "within 14 days"


def test_the_sum_of_a_list_is_derived():
    """Where all of it was found."""
    ready = prepared({"properties": {"lines": LINES, "total": NUMBER}})
    record = {"lines": [{"amount": "10.50"}, {"amount": "20.25"}, {"amount": "1.00"}], "total": "31.75"}
    assert align(ready, record, Source("10,50\n20,25\n1,00"))[-1].status == "derived"
    assert align(ready, record, Source("10,50\n20,25"))[-1].status == "not_found"


def test_an_item_s_values_are_looked_for_in_its_own_line():
    """Equal ones in order; a quantity in its column; a price before the amount."""
    text = (
        "Pos Item  Qty  Price  Amount\n1  Cup  1  4,00  4,00\n2  Cup  2  4,00  8,00\n3  Cup  1  4,00  4,00\nSum 16,00"
    )
    items = [("1", "4.00"), ("2", "8.00"), ("1", "4.00")]
    record = {"lines": [{"description": "Cup", "quantity": q, "unit_price": "4.00", "amount": a} for q, a in items]}
    leaves = align(prepared({"properties": {"lines": LINES}}), record, Source(text))
    rows = text.split("\n")
    starts = [sum(len(row) + 1 for row in rows[:number]) for number in (1, 2, 3)]
    where = [[one.start - starts[number] for one in leaves[4 * number : 4 * number + 4]] for number in range(3)]
    assert where == [[3, 8, 11, 17]] * 3
    assert leaves[0].places == 3


def places_in(text, fields, items):
    """For each item the text from its line's beginning up to each of its values."""
    schema = {"properties": {"rows": {"type": "array", "items": {"properties": fields}}}}
    leaves = align(prepared(schema), {"rows": items}, Source(text))
    found = [text[: one.start].rpartition("\n")[2] if one.start is not None else one.status for one in leaves]
    size = len(items[0])
    return [found[begin : begin + size] for begin in range(0, len(found), size)]


CUP = {"name": "Cup", "amount": "4.00"}
MUG = {"name": "Mug", "amount": "5.00"}
JAR = {"name": "Jar", "amount": "6.00"}
NAMED = {"name": TEXT, "amount": NUMBER}


@pytest.mark.parametrize(
    ("lines", "items", "places"),
    [
        (["1 Cup 4,00", "2 Mug 5,00", "3 Cup 4,00"], [MUG, CUP], ["2 ", "3 "]),  # after the one before
        (["1 Cup 4,00", "2 Cup 4,00", "3 Mug 5,00"], [MUG, CUP, CUP], ["3 ", "1 ", "2 "]),
        (["1 Cup 4,00", "2 Cup 4,00", "3 Mug 5,00", "4 Jar 6,00"], [MUG, CUP, JAR, CUP], ["3 ", "1 ", "4 ", "2 "]),
    ],
)
def test_equal_items_are_in_different_lines(lines, items, places):
    """In the order of the list, where that can be."""
    assert [names[0] for names in places_in("\n".join(lines), NAMED, items)] == places


def test_values_of_an_item_do_not_share_a_place():
    """Nor is the number of a line its quantity."""
    fields = {"name": TEXT, "quantity": NUMBER, "price": NUMBER, "amount": NUMBER}
    item = {"name": "Cup", "quantity": "1", "price": "4.00", "amount": "4.00"}
    assert places_in("1 Cup 1 4,00 4,00", fields, [item]) == [["1 ", "1 Cup ", "1 Cup 1 ", "1 Cup 1 4,00 "]]


def test_a_value_is_in_the_column_of_its_field():
    """As the other items have it."""
    items = [
        {"name": "Cup", "b": "3", "a": "2"},
        {"name": "Mug", "b": "5", "a": "5"},
        {"name": "Jar", "b": "7", "a": "6"},
    ]
    found = places_in("Cup 2 3\nMug 5 5\nJar 6 7", {"name": TEXT, "a": NUMBER, "b": NUMBER}, items)
    assert found == [["", "Cup 2 ", "Cup "], ["", "Mug 5 ", "Mug "], ["", "Jar 6 ", "Jar "]]


def test_an_item_s_amount_is_not_derived():
    """Any two numbers of a line add up to some third."""
    item = {"name": "Cup", "quantity": "2", "amount": "4.00", "tax": "6.00"}
    fields = {"name": TEXT, "quantity": NUMBER, "amount": NUMBER, "tax": NUMBER}
    assert places_in("Cup 2 4,00", fields, [item])[0][3] == "not_found"


def test_words_may_stand_above_a_value():
    """The nearest column counts."""
    text = "Invoice date  Delivery date\n14.05.2026    14.05.2026"
    fields = {"delivered_on": {**DAY, "title": "Delivery date"}, "issued_on": DAY}
    leaves = align(
        prepared({"properties": fields}), {"delivered_on": "2026-05-14", "issued_on": "2026-05-14"}, Source(text)
    )
    assert [one.start for one in leaves] == [text.rindex("14.05"), text.index("14.05")]


def test_a_total_is_where_its_words_are():
    """And not where the same amount is first."""
    text = "Cup  100,00\nSumme netto 100,00\nMwSt. 0 % 0,00\nRechnungsbetrag 100,00"
    leaves = align(prepared({"properties": AMOUNTS}), {"net": "100.00", "gross": "100.00"}, Source(text))
    assert [text[: one.start].rpartition("\n")[2] for one in leaves] == ["Summe netto ", "Rechnungsbetrag "]


def test_a_user_s_own_words_place_a_value():
    """A title or a description, and names in another language."""
    field = {**NUMBER, "title": "Kaltmiete"}
    text = "Warmmiete 750,00\nKaltmiete 750,00"
    assert leaf(field, "750.00", text, name="x").start == text.rindex("750")


def test_a_date_under_another_s_words_is_not_found():
    """The due date is not when an invoice was issued."""
    text = "Payment due by 14 May 2026"
    assert leaf(DAY, "2026-05-14", text, name="issued_on").status == "not_found"
    assert leaf(DAY, "2026-05-14", text, name="due_on").status == "normalised"


def test_a_small_number_without_words_is_inferred():
    """It stands everywhere; one that stands nowhere was not found."""
    assert leaf(NUMBER, "7", "VAT 7 %, 7 cups").status == "inferred"
    assert leaf(NUMBER, "7", "VAT 8 %").status == "not_found"
    assert leaf(NUMBER, "1", "A cup").status == "inferred"  # said by saying nothing
    assert grounded_share([leaf(NUMBER, "1", "A cup"), leaf(TEXT, "cup", "A cup")]) == 1
    assert grounded_share([leaf(NUMBER, "1", "A cup"), leaf(TEXT, "mug", "A cup")]) == 0
    assert leaf(NUMBER, "7", "Cups: 7, pages 7", name="cups").status == "exact"


def test_paths_and_shares():
    """What was not found, by path."""
    ready = prepared({"properties": {"a": TEXT, "lines": LINES, "b": TEXT}, "required": ["b"]})
    record = {"a": "Nowhere", "lines": [{"description": "Cup"}, {"description": "Mug"}], "b": "Gone", "c": None}
    leaves = align(ready, record, Source("Cup, mug"))
    assert [one.path for one in leaves] == ["a", "lines[0].description", "lines[1].description", "b"]
    assert (grounded_share(leaves), ungrounded(leaves)) == (0.5, ["a", "b"])


def test_a_schema_that_refers_to_itself_has_an_end():
    """And what it says of the first levels counts."""
    node = {"properties": {"amount": NUMBER, "parts": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}
    ready = prepared({"$ref": "#/$defs/Node", **node, "$defs": {"Node": node}})
    leaves = align(ready, {"parts": [{"parts": [{"amount": "1200.50"}]}]}, Source("1.200,50"))
    assert [(one.path, one.kind) for one in leaves] == [("parts[0].parts[0].amount", "number")]
