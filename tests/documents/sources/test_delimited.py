"""CSV and TSV → rows: all values text, quotes over lines, nothing swallowed."""

import csv
import gzip
import io

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.documents.sources.delimited import split
from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Input

HEAD = b"id,text,n\n"


def source(path, *, prompt=(), limit=None, max_line_bytes=64 << 20, **columns):
    columns = {"id": "id", "text": "text", **columns}
    return Source(Input(path=str(path), **columns), prompt, limit, max_line_bytes=max_line_bytes)


def rows_of(found):
    return [row for batch in found.batches() for row in batch]


def read(tmp_path, data, name="in.csv", **columns):
    (tmp_path / name).write_bytes(data)
    return rows_of(source(tmp_path / name, **columns))


def said(rows):
    return [(row.id, row.text) if row.problem is None else row.problem for row in rows]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (HEAD + b"1,one,5\n2,two,6\n", [("1", "one"), ("2", "two")]),
        (b"\xef\xbb\xbf" + HEAD + b"1,one,5", [("1", "one")]),
        (HEAD.replace(b"\n", b"\r\n") + b"1,one,5\r\n\r\n2,two,\r\n", [("1", "one"), ("2", "two")]),
        (HEAD + b'1,"a, ""b""\r\nc\n\nd",5\r\n', [("1", 'a, "b"\r\nc\n\nd')]),
        (HEAD + b'"1","one","5"\n"2",two,""\n', [("1", "one"), ("2", "two")]),
        (HEAD + b'1,a 5" pipe,6\n2,two,6\n', [("1", 'a 5" pipe'), ("2", "two")]),
        (b'"id","text","n"\n' + "1,größer,5\n".encode(), [("1", "größer")]),
        (b"id;text;n\n1;one, two;3,5\n", [("1", "one, two")]),
        (b'"id, or so";id;text\nx;1;one\n', [("1", "one")]),
        (b"sep=;\nid;text\n1;one\n", [("1", "one")]),
        (b"id\ttext\n1\tone, two\n", [("1", "one, two")]),
        (b" id , text \n1, one\n", [("1", " one")]),
        (HEAD, []),
        (HEAD.strip(), []),
    ],
)
def test_a_record_is_a_row(tmp_path, data, rows):
    assert said(read(tmp_path, data)) == rows
    assert source(tmp_path / "in.csv").count_rows() == len(rows)


def test_tabs_separate_tsv_alone(tmp_path):
    assert said(read(tmp_path, b'id\ttext;a\ttext\n1\tx\t"one\ttwo"\n', "in.tsv")) == [("1", "one\ttwo")]


def test_all_values_are_text_and_an_empty_one_is_empty(tmp_path):
    (row,) = read(tmp_path, b"id,text,n,e\n1,one,007,\n", prompt=("n", "e"), keep=["n", "e"])
    assert row.values == {"n": "007", "e": ""}
    found = source(tmp_path / "in.csv", keep=["n", "e"])
    assert found.kept_schema(None) == pa.schema([("n", pa.string()), ("e", pa.string())])
    assert [batch.to_pylist() for batch in found.kept()] == [[{"n": "007", "e": ""}]]


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst", "tsv.gz", "tsv.zst"])
def test_compressed_files_are_read(tmp_path, ending):
    data = b"id\ttext\n1\tone\n" if ending.startswith("tsv") else b"id,text\n1,one\n"
    packed = gzip.compress(data) if ending.endswith("gz") else pa.Codec("zstd").compress(data, asbytes=True)
    assert said(read(tmp_path, packed, f"in.{ending}")) == [("1", "one")]


FOLLOWS = "text follows the quoted value of column 2; quotes in a value are doubled"
OPEN = "the quote that opens in column 2 is not closed before the end of the file"
FEW = "it has 2 values, where the header has 3 columns"
MANY = "it has 4 values, where the header has 3 columns; values that hold commas, quotes or line ends stand in quotes"
BYTES = "invalid UTF-8: invalid start byte at byte {}. Save it as UTF-8; in Excel as 'CSV UTF-8'"


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (b"1,one\n2,two,6\n3,a,b,c\n", [f"in.csv:2: {FEW}", ("2", "two"), f"in.csv:4: {MANY}"]),
        (b'1,"one,5\n2,two,6\n3,three,7\n', [f"in.csv:2: {OPEN}", ("2", "two"), ("3", "three")]),
        (b'1,"one,5\n2,two,6\n3,"three, too",7\n', [f"in.csv:2: {FOLLOWS}", ("2", "two"), ("3", "three, too")]),
        (b'1,"one"x,5\n2,two,6\n', [f"in.csv:2: {FOLLOWS}", ("2", "two")]),
        (
            b'1,gr\xfcn,5\n2,"gr\xff\n",5\n3,three,5\n',
            [f"in.csv:2: {BYTES.format(5)}", f"in.csv:3: line 3: {BYTES.format(6)}", ("3", "three")],
        ),
        (b"1,one,5\n1,two,6\n", [("1", "one"), "in.csv:3: duplicate id '1': row 0 has it already"]),
    ],
)
def test_what_is_wrong_costs_its_own_line(tmp_path, data, problems):
    assert said(read(tmp_path, HEAD + data)) == problems
    assert source(tmp_path / "in.csv").count_rows() == len(problems)


def test_a_quote_that_never_closes_is_not_held_beyond_the_limit(tmp_path):
    (tmp_path / "in.csv").write_bytes(HEAD + b'1,"one,5\n' + b"2,two,6\n" * 300)
    rows = rows_of(source(tmp_path / "in.csv", id="", max_line_bytes=1000))
    assert "in.csv:2: the quote that opens in column 2 is not closed within 1000 bytes" in rows[0].problem
    assert [row.text for row in rows[1:]] == ["two"] * 300


def test_a_line_beyond_the_limit_is_one_bad_row(tmp_path):
    (tmp_path / "in.csv").write_bytes(HEAD + b"1," + b"x" * 2000 + b",5\n2,two,6\n")
    rows = rows_of(source(tmp_path / "in.csv", max_line_bytes=1000))
    assert said(rows) == ["in.csv:2: the line is longer than 1000 bytes", ("2", "two")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty; the first line of a table names its columns"),
        (b"id,text,id\n", "has the column 'id' twice"),
        (b"id,,text\n", "column 2 has no name"),
        (b"id,text,\n", "column 3 has no name"),
        (b"name,body\n1,2\n", "has no column 'id' (input.id)"),
        ("id,text\n1,2\n".encode("utf-16"), "is UTF-16. Save it as UTF-8"),
        ("id,text\n1,2\n".encode("utf-16-le"), "is UTF-16"),
        ("id,größe,text\n".encode("cp1252"), "its header, line 1: invalid UTF-8"),
        (b'id,"text\n', "its header, line 1: the quote that opens in column 2 is not closed"),
    ],
)
def test_a_header_that_cannot_be_right_is_an_error_of_the_job(tmp_path, data, told):
    (tmp_path / "in.csv").write_bytes(data)
    with pytest.raises(JobError) as caught:
        source(tmp_path / "in.csv").check()
    assert told in str(caught.value)
    assert "in.csv" in str(caught.value)


def test_other_delimiters_are_told(tmp_path):
    for name, data in (("a.csv", b"id;text\n"), ("b.csv", b"id,text\n"), ("c.tsv", b"id\ttext\n")):
        (tmp_path / name).write_bytes(data)
    assert [note.rpartition("/")[2] for note in source(tmp_path).notes()] == [
        "a.csv: values are separated by semicolons"
    ]


def test_a_folder_may_mix_kinds_and_name_columns(tmp_path):
    (tmp_path / "year=2026").mkdir()
    (tmp_path / "year=2026" / "a.csv").write_bytes(b"id,text\n1,one\n")
    (tmp_path / "b.jsonl").write_text('{"id": "2", "text": "two", "year": "2025"}\n')
    found = source(tmp_path, keep=["year"])
    found.check()
    assert said(rows_of(found)) == [("2", "two"), ("1", "one")]
    assert [batch.to_pylist() for batch in found.kept()] == [[{"year": "2025"}, {"year": "2026"}]]


def test_a_limit_of_rows_counts(tmp_path):
    (tmp_path / "in.csv").write_bytes(HEAD + b'1,"a\nb",5\n' * 10)
    found = source(tmp_path / "in.csv", limit=3, id="")
    assert (found.count_rows(), len(rows_of(found))) == (3, 3)


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────

CELLS = st.text(st.sampled_from("ab ,;\"\n\r\t'é"), max_size=6)


def split_text(text, columns, delimiter=","):
    found = ((number, line) for number, line in enumerate(io.BytesIO(text.encode()).readlines(), 1))
    return [record.values for record in split(found, delimiter, 1 << 20, columns)]


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5), st.sampled_from(",;\t"))
@example([['"', "\r\n"]], ",")
def test_what_a_writer_writes_comes_back(records, delimiter):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(records)
    assert split_text(out.getvalue(), 2, delimiter) == records


@given(st.text(st.sampled_from('ab,"\n'), max_size=40))
@example('"a\n"b\nc"d\n')
@example('a,"b\n""c\n')
def test_whatever_the_quotes_every_line_is_in_one_record_or_told(text):
    """As many letters come out as went in, or else a problem says where."""
    found = split_text(text, 2)
    lost = [values for values in found if isinstance(values, str)]
    letters = sum(
        value.count("a") + value.count("b") for values in found if not isinstance(values, str) for value in values
    )
    whole = text.count("a") + text.count("b")
    assert letters == whole if not lost else letters <= whole


@given(st.lists(st.sampled_from(["a,b", '"a",b', 'a,"b', '"a', 'a"b,c', '"a"b,c', 'a,"b,""c']), max_size=12))
def test_a_bad_line_never_takes_a_good_one_with_it(lines):
    """A good line without quotes after any others is a row of its own, unless it stands within quotes that close."""
    found = split_text("".join(f"{line}\n" for line in [*lines, "y,z"]), 2)
    assert found[-1] == ["y", "z"]


def test_a_run_reads_csv(job, server):
    (job.folder / "in.csv").write_text('id;text\n1;"Ann\nowes ""5"""\n2;Bob\n3;Eve;6\n')
    job.write(server.url, input={"path": "in.csv", "text": "text", "keep": ["text"]})
    checked = job.pipeline("check", job.file)
    assert "in.csv: values are separated by semicolons" in checked.out
    assert "3 rows in 1 files; 1 of them cannot be used" in checked.out
    job.run(code=1)
    assert [(row["status"], row["text"]) for row in job.results()] == [
        ("ok", 'Ann\nowes "5"'), ("ok", "Bob"), ("failed", None),
    ]  # fmt: skip
