"""Every row of two files is told once: the same, on both sides, or on one, whatever their order."""

import random
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.aside import aside
from pipeline.commands.diff import pairs
from pipeline.commands.diff.pairs import Alone, Both, Pairs, Same

SCHEMA = pa.schema(
    [("id", pa.string()), ("status", pa.string()), ("record", pa.struct([("a", pa.int64())])), ("cost_usd", pa.int64())]
)
IDS = st.lists(st.integers(0, 30), max_size=30)


def written(path, rows):
    lines = [{"id": str(row_id), "status": "ok", "record": {"a": value}, "cost_usd": 1} for row_id, value in rows]
    pq.write_table(pa.Table.from_pylist(lines, SCHEMA), path, row_group_size=7)
    return path


def told(folder, left, right):
    """How many are the same; ids and values of the others."""
    with aside() as waiting:
        found = Pairs(written(folder / "l.parquet", left), written(folder / "r.parquet", right), waiting)
        listed = list(found)
    both = [
        (one.left["id"], one.left["record"]["a"], one.right["record"]["a"]) for one in listed if isinstance(one, Both)
    ]
    alone = [(one.side, one.line["id"]) for one in listed if isinstance(one, Alone)]
    return sum(one.rows for one in listed if isinstance(one, Same)), both, alone, found.usd


@pytest.fixture
def small(monkeypatch):
    """A batch is a few rows, so that a file is many."""
    monkeypatch.setattr(pairs, "LINES_AT_ONCE", 5)
    monkeypatch.setattr(pairs, "AT_ONCE", 3)


def test_what_is_the_same_is_counted_and_what_differs_is_given(tmp_path):
    left = [(number, number) for number in range(50)]
    right = [(number, number + (number in {0, 17, 49})) for number in range(50)]
    same, both, alone, usd = told(tmp_path, left, right)
    changed = {row_id: (one, other) for row_id, one, other in both if one != other}
    assert changed == {"0": (0, 1), "17": (17, 18), "49": (49, 50)}
    assert same + len(both) == 50
    assert same > 35
    assert (alone, usd) == ([], (50, 50))


@pytest.mark.usefixtures("small")
@given(IDS, IDS)
def test_whatever_the_ids_and_their_order_nothing_is_lost_or_told_twice(tmp_path_factory, left, right):
    """Ids that are there twice too: the first goes with the first, and what is left is of one side."""
    folder = tmp_path_factory.mktemp("x")
    ours, theirs = Counter(map(str, left)), Counter(map(str, right))
    same, both, alone, _ = told(folder, [(one, 1) for one in left], [(one, 2) for one in right])
    assert same == 0
    assert Counter(row_id for row_id, *_ in both) == ours & theirs
    assert Counter(row_id for side, row_id in alone if side == 0) == ours - theirs
    assert Counter(row_id for side, row_id in alone if side == 1) == theirs - ours
    assert all((one, other) == (1, 2) for _, one, other in both)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("order", ["reversed", "shuffled", "one more before", "every third gone"])
def test_rows_are_found_in_another_order(tmp_path, order):
    rows = [(number, number) for number in range(60)]
    other = list(rows)
    if order == "shuffled":
        random.Random(3).shuffle(other)
    other = {"reversed": rows[::-1], "one more before": [(99, 0), *rows], "every third gone": [one for one in rows if one[0] % 3]}.get(order, other)  # fmt: skip  # noqa: E501
    same, both, alone, _ = told(tmp_path, rows, other)
    assert all(one == two for _, one, two in both)
    assert same + len(both) + sum(side == 0 for side, _ in alone) == 60
    assert len(alone) == {"one more before": 1, "every third gone": 20}.get(order, 0)


@pytest.mark.usefixtures("small")
def test_rows_that_stand_a_little_further_on_are_read_in_step_again(tmp_path):
    """What is the same after a row that only one side has is not turned into objects."""
    rows = [(number, number) for number in range(200)]
    same, both, alone, _ = told(tmp_path, rows, rows[:20] + rows[22:])
    assert (same, both, alone) == (198, [], [(0, "20"), (0, "21")])
    same, both, alone, _ = told(tmp_path, rows[:20] + rows[22:], rows)
    assert (same, both, alone) == (198, [], [(1, "20"), (1, "21")])
