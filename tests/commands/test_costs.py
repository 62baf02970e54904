"""Groups of published calls: one answer, whichever library reads them."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pipeline.columns import TOKENS
from pipeline.commands import costs as module
from pipeline.commands.costs import KEYS, costs
from pipeline.errors import JobError
from pipeline.output.calls import CALL_SCHEMA

MOMENTS = st.datetimes(dt.datetime(1969, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 (as they are made)
CALLS = st.fixed_dictionaries(
    {
        "tenant_hash": st.none() | st.sampled_from(["a" * 16, "b" * 16, ""]),
        "model": st.none() | st.sampled_from(["gpt-4o-mini", "=cmd", "ł"]),
        "error_code": st.none() | st.sampled_from(["rate_limited", "lost"]),
        "sent_at": st.none()
        | st.datetimes(dt.datetime(1969, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
        "cost_usd": st.none() | st.decimals(0, 10**9, places=10),
        **{name: st.none() | st.integers(0, 10**12) for name in TOKENS},
    }
)


@examples(40)
@given(st.lists(CALLS, max_size=12), st.sampled_from(sorted(KEYS)))
def test_polars_and_pyarrow_tell_the_same_groups(tmp_path_factory, calls, by):
    path = tmp_path_factory.mktemp("calls") / "calls.parquet"
    pq.write_table(pa.Table.from_pylist(calls, CALL_SCHEMA), path)
    found = []
    for library in ("polars", None):
        with patch.object(module, "find_spec", return_value=library):
            found.append(sorted(module._published(path.parent, by), key=repr))
    assert found[0] == found[1]
    assert sum(n for _, n, *_ in found[0]) == len(calls)


@pytest.mark.parametrize("by", sorted(KEYS))
def test_the_entries_are_the_same_without_polars(tmp_path, monkeypatch, by):
    """In a folder that was copied without its ledger: also where a group has no price at all, and in their order."""
    calls = [
        {
            **dict.fromkeys(TOKENS, number),
            "tenant_hash": f"{number % 3}" * 16,
            "model": "gpt-4o-mini" if number % 2 else None,
            "error_code": None if number % 4 else "timeout",
            "sent_at": dt.datetime(2026, 11, 1 + number % 5, 23, 59, 59, tzinfo=dt.UTC),
            "cost_usd": Decimal(number).scaleb(-10) if number % 4 else None,
        }
        for number in range(40)
    ]
    pq.write_table(pa.Table.from_pylist(calls, CALL_SCHEMA), tmp_path / "calls.parquet")
    by_polars = costs(tmp_path, by, "last", hash_tenants=True)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert costs(tmp_path, by, "last", hash_tenants=True) == by_polars
    assert sum(one["calls"] for one in by_polars) == len(calls)


def test_costs_of_a_ledger_import_no_polars():
    code = "import pipeline.commands.costs, sys; print('polars' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("library", ["polars", None])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_damaged_file_is_told_with_how_to_have_it_again(tmp_path, monkeypatch, library, content):
    (tmp_path / "calls.parquet").write_bytes(content)
    monkeypatch.setattr(module, "find_spec", lambda name: library)
    with pytest.raises(JobError, match=r"calls.parquet: cannot be read: .* run the job once more"):
        costs(tmp_path, "day", "last")


def test_a_folder_with_signs_of_a_pattern_in_its_name_is_read(tmp_path):
    folder = tmp_path / "night [1] *"
    folder.mkdir()
    pq.write_table(
        pa.Table.from_pylist([{"model": "m", "cost_usd": Decimal(1)}], CALL_SCHEMA), folder / "calls.parquet"
    )
    (entry,) = costs(folder, "model", "last")
    assert (entry["model"], entry["calls"], entry["cost_usd"]) == ("m", 1, "1.0000000000")
