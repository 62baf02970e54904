"""One example for each cause: few lines whatever the number of rows, and no cause lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger.said import FailedRow
from pipeline.telemetry.causes import MOST_CAUSES, causes_of, kind_of

CODES = ("bad_row", "timeout", "invalid_output")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("total: Input should be a number (got 'x')", "total: Input should be a number (got {'a': 1})"),
        ("in.jsonl:3: 'text' is null; it should be text", "b.jsonl:44: 'text' is null; it should be text"),
        ("p.parquet row 7: 'id' is empty", "p.parquet row 8: 'id' is empty"),
        ("duplicate id 'a': row 3 has it already", "duplicate id 'b': row 5 has it already"),
        ("throttled: wait 3.5 s (HTTP 429)", "throttled: wait 12 s (HTTP 429)"),
    ],
)
def test_what_is_of_one_row_only_does_not_make_a_cause(one, other):
    """Values, places, ids and times."""
    assert kind_of(one) == kind_of(other)


def test_fields_and_words_make_causes():
    """Another field is another cause."""
    assert kind_of("total: Field required") != kind_of("name: Field required")


@given(st.lists(st.tuples(st.sampled_from(CODES), st.text(max_size=6)), max_size=400))
def test_every_code_has_an_example_and_no_row_is_counted_twice(failed):
    """Those of most rows first; at most so many."""
    rows = [FailedRow(n, f"r{n}", code, error) for n, (code, error) in enumerate(failed)]
    causes = causes_of(rows)
    assert {cause.error_code for cause in causes} == {code for code, _ in failed}
    assert len(causes) <= MOST_CAUSES
    assert sum(cause.rows for cause in causes) <= len(rows)
    assert [cause.rows for cause in causes] == sorted((cause.rows for cause in causes), reverse=True)
    assert all(rows[cause.row].error == cause.error for cause in causes)


def test_memory_does_not_grow_with_messages_that_all_differ():
    """What is beyond the bound counts, by its code."""
    words = ("".join(chr(97 + int(digit)) for digit in str(n)) for n in range(3000))
    causes = causes_of(FailedRow(n, "r", "timeout", word) for n, word in enumerate(words))
    assert len(causes) == MOST_CAUSES
    assert causes[0].rows > 2500
