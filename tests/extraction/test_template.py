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
