"""Values of columns as the text of a prompt."""

import datetime as dt
from decimal import Decimal

import pytest

from pipeline.extraction.template import as_text, parse_template, render


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (None, ""), ("True", "True"), (7, "7"), (Decimal("1.10"), "1.10"),
     ({"paid": [True, None]}, '{"paid": [true, null]}'), (dt.date(2026, 11, 30), "2026-11-30")],
)  # fmt: skip
def test_a_value_reads_in_a_prompt_as_in_json(value, text):
    """Whatever kind of input it comes from; text as it is, nothing for null."""
    assert as_text(value) == text
    assert render(parse_template("{{{v}}} {text}"), "t", {"v": value}) == f"{{{text}}} t"


def test_the_document_goes_by_the_name_of_its_column_too():
    """Both are the chunk; a column of its own named text is not looked at."""
    template = parse_template("<{body}|{text}|{other}>", "body")
    assert render(template, "chunk", {"other": "o", "body": "the whole document"}) == "<chunk|chunk|o>"
    assert template.other_columns == ("other",)


def test_a_question_mark_allows_a_row_to_lack_the_column():
    """Unless the same column is named without one; the document is never optional."""
    template = parse_template("{a?} {b?} {b} {text?} {{c?}} {d ?}")
    assert template.optional == ("a",)
    assert template.other_columns == ("a", "b")
    assert render(template, "T", {"b": 1}) == " 1 1 T {c?} {d ?}"
