"""Numbers of JSON lines go into a prompt, an id and a kept column with the digits that stand in the file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.sources.source import Source
from pipeline.documents.sources.written import as_written
from pipeline.extraction.template import as_text
from pipeline.job.settings import Input

LONG = "123456789012345678901234567890"


def row_of(tmp_path, line, prompt=("n",), **columns):
    (tmp_path / "a.jsonl").write_bytes(line if isinstance(line, bytes) else line.encode())
    ((row,),) = Source(Input(path=str(tmp_path / "a.jsonl"), **columns), prompt, None).batches()
    return row


@pytest.mark.parametrize(
    "number",
    ["1.10", LONG, f"-{LONG}", "0.1000000000000000055511151231257827", "1E5", "1e-7", "-0", "-0.0", "0", "0.0", "42",
     "18446744073709551615", "18446744073709551616", '[1, 2.50, null, -0, "\u00fc"]', '{"k": [1.0, {"2.50": 1E5}]}',
     "true", "false", "[true, false]"],
)  # fmt: skip
def test_a_prompt_has_a_number_as_it_stands_in_the_file(tmp_path, number):
    row = row_of(tmp_path, f'{{"text": "t", "other": 1.5, "n": {number}}}')
    assert as_text(row.values["n"]) == number.replace("\\u00fc", "\u00fc")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=6,
)


@given(PLAIN)
def test_what_loses_nothing_is_the_text_it_always_was(value):
    """So that answers that were paid for are found."""
    line = json.dumps({"n": value}).encode()
    values = {"n": value}
    assert as_text((values | as_written(line, values))["n"]) == as_text(value)


def test_the_line_is_not_read_again_where_it_says_nothing_new():
    """Text and whole numbers that fit, whatever stands in other columns."""
    assert as_written(b"no JSON", {"a": "1.10", "b": 2**64 - 1, "c": 0, "d": None, "e": True}) == {}


def test_an_id_and_a_tenant_have_all_digits(tmp_path):
    row = row_of(tmp_path, f'{{"id": {LONG}, "text": "t", "tenant": -{LONG}}}', (), id="id", tenant="tenant")
    assert (row.id, row.tenant, row.problem) == (LONG, f"-{LONG}", None)


def test_a_kept_column_of_text_has_a_number_as_it_stands(tmp_path):
    """Where the column holds texts too, or numbers that no float holds; a column of floats stays one."""
    lines = ['{"text": "t", "k": 1.10, "f": 1.10}', f'{{"text": "t", "k": {LONG}, "f": 2}}', '{"text": "t", "k": "x"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = Source(Input(path=str(tmp_path / "a.jsonl"), keep=("k", "f")), (), None)
    (batch,) = found.kept()
    assert batch.to_pydict() == {"k": ["1.10", LONG, "x"], "f": [1.1, 2.0, None]}


def test_a_float_is_no_id_however_long(tmp_path):
    row = row_of(tmp_path, '{"id": 1.5e30, "text": "t"}', (), id="id")
    assert "should be a string or a whole number" in row.problem


@pytest.mark.parametrize("column", ["n", "other"])
def test_what_is_nested_too_deeply_is_a_bad_row(tmp_path, column):
    """And no end of the run; a line whose numbers nobody names is as good as ever."""
    deep = "[" * 1000 + "1" + "]" * 1000
    line = f'{{"n": 1.5, "text": "t", "id": {LONG}, "{column}": {deep}}}'
    assert "nested too deeply" in row_of(tmp_path, line).problem
    assert row_of(tmp_path, line, ()).problem is None
    assert row_of(tmp_path, line, (), keep=("id",)).problem is None
