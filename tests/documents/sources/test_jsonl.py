"""JSON lines → rows: nothing lost, nothing guessed, nothing held."""

import gzip
import json
import subprocess
import sys
import threading

import pyarrow as pa
import pytest
from examples import examples
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Input

GOOD = b'{"id":"g","text":"good"}\n'


def source(path, *, prompt=(), limit=None, max_line_bytes=64 << 20, **columns):
    return Source(Input(path=str(path), **columns), prompt, limit, max_line_bytes=max_line_bytes)


def rows_of(found, size=256):
    return [row for batch in found.batches(size) for row in batch]


def write(path, *records):
    path.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in records))
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


# ── every line ends somewhere ───────────────────────────────────────────────────────────────────────────────────────

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(["id", "text", "tenant", "k"]), VALUES, max_size=4)
LINES = st.one_of(
    OBJECTS.map(lambda record: json.dumps(record).encode()),
    st.sampled_from([b"", b" ", b"\r", b"\xef\xbb\xbf", b"[1]", b'{"id":1}{"id":2}', b'{"text":"\\ud800"}', b"\x00"]),
    st.binary(max_size=40),
)


@given(st.lists(LINES, max_size=8).map(b"\n".join) | st.binary(max_size=200))
@example(b"\xef\xbb\xbf\n\xef\xbb\xbf")
@example(b'{"id":1,"text":"a","k":1}\n\n{"id":1,"text":"b","k":9007199254740993}\n{"k":1.5}')
def test_any_bytes_give_one_row_a_line(scratch, data):
    """Any bytes: each line that is not blank is exactly one row, and the kept columns line up with the rows."""
    path = scratch / "any.jsonl"
    path.write_bytes(data)
    expected = sum(1 for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b" \t\n\r\v\f"))
    found = source(path, id="id", tenant="tenant", keep=("k",), prompt=("k",))
    rows = rows_of(found, 3)
    assert [row.index for row in rows] == list(range(expected))
    assert found.count_rows() == expected
    assert all(bool(row.text.strip()) != bool(row.problem) for row in rows)
    schema = found.kept_schema(None)
    kept = pa.Table.from_batches(found.kept(2), schema)
    assert kept.num_rows == expected
    assert schema == source(path, keep=("k",)).kept_schema(None)  # the same when found by a pass of its own


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id":"a","text":"cut of', "x.jsonl:2: not valid JSON: unexpected end of data at byte 25"),
        ('{"é":"é", x}'.encode(), "not valid JSON: unexpected character, expected a string key at byte 13: 'x}'"),
        (b'{"text":"ab\xff"}', "x.jsonl:2: invalid UTF-8: invalid start byte at byte 12"),
        (b'{"text":"\\ud83d"}', "surrogate"),
        (b'{"text":NaN}', "expected a JSON value at byte 9: 'NaN}'"),
        (b'{"text":-Infinity}', "not valid JSON"),
        (b'{"text":"a"}{"text":"b"}', "unexpected content after document at byte 13"),
        (b'["text"]', "x.jsonl:2: the line holds a list, not an object"),
        (b"17", "holds a number (17), not an object"),
        (b"null", "holds null, not an object"),
        (b'{"id":"a"}', "x.jsonl:2: 'text' is missing or null"),
        (b'{"id":"a","text":null}', "'text' is missing or null"),
        (b'{"id":"a","text":12}', "'text' is a number (12); it should be text"),
        (b'{"id":"a","text":true}', "'text' is true; it should be text"),
        (b'{"id":"a","text":["a"]}', "'text' is a list; it should be text"),
        (b'{"id":"a","text":""}', "'text' is empty"),
        ('{"id":"a","text":" \\n\u3000"}'.encode(), "'text' holds only white space"),
        (b'{"text":"a"}', "'id' is missing or null; it should be a string or a whole number"),
        (b'{"id":"","text":"a"}', "'id' is empty"),
        (b'{"id":1.5,"text":"a"}', "'id' is a number (1.5)"),
        (b'{"id":18446744073709551616.0,"text":"a"}', "'id' is a number (1.8446744073709552e+19)"),
        (b'{"id":false,"text":"a"}', "'id' is false"),
        (b'{"id":"g","text":"again"}', "x.jsonl:2: duplicate id 'g': row 0 has it already"),
        (b"[" * 5000, "not valid JSON: depth limit exceeded"),
        (b'{"text":"' + b"x" * 200 + b'"}', "x.jsonl:2: the line is longer than 100 bytes"),
    ],
    ids=str,
)
def test_a_bad_line_is_a_row_that_says_why(tmp_path, line, reason):
    """One defect costs one row: it says file, line and reason, and the rows around it are as if it were not there."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(GOOD + line + b'\n{"id":"h","text":"after"}')
    limit = 64 << 20 if "longer" not in reason else 100
    before, bad, after = rows_of(source(path, id="id", max_line_bytes=limit))
    assert reason in bad.problem
    assert (bad.index, bad.text) == (1, "")
    assert (before.text, after.text, after.id) == ("good", "after", "h")


def test_harmless_oddities_are_read(tmp_path):
    """A BOM, CRLF, blank lines, NUL and a last line without an end are no defects."""
    path = tmp_path / "x.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"text":"a"}\r\n\r\n \n{"text":"b\\u0000"}\n{"text":"c"}')
    assert [(row.id, row.text, row.problem) for row in rows_of(source(path))] == [
        ("0", "a", None),
        ("1", "b\0", None),
        ("2", "c", None),
    ]


def test_ids_tenants_and_values(tmp_path):
    """Whole numbers are ids by their digits; a tenant is text or None; prompt values are as they stand."""
    records = [
        {"id": 7, "text": "a", "tenant": 5, "n": 1.5},
        {"id": 8.0, "text": "b", "tenant": None, "n": {"x": [1]}},
        {"id": "7x", "text": "c", "tenant": "t"},
        {"id": "7", "text": "d", "tenant": True},
    ]
    found = source(write(tmp_path / "a.jsonl", *records), id="id", tenant="tenant", prompt=("n",))
    rows = rows_of(found)
    assert [row.id for row in rows] == ["7", "8", "7x", "7"]
    assert [row.tenant for row in rows] == ["5", None, "t", "true"]
    assert [row.values["n"] for row in rows] == ["1.5", '{"x": [1]}', None, None]
    assert rows[3].problem == "a.jsonl:4: duplicate id '7': row 0 has it already"


@examples(60)
@given(st.lists(st.integers(0, 12), max_size=40), st.integers(1, 7))
def test_the_first_of_equal_ids_is_done(scratch, numbers, size):
    """Whatever the batches, exactly the first row of each id is usable, and the others name it."""
    path = write(scratch / "ids.jsonl", *({"id": number, "text": "t"} for number in numbers))
    for row in rows_of(source(path, id="id"), size):
        first = numbers.index(int(row.id))
        assert (row.problem is None) == (first == row.index)
        assert row.problem is None or f"row {first} has it already" in row.problem


def test_a_row_of_50_mb_is_a_row_like_any_other(tmp_path):
    """Long lines are read whole, and end their batch early so that batches stay small."""
    path = tmp_path / "long.jsonl"
    path.write_bytes(GOOD + b'{"text":"' + b"x" * 50_000_000 + b'"}\n' + GOOD)
    assert [[len(row.text) for row in batch] for batch in source(path).batches()] == [[4, 50_000_000], [4]]


# ── types of kept columns ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([None, None], pa.null(), [None, None]),
        ([True, None], pa.bool_(), [True, None]),
        ([1, None, 2**62], pa.int64(), [1, None, 2**62]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([2**62, 2.5], pa.string(), ["4611686018427387904", "2.5"]),
        ([2**63, 1], pa.string(), ["9223372036854775808", "1"]),
        ([10**29 + 1, -(10**29) - 1, 1.5], pa.string(), [f"{10**29 + 1}", f"-{10**29 + 1}", "1.5"]),
        ([-(2**63) - 1, {"a": 1}], pa.string(), ["-9223372036854775809", '{"a":1}']),
        ([1e30, 1.5], pa.float64(), [1e30, 1.5]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["a", 1, None], pa.string(), ["a", "1", None]),
        ([{"a": [1, None]}, "x"], pa.string(), ['{"a":[1,null]}', "x"]),
    ],
    ids=str,
)
def test_kept_types_hold_every_value(tmp_path, values, kind, kept):
    """The narrowest type that holds all values without loss; mixtures and objects are JSON text; bad lines are null."""
    path = write(tmp_path / "a.jsonl", *({"text": "t", "k": value} for value in values))
    path.write_bytes(path.read_bytes() + b"broken\n")
    found = source(path, keep=("k",))
    assert found.kept_schema(None) == pa.schema([("k", kind)])
    assert pa.Table.from_batches(found.kept()).column("k").to_pylist() == [*kept, None]


@pytest.mark.parametrize(
    ("known", "tonight", "kind"),
    [
        (pa.int64(), [None], pa.int64()),
        (pa.timestamp("us"), [None], pa.timestamp("us")),
        (pa.float64(), [1], pa.float64()),
        (pa.string(), [1], pa.string()),
        (pa.null(), [1], pa.int64()),
        (pa.int64(), [1.5], pa.float64()),
    ],
    ids=str,
)
def test_kept_types_do_not_flip_between_nights(tmp_path, known, tonight, kind):
    """An earlier run's type stays where tonight's values fit it, and widens where they do not."""
    found = source(write(tmp_path / "a.jsonl", *({"text": "t", "k": value} for value in tonight)), keep=("k",))
    rows_of(found)
    schema = found.kept_schema(pa.schema([("k", known)]))
    assert schema.field("k").type == kind
    assert pa.Table.from_batches(found.kept()).schema == schema


# ── streaming ───────────────────────────────────────────────────────────────────────────────────────────────────────

GROWTH = """
import resource, sys
from pipeline.job.settings import Input
from pipeline.documents.sources.source import Source
small, large = (Source(Input(path=path, id="id", keep=("n",)), (), None) for path in sys.argv[1:])
def peak(found):
    rows = sum(map(len, found.batches()))
    assert rows == found.count_rows() == sum(batch.num_rows for batch in found.kept())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak(small)
print(peak(large) - before)
"""


def grown_mb(small, large):
    """MB by which reading `large` raises a process's peak over reading `small`."""
    done = subprocess.run([sys.executable, "-c", GROWTH, small, large], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_does_not_grow_with_lines(tmp_path):
    """160 MB of lines, compressed on the disk, raise the peak by no more than 40 MB, most of it the list of ids."""
    text = b"x" * 1600
    for name, count in (("small", 2000), ("large", 100_000)):
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wb", compresslevel=1) as out:
            out.writelines(b'{"id":%d,"n":%d,"text":"%s"}\n' % (number, number, text) for number in range(count))
    assert grown_mb(tmp_path / "small.jsonl.gz", tmp_path / "large.jsonl.gz") <= 40


def test_an_endless_line_is_skipped_unheld(tmp_path):
    """A line over the limit is one bad row and never in memory."""
    (tmp_path / "small.jsonl").write_bytes(GOOD)
    with (tmp_path / "large.jsonl").open("wb") as out:
        out.truncate(300 << 20)  # sparse: NULs without a line end
        out.seek(0, 2)
        out.write(b"\n" + GOOD)
    assert grown_mb(tmp_path / "small.jsonl", tmp_path / "large.jsonl") <= 64 * 3  # one line of the limit, as it grows
    assert [row.problem is None for row in rows_of(source(tmp_path / "large.jsonl"))] == [False, True]


def test_batches_may_move_between_threads(tmp_path):
    """Each batch may be asked for by another thread."""
    batches = source(write(tmp_path / "a.jsonl", *({"id": n, "text": "t"} for n in range(6))), id="id").batches(2)
    got = []
    for _ in range(4):
        worker = threading.Thread(target=lambda: got.append(next(batches, None)))
        worker.start()
        worker.join()
    assert [[row.index for row in batch] for batch in got[:3]] == [[0, 1], [2, 3], [4, 5]]
    assert got[3] is None


def test_limit_is_the_first_rows(tmp_path):
    """--limit counts rows over files, bad ones too, the same in every reading."""
    write(tmp_path / "a.jsonl", {"text": "a", "k": 1}, {"k": 2})
    write(tmp_path / "b.jsonl", {"text": "c", "k": "x"}, {"text": "d", "k": "y"})
    for limit, kind in ((1, pa.int64()), (2, pa.int64()), (3, pa.string()), (9, pa.string())):
        found = source(tmp_path, keep=("k",), limit=limit)
        assert len(rows_of(found)) == found.count_rows() == min(limit, 4)
        assert found.kept_schema(None).field("k").type == kind
        assert sum(batch.num_rows for batch in found.kept()) == min(limit, 4)


# ── compressed ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ending", ["jsonl.gz", "ndjson.zst"])
def test_compressed_lines_are_whole_or_an_error(tmp_path, ending):
    """Several members are read on; a file cut off at any byte is never short in silence."""
    text = b"".join(b'{"text":"%d"}\n' % (number * 7919) for number in range(200))
    whole = gzip.compress(text) if ending.endswith("gz") else pa.compress(text, codec="zstd", asbytes=True)
    path = tmp_path / f"a.{ending}"
    path.write_bytes(whole * 2)
    assert source(path).count_rows() == 400
    for cut in [0, 1, 5, 17, len(whole) // 2, *range(len(whole) - 12, len(whole))]:
        path.write_bytes(whole[:cut])
        with pytest.raises(JobError, match=r"a\.(jsonl.gz|ndjson.zst): (cannot be read past row|is empty)"):
            source(path).count_rows()
        with pytest.raises(JobError, match=r"cannot be read past row|is empty"):
            rows_of(source(path))
