"""An output folder made by hand, and known answers beside it, for what compares them."""

import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from pipeline.cli import main

LINE = pa.struct([("what", pa.string()), ("count", pa.int64()), ("amount", pa.decimal128(14, 2))])
RECORD = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("total", pa.decimal128(14, 2)),
        pa.field("share", pa.float64()),
        pa.field("day", pa.date32()),
        pa.field("paid", pa.bool_()),
        pa.field("seller", pa.struct([("city", pa.string()), ("zip", pa.string())])),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("lines", pa.list_(LINE)),
        pa.field("more", pa.string(), metadata={b"encoding": b"json"}),
    ]
)
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("country", pa.string()),
        ("status", pa.string()),
        ("record", RECORD),
        ("error_code", pa.string()),
        ("model", pa.string()),
        ("cost_usd", pa.decimal128(20, 10)),
        ("answer_from", pa.string()),
        ("cost_total_usd", pa.decimal128(20, 10)),
        ("document", pa.struct([("media_type", pa.string()), ("pages", pa.int32())])),
    ]
)
FULL = {
    "name": "Ölmühle Süd",
    "total": Decimal("1234.50"),
    "share": 0.3,
    "day": date(2026, 5, 14),
    "paid": True,
    "seller": {"city": "Mockbury", "zip": "00012"},
    "tags": ["a", "b"],
    "lines": [
        {"what": "kettle", "count": 12, "amount": Decimal("294.00")},
        {"what": "pallet", "count": 1, "amount": Decimal("38.00")},
    ],
    "more": '{"terms": "net", "days": 30}',
}
SAID = {  # the same as JSON has it
    **FULL,
    "total": "1234.50",
    "day": "2026-05-14",
    "lines": [{**line, "amount": str(line["amount"])} for line in FULL["lines"]],
    "more": {"terms": "net", "days": 30},
}


def row(row_id, record=FULL, **columns):
    """A line of results.parquet, ok if it has a record; each costs a cent."""
    cent = Decimal("0.01")
    ok = {"status": "ok"} if record is not None else {"status": "failed", "error_code": "refused"}
    costs = {"cost_usd": cent, "cost_total_usd": cent, "answer_from": "call"}
    return {"id": row_id, "record": record, "model": "m1", **ok, **costs, **columns}


def output(folder, rows, schema=SCHEMA):
    """An output folder with these results."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"row": number, **line} for number, line in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "results.parquet")
    return folder


def answers(path, records):
    """JSON lines of id → record."""
    lines = [json.dumps({"id": row_id, "record": record}, default=str) for row_id, record in records.items()]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def called(*words):
    """`pipeline` in this process: (exit code, standard output, standard error)."""
    ended = CliRunner().invoke(main, [*map(str, words)], prog_name="pipeline")
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.exit_code, ended.stdout, ended.stderr
