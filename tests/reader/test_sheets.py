"""XLSX: a page a sheet, a line a row, numbers as they are shown."""

import pytest
from each_case import each_case
from office_files import LAUGHS, xlsx, zipped

from pipeline.reader import sheets
from pipeline.reader.kinds import read_bytes
from pipeline.reader.number_formats import BUILT_IN, plain, shown_by
from pipeline.reader.read import DAMAGED, TOO_LARGE, TOO_MANY_PAGES, ReadOptions, Unreadable


def pages(data, **options):
    return [page.text for page in read_bytes(data, "a.xlsx", ReadOptions(**options)).pieces[0].pages]


def refused(data, **options):
    with pytest.raises(Unreadable) as caught:
        pages(data, **options)
    return caught.value


ROWS = (
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>Price</t></is></c></row>'
    '<row r="2"><c r="A2" t="s"><v>1</v></c><c r="B2" s="1"><v>1234.5</v></c><c r="D2" s="2"><v>46356</v></c></row>'
    '<row r="9"><c r="B9" t="b"><v>1</v></c><c r="C9" t="e"><v>#REF!</v></c>'
    '<c r="D9" t="str"><f>A1</f><v>sum</v></c></row>'
)
TEXTS = ("<t>Item</t>", "<r><t>De</t></r><r><t>sk</t></r><rPh><t>no</t></rPh>")


def test_a_row_is_a_line_with_its_cells_at_their_places():
    data = xlsx({"Data": ROWS}, texts=TEXTS, formats=("#,##0.00", "dd.mm.yyyy"))
    assert pages(data) == ["Item | Price\nDesk | 1234.50 | | 2026-11-30\n| TRUE | #REF! | sum".replace("\n|", "\n |")]


def test_a_sheet_is_a_page_begun_by_its_name():
    row = "<row><c><v>{}</v></c></row>"
    assert pages(xlsx({"May": row.format(1), "June": row.format(2)})) == ["May\n\n1", "June\n\n2"]


def test_what_is_hidden_is_left_out_and_counted():
    cells = '<cols><col min="2" max="3" hidden="1"/></cols><sheetData>'
    cells += '<row><c r="A1"><v>1</v></c><c r="B1"><v>22</v></c></row>'
    cells += '<row hidden="1"><c r="A2"><v>333</v></c></row></sheetData>'
    data = xlsx({"a": cells, "b": "<row><c><v>4</v></c></row>"}, states={"b": "hidden"})
    (page,) = read_bytes(data, "a", ReadOptions()).pieces[0].pages
    assert (page.text, page.facts.hidden_chars) == ("1", 5)


def test_a_formula_is_its_saved_value_or_itself():
    data = xlsx({"a": "<row><c><f>1+1</f><v>2</v></c><c><f>SUM(A1:A3)</f></c></row>"})
    assert pages(data) == ["2 | =SUM(A1:A3)"]


@each_case(
    ("code", "stored", "shown"),
    [
        ("General", "0.30000000000000004", "0.3"),
        ("General", "1E+21", "1000000000000000000000"),
        ("0", "2.5", "3"),
        ("0.00", "1.005", "1.01"),  # as 15 digits have it, which is what is shown
        ("#,##0.00", "-1234.5", "-1234.50"),
        ("0.0#", "1.5", "1.5"),
        ("0.##", "1", "1"),
        ("0%", "0.19", "19%"),
        ("0.00%", "0.075", "7.50%"),
        ("#,##0.00 [$€-407]", "5", "5.00 €"),
        ("[$$-409]#,##0.00;[Red]-[$$-409]#,##0.00", "5", "$ 5.00"),
        ('0.0 "kg"', "2", "2.0 kg"),
        ("yyyy-mm-dd", "46356", "2026-11-30"),
        ("[$-407]d. mmmm yyyy", "46356", "2026-11-30"),
        ("dd/mm/yyyy hh:mm", "46356.5", "2026-11-30 12:00"),
        ("h:mm:ss", "0.5000115740740741", "12:00:01"),
        ("mm:ss.0", "0.5", "12:00"),
        ("[h]:mm", "1.5", "36:00:00"),
        ("mmm-yy", "46356", "2026-11-30"),
        ("yyyy", "1", "1900-01-01"),
        ("yyyy", "61", "1900-03-01"),
        ("yyyy", "-5", "-5"),
        ("yyyy", "99999999", "99999999"),
        ("# ?/?", "0.5", "0.5"),
        ("0.00E+00", "12345", "12345"),
        ("@", "7", "7"),
        ("0.00", "no number", "no number"),
        ('"Summer" 0', "5", "Summer 5"),  # words are no marks of a date
        (BUILT_IN[14], "46356", "2026-11-30"),
    ],
)  # fmt: skip
def test_a_number_is_as_its_format_shows_it(code, stored, shown):
    assert shown_by(code)(stored) == shown


def test_days_are_counted_from_1904_where_the_book_says_so():
    data = xlsx({"a": '<row><c s="1"><v>44894</v></c></row>'}, formats=("yyyy-mm-dd",), properties='date1904="1"')
    assert pages(data) == ["2026-11-30"]


@pytest.mark.parametrize("number", ["nan", "inf", "1e400", "", "1e-300", "1e300"])
def test_what_is_no_sane_number_stays_as_it_is(number):
    assert plain(number) == number


def test_more_sheets_than_pages_are_allowed_are_refused():
    error = refused(xlsx({"a": "", "b": "", "c": ""}), max_pages=2)
    assert (error.reason, error.pages) == (TOO_MANY_PAGES, 3)


def test_a_text_shown_again_and_again_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(sheets, "MAX_CHARS", 50_000)
    rows = '<row><c t="s"><v>0</v></c></row>' * 200
    assert refused(xlsx({"a": rows}, texts=("<t>" + "x" * 300 + "</t>",))).reason == TOO_LARGE


def test_a_cell_far_to_the_right_brings_no_thousand_empty_ones():
    assert len(pages(xlsx({"a": '<row><c r="XFD1"><v>1</v></c></row>'}))[0]) < 100


@pytest.mark.parametrize(
    "data",
    [
        xlsx({"a": ""}, before=LAUGHS),
        zipped({"xl/workbook.xml": "<workbook/>"}),
        zipped({"xl/workbook.xml": "<workbook/>", "xl/_rels/workbook.xml.rels": "<Relationships/>"}),
        xlsx({"a": "<row><c>"}),
    ],
)
def test_damage_is_said(data):
    assert refused(data).reason == DAMAGED
