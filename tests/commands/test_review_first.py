"""`export --review`: what a person should look at comes first, with why; nothing is lost, the order is kept."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.export import export
from pipeline.errors import JobError

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("needs_review", pa.bool_()),
        ("ungrounded", pa.list_(pa.string())),
        ("conflicts", pa.list_(pa.string())),
        ("repaired", pa.bool_()),
    ]
)
LINE = st.fixed_dictionaries(
    {
        "needs_review": st.none() | st.booleans(),
        "ungrounded": st.lists(st.just("total"), max_size=1),
        "conflicts": st.none() | st.just([]),
        "repaired": st.booleans(),
    }
)


def exported(folder, rows, schema=SCHEMA):
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "results.parquet", row_group_size=3)
    out = io.StringIO(newline="")
    export(folder, "jsonl", out, raw=False, review=True)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@given(st.lists(LINE, max_size=10))
def test_rows_to_look_at_come_first_and_both_keep_their_order(tmp_path_factory, lines):
    """The column stays a truth; reasons are told of those rows only."""
    rows = [{"row": number, **line} for number, line in enumerate(lines)]
    found = exported(tmp_path_factory.mktemp("x"), rows)
    assert [{name: line[name] for name in SCHEMA.names} for line in found] == sorted(
        rows, key=lambda line: not line["needs_review"]
    )
    for line in found:
        held = [name for name in ("ungrounded", "repaired") if line[name]] if line["needs_review"] else []
        assert line["review_reasons"] == held


def test_a_run_that_looked_for_nothing_says_what_to_do(tmp_path):
    """Not an order that means nothing."""
    with pytest.raises(JobError, match="= 'align'"):
        exported(tmp_path, [{"row": 1}], pa.schema([("row", pa.int64())]))


def test_a_column_of_that_name_is_not_written_over(tmp_path):
    """It is the user's own."""
    with pytest.raises(JobError, match="in the way"):
        exported(tmp_path, [], SCHEMA.append(pa.field("review_reasons", pa.string())))
