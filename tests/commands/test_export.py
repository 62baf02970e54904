"""Results as CSV and JSON lines: nothing rounded, nothing lost, and nothing that a spreadsheet runs."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.export import ACTS, export

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


def test_the_verb_writes_a_file_or_standard_output(job, server):
    """And says what is missing when there is nothing."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}])
    assert "no results.parquet here" in job.pipeline("export", job.out, code=2).err
    job.run()
    (line,) = csv.DictReader(io.StringIO(job.pipeline("export", job.out, code=0).out))
    assert (line["id"], line["status"]) == ("a", "ok")
    target = job.folder / "all.jsonl"
    job.pipeline("export", job.out, "--format", "jsonl", "--to", target, code=0)
    assert json.loads(target.read_text())["id"] == "a"
    assert "cannot be written" in job.pipeline("export", job.out, "--to", job.folder / "no" / "x.csv", code=2).err
