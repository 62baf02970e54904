"""Parquet → rows: any text type, any row groups, damage found, kept columns as they are."""

import datetime as dt
import random
import subprocess
import sys
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Input


def source(path, *, prompt=(), limit=None, **columns):
    return Source(Input(path=str(path), **columns), prompt, limit)


def rows_of(found, size=256):
    return [row for batch in found.batches(size) for row in batch]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


@examples(60)
@given(
    st.lists(
        st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cf", "Mn"]), max_size=5), max_size=40
    ),
    st.integers(1, 7),
    st.integers(1, 9),
    st.none() | st.integers(1, 50),
    st.sampled_from(
        [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()), pa.binary()]
    ),
)
def test_rows_are_those_of_the_file(scratch, texts, group, size, limit, kind):
    """Whatever the text's type, row groups, batches and limit: one row each, in order, and what is kept beside it."""
    path = scratch / "p.parquet"
    values = [text.encode() if text is not None and pa.types.is_binary(kind) else text for text in texts]
    text = pa.array(values, pa.string()).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(values, kind)
    pq.write_table(pa.table({"text": text, "n": pa.array(range(len(texts)), pa.int16())}), path, row_group_size=group)
    found = source(path, limit=limit, keep=("n",))
    found.check()
    wanted = texts[:limit]
    rows = rows_of(found, size)
    assert [row.text for row in rows] == [text if text and text.strip() else "" for text in wanted]
    assert [row.problem is None for row in rows] == [bool(text and text.strip()) for text in wanted]
    assert found.count_rows() == len(wanted)
    kept = pa.Table.from_batches(found.kept(size), found.kept_schema(None))
    assert kept.equals(pa.table({"n": pa.array(range(len(wanted)), pa.int16())}))


def test_values_are_python_values(tmp_path):
    """Prompt columns keep their Python types; nanoseconds do not depend on what else is installed."""
    path = tmp_path / "p.parquet"
    nanos = pa.array([1_700_000_000_000_000_000, 1_700_000_000_000_000_001], pa.timestamp("ns"))
    table = pa.table(
        {
            "text": ["a", "b"],
            "id": pa.array([Decimal("1.50"), Decimal("2.50")]),
            "tenant": pa.array([7, None], pa.int8()),
            "when": nanos,
            "day": pa.array([dt.date(2026, 1, 2), None]),
            "list": pa.array([["x"], None]),
        }
    )
    pq.write_table(table, path)
    first, second = rows_of(source(path, id="id", tenant="tenant", prompt=("when", "day", "list")))
    assert (first.id, first.tenant, second.tenant) == ("1.50", "7", None)
    assert first.values == {"when": dt.datetime(2023, 11, 14, 22, 13, 20), "day": dt.date(2026, 1, 2), "list": ["x"]}  # noqa: DTZ001 (the file has no zone)
    assert second.values == {"when": "2023-11-14 22:13:20.000000001", "day": None, "list": None}


def test_text_that_is_not_utf8_is_a_bad_row(tmp_path):
    """Parquet does not check its strings; such a row is bad, and a kept one is null so that the results can be read."""
    raw = pa.array([b"good", b"b\xffd", b"fine"])
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    pq.write_table(pa.table({"text": text, "raw": raw}), tmp_path / "p.parquet")
    for column in ("text", "raw"):
        rows = rows_of(source(tmp_path, text=column))
        assert [row.text for row in rows] == ["good", "", "fine"]
        assert rows[1].problem == f"p.parquet row 1: the column {column!r} holds invalid UTF-8 or a value out of range"
    assert pa.Table.from_batches(source(tmp_path, keep=("text",)).kept()).column("text").to_pylist() == [
        "good",
        None,
        "fine",
    ]
    assert pa.Table.from_batches(source(tmp_path, keep=("raw",)).kept()).column("raw").to_pylist() == raw.to_pylist()


def test_kept_columns_keep_their_types(tmp_path):
    """Nested ones too; only encodings that cannot be copied row by row become their plain type."""
    columns = {
        "text": pa.array(["t", "u"]),
        "struct": pa.array([{"a": 1, "b": [{"c": "x"}]}, None]),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "money": pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)),
        "when": pa.array([1, None], pa.timestamp("us", "Europe/Zurich")),
        "small": pa.array([1.5, None], pa.float32()),
        "name.with.dots": pa.array([1, 2], pa.uint64()),
    }
    plain = {"category": pa.array(["x", None]).dictionary_encode(), "view": pa.array(["x", None], pa.string_view())}
    pq.write_table(pa.table(columns | plain), tmp_path / "p.parquet", row_group_size=1)
    keep = tuple(name for name in columns | plain if name != "text")
    found = source(tmp_path, keep=keep)
    found.check()
    schema = found.kept_schema(None)
    assert {field.name: field.type for field in schema} == {
        name: columns[name].type if name in columns else pa.string() for name in keep
    }
    table = pa.Table.from_batches(found.kept(), schema)
    assert all(table.column(name).to_pylist() == (columns | plain)[name].to_pylist() for name in keep)


def test_a_kept_column_without_values_takes_the_known_type(tmp_path):
    """A file may hold a column that is all null, of no type: another file, or an earlier run, knows better."""
    pq.write_table(pa.table({"text": ["a"], "k": pa.nulls(1)}), tmp_path / "a.parquet")
    known = pa.schema([("k", pa.list_(pa.int8()))])
    assert source(tmp_path, keep=("k",)).kept_schema(known) == known
    pq.write_table(pa.table({"text": ["b"], "k": [7]}), tmp_path / "b.parquet")
    found = source(tmp_path, keep=("k",))
    assert found.kept_schema(known) == pa.schema([("k", pa.int64())])
    assert pa.Table.from_batches(found.kept()).column("k").to_pylist() == [None, 7]


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ([{"k": ["x"]}, {"k": [1]}], r"'k' is string in .*0\.parquet and int64 in .*1\.parquet"),
        ([{"k": [None]}, {"k": [1]}, {"k": [1.5]}], r"'k' is int64 in .*1\.parquet and double in .*2\.parquet"),
        ([{"k": pa.array([["x"]], pa.list_(pa.string_view()))}], r"0\.parquet: .*'k' .* cannot be copied"),
        ([{"text": [17], "k": [1], "body": ["x"]}], r"'text' \(input.text\) is int64, not text.* text: body"),
        ([{"k": [1]}, {"j": [1]}], r"1\.parquet: has no column 'k' \(input.keep\)"),
    ],
    ids=["two types", "three files", "views", "no text", "one lacks it"],
)
def test_files_that_do_not_agree_are_an_error(tmp_path, tables, told):
    """Found before anything is sent, naming both files."""
    for number, table in enumerate(tables):
        pq.write_table(pa.table({"text": ["t"]} | table), tmp_path / f"{number}.parquet")
    with pytest.raises(JobError, match=told):
        source(tmp_path, keep=("k",)).check()


def test_a_column_named_twice_is_an_error(tmp_path):
    """Which of them is meant cannot be known."""
    pq.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), tmp_path / "p.parquet")
    with pytest.raises(JobError, match="has the column 'text' twice"):
        source(tmp_path).check()


def test_a_damaged_file_is_an_error(tmp_path):
    """Cut off anywhere, or not Parquet at all: before anything is sent. A flipped byte: by its checksum, when read."""
    path = tmp_path / "p.parquet"
    noise = random.Random(7)
    table = pa.table({"text": ["".join(noise.choices("abcdefgh", k=50)) for _ in range(2000)]})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    whole = path.read_bytes()
    for cut in (0, 3, 100, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(JobError, match=r"p\.parquet: is not a whole Parquet file"):
            source(path).check()
    path.write_bytes(whole[:30_000] + bytes([whole[30_000] ^ 1]) + whole[30_001:])
    found = source(path)
    found.check()
    with pytest.raises(JobError, match=r"p\.parquet: cannot be read past row 0: .*(?i:crc|checksum)"):
        rows_of(found)


GROWTH = """
import resource, sys
from pipeline.job.settings import Input
from pipeline.documents.sources.source import Source
def peak(path):
    found = Source(Input(path=path, id="n", keep=("n",)), (), None)
    assert sum(map(len, found.batches())) == found.count_rows() == sum(batch.num_rows for batch in found.kept())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak(sys.argv[1])
print(peak(sys.argv[2]) - before)
"""


@pytest.mark.parametrize("group", [2000, 100_000], ids=["many row groups", "one row group"])
def test_memory_does_not_grow_with_the_file(tmp_path, group):
    """200 MB of documents, in any row groups, raise the peak by no more than 60 MB."""
    text = pa.array([f"{number}" + "x" * 2000 for number in range(2000)])
    for name, pieces in (("small", 1), ("large", 50)):
        schema = pa.schema([("text", pa.string()), ("n", pa.int64())])
        with pq.ParquetWriter(tmp_path / f"{name}.parquet", schema, use_dictionary=False) as writer:
            for first in range(0, pieces * 2000, group):
                many = range(first, min(first + group, pieces * 2000))
                texts = pa.concat_arrays([text] * (len(many) // 2000))
                writer.write_table(pa.table([texts, pa.array(many, pa.int64())], schema=schema), row_group_size=group)
    command = [sys.executable, "-c", GROWTH, tmp_path / "small.parquet", tmp_path / "large.parquet"]
    assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) <= 60
