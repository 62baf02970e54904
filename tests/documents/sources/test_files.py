"""Which files are the input, whether they can be, and whether they are the same as last time."""

import os

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs as pafs

from pipeline.documents.sources.files import File, fingerprint
from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Input

LINE = b'{"text":"t"}\n'


def source(path, *, prompt=(), **columns):
    return Source(Input(path=str(path), **columns), prompt, None)


def names(folder, path):
    return [os.path.relpath(url, folder) for url in source(path).files]


@pytest.fixture
def tree(tmp_path):
    for name in (
        "b.jsonl",
        "a.ndjson",
        "notes.bin",
        "deep/er/c.JSONL",
        "deep/d.jsonl",
        "deep/[x].jsonl",
        "_log/e.jsonl",
        "deep/_f.jsonl",
        ".g.jsonl",
        "deep/.h/i.jsonl",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(LINE)
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["a.ndjson", "b.jsonl", "deep/[x].jsonl", "deep/d.jsonl", "deep/er/c.JSONL"]),
        ("deep/", ["deep/[x].jsonl", "deep/d.jsonl", "deep/er/c.JSONL"]),
        ("b.jsonl", ["b.jsonl"]),
        ("deep/_f.jsonl", ["deep/_f.jsonl"]),
        ("*", ["a.ndjson", "b.jsonl"]),
        ("*.jsonl", ["b.jsonl"]),
        ("?.[jn]*", ["a.ndjson", "b.jsonl"]),
        ("*/*.jsonl", ["deep/[x].jsonl", "deep/d.jsonl"]),
        ("d*/[x].jsonl", []),
        ("deep/[x].jsonl", ["deep/[x].jsonl"]),
        ("**/*.jsonl", ["b.jsonl", "deep/[x].jsonl", "deep/d.jsonl"]),
        ("**", ["a.ndjson", "b.jsonl", "deep/[x].jsonl", "deep/d.jsonl", "deep/er/c.JSONL"]),
        ("deep/**/**/d.jsonl", ["deep/d.jsonl"]),
        ("_log/*", ["_log/e.jsonl"]),
        ("deep/_*", ["deep/_f.jsonl"]),
        (".*.jsonl", [".g.jsonl"]),
    ],
)
def test_a_file_a_folder_or_a_glob(tree, path, found):
    """Every file with a known ending, once, by name; hidden and underscored ones only where asked for by name."""
    if found:
        assert names(tree, f"{tree}/{path}") == found
    else:
        with pytest.raises(JobError, match="no file that ends"):
            names(tree, f"{tree}/{path}")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("b.jsonk", r"there is nothing\. Did you mean '.*/b\.jsonl'\?"),
        ("no/where/at/all", "there is nothing"),
        ("no*.jsonl", r"no\*\.jsonl': there is no file that ends in \.jsonl, \.ndjson"),
        ("notes.bin", r"'notes.bin' does not end in .*\.parquet"),
        ("*.b?n", r"'notes.bin' does not end in"),
        ("empty", "there is no file that ends in"),
    ],
)
def test_no_input_is_an_error_that_helps(tree, path, told):
    """Nothing that matches is a mistake, and the message shows the way."""
    (tree / "empty").mkdir()
    with pytest.raises(JobError, match=told):
        source(tree / path).check()


def test_rows_come_in_the_order_of_names(tmp_path):
    """Indices run over all files; formats may be mixed, and problems name the file below the folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jsonl").write_bytes(b'{"id":"x","text":"one","k":1}\n{"id":"y"}\n')
    pq.write_table(pa.table({"id": ["z", "x"], "text": ["two", "three"], "k": [1.5, None]}), tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_bytes(b'{"id":"w","text":"four","k":true}\n')
    found = source(tmp_path, id="id", keep=("k",))
    found.check()
    assert found.count_rows() == 5
    assert [(row.index, row.text, row.problem) for batch in found.batches(2) for row in batch] == [
        (0, "one", None),
        (1, "", "a/1.jsonl:2: 'text' is missing or null; it should be text"),
        (2, "two", None),
        (3, "", "b.parquet row 1: duplicate id 'x': row 0 has it already"),
        (4, "four", None),
    ]
    assert found.kept_schema(None) == pa.schema([("k", pa.string())])
    assert pa.Table.from_batches(found.kept(2)).column("k").to_pylist() == ["1", None, "1.5", None, "true"]


def test_no_rows_are_no_error(tmp_path):
    """An empty file is a quiet night, not a mistake."""
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf\r\n")
    pq.write_table(pa.table({"text": pa.array([], pa.string()), "k": pa.array([], pa.int8())}), tmp_path / "b.parquet")
    for path, kind in ((tmp_path / "a.jsonl", pa.null()), (tmp_path / "b.parquet", pa.int8())):
        found = source(path, keep=("k",))
        found.check()
        assert (found.count_rows(), list(found.batches()), list(found.kept())) == (0, [], [])
        assert found.kept_schema(None) == pa.schema([("k", kind)])


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"text": "txt"}, r"'txt' \(input.text\). Did you mean 'text'\?"),
        ({"id": "idd"}, r"'idd' \(input.id\). Did you mean 'id'\?"),
        ({"tenant": "customr"}, r"'customr' \(input.tenant\). Did you mean 'customer'\?"),
        ({"keep": ("id", "Customer_")}, r"'Customer_' \(input.keep\). Did you mean 'customer'\?"),
        ({"prompt": ("zzz",)}, r"'zzz' \(extract.prompt\). Its columns: id, text, customer"),
    ],
)
def test_a_missing_column_is_found_before_anything_is_sent(tmp_path, ending, columns, told):
    """The message names the file, the job's key and the nearest column."""
    record = {"id": "1", "text": "t", "customer": "c"}
    path = tmp_path / f"in.{ending}"
    if ending == "jsonl":
        path.write_bytes(b"broken\n" + orjson.dumps(record))
    else:
        pq.write_table(pa.table({name: [value] for name, value in record.items()}), path)
    with pytest.raises(JobError, match=r"in\.(jsonl|parquet): .*" + told):
        source(path, **columns).check()


def test_a_column_that_some_rows_lack_is_no_error(tmp_path):
    """One row of the first thousand is enough; the 1,001st is too late."""
    for before, fails in ((999, False), (1000, True)):
        (tmp_path / "in.jsonl").write_bytes(LINE * before + b'{"text":"t","k":1}\n')
        found = source(tmp_path, keep=("k",))
        if fails:
            with pytest.raises(JobError, match="none of the first 1000 rows has the column 'k'"):
                found.check()
        else:
            found.check()


def test_lines_that_are_all_broken_are_rows_not_an_error(tmp_path):
    """Where no column was seen, none is missing: each line says what is wrong with it."""
    (tmp_path / "in.jsonl").write_bytes(b"{\n}\n")
    found = source(tmp_path)
    found.check()
    assert [row.problem is not None for batch in found.batches() for row in batch] == [True, True]


# ── the fingerprint ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_fingerprint_sees_every_change(tmp_path):
    """A byte at either end, a time of change, a size, a name or another file; and nothing else."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    body = LINE * 20_000
    first.write_bytes(body)
    os.utime(first, ns=(0, 10**18 + 1))
    seen = [source(tmp_path).fingerprint()]
    assert source(tmp_path).fingerprint() == source(first).fingerprint() == seen[0]

    def changed():
        os.utime(first, ns=(0, 10**18 + 1))
        seen.append(source(tmp_path).fingerprint())

    for position in (9, 64 * 1024 - 1, len(body) - 64 * 1024, len(body) - 4):
        first.write_bytes(body[:position] + b"u" + body[position + 1 :])
        changed()
    first.write_bytes(body + LINE)
    changed()
    first.write_bytes(body)
    changed()
    assert seen.pop() == seen[0]
    os.utime(first, ns=(0, 10**18 + 2))
    seen.append(source(tmp_path).fingerprint())
    second.write_bytes(b"")
    changed()
    second.rename(tmp_path / "c.jsonl")
    changed()
    assert len(set(seen)) == len(seen) == 9
    assert all(len(one) == 32 for one in seen)


def test_of_documents_in_a_bucket_nothing_is_read_for_it(tmp_path):
    """There may be a million of them; of a table there both ends are, as on a disk."""
    bucket = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())

    def of(kind, size, mtime_ns):
        return fingerprint([File(bucket, "a.pdf", "a.pdf", "s3://b/a.pdf", size, mtime_ns, kind, None)])

    assert len({of("document", 5, 1), of("document", 6, 1), of("document", 5, 2)}) == 3
    with pytest.raises(JobError):
        of("jsonl", 5, 1)
