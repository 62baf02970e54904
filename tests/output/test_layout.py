"""What the columns of the result files hold."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.money import from_units
from pipeline.output.layout import cost_column


@given(st.lists(st.none() | st.integers(0, 2**63 - 1), max_size=6))
def test_a_column_of_costs_holds_what_the_ledger_does(units):
    """To the last of its ten places, and null where the cost is not known."""
    column = cost_column(units)
    column.validate(full=True)
    assert column.to_pylist() == [None if number is None else from_units(number) for number in units]
