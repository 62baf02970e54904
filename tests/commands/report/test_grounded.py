"""Found values by field, over whole runs."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.report.charts import rounded_up
from pipeline.commands.report.grounded import MOST_PLACES, grounded_of
from pipeline.extraction.evidence.share import FOUND
from pipeline.output.evidence_columns import COLUMN_TYPES

SCHEMA = pa.schema([(name, COLUMN_TYPES[name]) for name in ("evidence", "needs_review")])
STATUS = st.sampled_from([*sorted(FOUND), "not_found", "unverifiable", "inferred"])
LEAVES = st.lists(st.tuples(st.sampled_from(["total", "lines[0].amount", "lines[12].amount"]), STATUS), max_size=4)


def counted(folder, rows):
    lines = [
        {"evidence": [{"path": path, "status": status} for path, status in leaves], "needs_review": review}
        for leaves, review in rows
    ]
    pq.write_table(pa.Table.from_pylist(lines, SCHEMA), folder / "results.parquet", row_group_size=2)
    return grounded_of(folder)


@given(st.lists(st.tuples(LEAVES, st.booleans()), max_size=7))
def test_every_value_is_counted_once_under_its_field(tmp_path_factory, rows):
    """Numbers of lists apart; what nothing has to spell out is not counted; the least found first."""
    found = counted(tmp_path_factory.mktemp("x"), rows)
    told = Counter(
        ("lines[].amount" if "lines" in path else path, "found" if status in FOUND else status)
        for leaves, _ in rows
        for path, status in leaves
    )
    for one in found.fields:
        kinds = {"found": one.found, "not_found": one.not_found, "unverifiable": one.unverifiable}
        assert kinds == {kind: told[one.name, kind] for kind in kinds}
    assert (
        sum(one.total for one in found.fields)
        == sum(told.values()) - told["total", "inferred"] - told["lines[].amount", "inferred"]
    )
    assert [one.share for one in found.fields] == sorted(one.share for one in found.fields)
    assert found.to_review == sum(review for _, review in rows)


def test_any_number_of_free_keys_is_bounded_and_counted(tmp_path):
    """A field for each document would fill the memory."""
    found = counted(tmp_path, [([(f"extras.k{number}", "exact")], False) for number in range(MOST_PLACES + 5)])
    assert (len(found.fields), found.fields_left_out) == (MOST_PLACES, 5)


def test_columns_of_an_input_that_are_called_so_are_none_of_ours(tmp_path):
    """A job of before may keep them."""
    pq.write_table(pa.table({"evidence": ["exhibit A"], "needs_review": [True]}), tmp_path / "results.parquet")
    assert grounded_of(tmp_path) is None


@given(st.floats(1e-9, 1e9))
def test_the_top_of_an_axis_is_round_and_near(most):
    """Never below what it has to hold, and never more than twice it."""
    assert most * (1 - 1e-6) <= rounded_up(most) <= 2.01 * most
