"""Results as CSV and JSON lines: nothing rounded, nothing lost, and nothing that a spreadsheet runs."""

import csv
import datetime as dt
import io
import json
import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.export import ACTS, export, whole_file
from pipeline.errors import JobError

RECORD = pa.struct(
    [
        ("name", pa.string()),
        ("total", pa.decimal128(38, 10)),
        ("day", pa.date32()),
        ("paid", pa.bool_()),
        ("seller", pa.struct([("city", pa.string())])),
        ("lines", pa.list_(pa.struct([("price", pa.decimal128(12, 2))]))),
    ]
)
SCHEMA = pa.schema([("row", pa.int64()), ("id", pa.string()), ("status", pa.string()), ("record", RECORD)])
FULL = {
    "name": "=cmd|' /C calc'!A0",
    "total": Decimal("-1234567890123456789012345678.0123456789"),
    "day": dt.date(2026, 11, 25),
    "paid": True,
    "seller": {"city": "@SUM(A1)"},
    "lines": [{"price": Decimal("1.10")}],
}


def written(folder, rows):
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / "results.parquet")
    return folder


def exported(folder, form, **how):
    out = io.StringIO(newline="")
    count = export(folder, form, out, **{"raw": False, **how})
    return out.getvalue(), count


@pytest.fixture
def folder(tmp_path):
    rows = [{"row": 0, "id": "a", "status": "ok", "record": FULL}, {"row": 1, "id": "b", "status": "failed"}]
    return written(tmp_path, rows)


def test_csv_has_a_column_for_every_field_and_runs_nothing(folder):
    """Numbers keep their sign and every digit; lists are JSON; null is empty."""
    text, count = exported(folder, "csv")
    first, second = csv.DictReader(io.StringIO(text))
    assert count == 2
    assert first == {
        "row": "0", "id": "a", "status": "ok", "record.name": "'=cmd|' /C calc'!A0",
        "record.total": "-1234567890123456789012345678.0123456789", "record.day": "2026-11-25", "record.paid": "true",
        "record.seller.city": "'@SUM(A1)", "record.lines": '[{"price": "1.10"}]',
    }  # fmt: skip
    assert (second["id"], second["record.name"], second["record.seller.city"]) == ("b", "", "")


def test_raw_csv_and_json_lines_have_the_texts_as_they_are(folder):
    """For programs."""
    first, _ = csv.DictReader(io.StringIO(exported(folder, "csv", raw=True)[0]))
    assert first["record.name"] == FULL["name"]
    line = json.loads(exported(folder, "jsonl")[0].splitlines()[0])
    assert line["record"]["name"] == FULL["name"]
    assert Decimal(line["record"]["total"]) == FULL["total"]
    assert line["record"]["lines"] == [{"price": "1.10"}]


@given(st.text())
def test_no_cell_begins_with_what_a_spreadsheet_acts_on_and_each_comes_back(tmp_path_factory, text):
    """Whatever a document says: quotes, line ends and NUL included."""
    said = text.encode("utf-8", "replace").decode()
    folder = written(tmp_path_factory.mktemp("x"), [{"row": 0, "id": said, "status": "ok"}])
    (line,) = csv.DictReader(io.StringIO(exported(folder, "csv")[0], newline=""))
    assert not line["id"].startswith(ACTS)
    acts = said.startswith(ACTS)
    assert line["id"] == ("'" if acts else "") + said.replace("\x00", "\ufffd")


NANOS = 1_715_000_000_123_456_789
EXACT = "2024-05-06T12:53:20.123456789"
AWKWARD = [
    (pa.timestamp("ns"), NANOS, EXACT),
    (pa.timestamp("ns", "UTC"), NANOS, f"{EXACT}+00:00"),
    (pa.timestamp("ns", "Europe/Berlin"), NANOS, "2024-05-06T14:53:20.123456789+02:00"),
    (pa.timestamp("ns"), -1, "1969-12-31T23:59:59.999999999"),
    (pa.timestamp("ns"), None, None),
    (pa.time64("ns"), 1_000_000_001, "00:00:01.000000001"),
    (pa.duration("ns"), -1_500_000_000, -1.5),
    (pa.duration("us"), 2**62, 2**62 / 10**6),
    (pa.date32(), 2932897, "10000-01-01"),
    (pa.timestamp("ms"), 253402300800000, "10000-01-01T00:00:00.000"),
    (pa.uuid(), b"\x00" * 16, "00000000-0000-0000-0000-000000000000"),
    (pa.float64(), float("nan"), None),
    (pa.float64(), float("-inf"), None),
    (pa.float32(), 0.5, 0.5),
]


def kept(folder, kind, *values):
    plain = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    storage = pa.array(values, plain)
    column = pa.ExtensionArray.from_storage(kind, storage) if plain is not kind else storage
    inner = pa.StructArray.from_arrays([column], ["k"])
    lists = pa.ListArray.from_arrays(list(range(len(values) + 1)), column)
    pairs = pa.MapArray.from_arrays(list(range(len(values) + 1)), pa.array(["m"] * len(values)), column)
    table = pa.table({"k": column, "s": inner, "l": lists, "m": pairs})
    pq.write_table(table, folder / "results.parquet")
    return folder


def strictly(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(("kind", "value", "told"), AWKWARD)
def test_what_python_or_json_has_no_value_for_is_written(tmp_path, kind, value, told):
    """Nanoseconds with all nine digits, times beyond year 9999, NaN and Infinity as null; nested too."""
    text, _ = exported(kept(tmp_path, kind, value, value), "jsonl")
    lines = [strictly(line) for line in text.splitlines()]
    assert lines == [{"k": told, "s": {"k": told}, "l": [told], "m": [["m", told]]}] * 2


@pytest.mark.parametrize(("kind", "value", "told"), [one for one in AWKWARD if one[2] is not None])
def test_the_same_values_are_cells(tmp_path, kind, value, told):
    (line,) = csv.DictReader(io.StringIO(exported(kept(tmp_path, kind, value), "csv")[0], newline=""))
    assert (line["k"], line["s.k"], strictly(line["l"])) == (str(told), str(told), [told])


def test_an_export_that_fails_leaves_what_was_there(tmp_path, folder):
    """No file that holds a header alone; a link stays one, and a file its permissions."""
    target, link = tmp_path / "x.csv", tmp_path / "link.csv"
    target.write_text("before")
    target.chmod(0o600)
    link.symlink_to(target)
    with pytest.raises(ZeroDivisionError), whole_file(link) as out:
        print("half", 1 // out.write(""), file=out)
    assert target.read_text() == "before"
    with whole_file(link) as out:
        export(folder, "csv", out, raw=False)
    assert target.read_text().startswith("row,id")
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"x.csv", "link.csv", "results.parquet"}


def test_what_is_no_file_is_written_to(folder):
    with whole_file(Path(os.devnull)) as out:
        assert export(folder, "csv", out, raw=False) == 2
    assert not Path(os.devnull).is_file()


def test_the_verb_writes_a_file_or_standard_output(job, server):
    """And says what is missing when there is nothing."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}])
    job.out.mkdir()
    assert "no results.parquet here" in job.pipeline("export", job.out, code=2).err
    job.run()
    (line,) = csv.DictReader(io.StringIO(job.pipeline("export", job.out, code=0).out))
    assert (line["id"], line["status"]) == ("a", "ok")
    target = job.folder / "all.jsonl"
    job.pipeline("export", job.out, "--format", "jsonl", "--to", target, code=0)
    assert json.loads(target.read_text())["id"] == "a"
    assert "cannot be written" in job.pipeline("export", job.out, "--to", job.folder / "no" / "x.csv", code=2).err


def test_a_damaged_file_is_told_with_how_to_have_it_again(folder):
    """From its first byte, and from where a page is broken: what can be read ends at once, with what to do."""
    path = folder / "results.parquet"
    whole = path.read_bytes()
    for damaged in (b"garbage", whole[:40] + bytes(200) + whole[240:]):
        path.write_bytes(damaged)
        with pytest.raises(JobError, match=r"results.parquet: cannot be read: .* run the job once more"):
            exported(folder, "csv")
