"""What the published files have in common: names, the job's constants, and sums."""

import sys
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from msgspec import Struct, field

from pipeline.codes import Status
from pipeline.schema.arrow import RecordColumn

ROW_GROUP_ROWS = 4096  # lines in memory at once
COST = pa.decimal128(20, 10)


def cost_column(units: Sequence[int | None]) -> pa.Array:
    """Units of 1e-10 USD, 0 or more, as USD: they are what the column's decimals are made of, in 16 bytes each."""
    lower_halves = array("q", [number or 0 for number in units])
    both_halves = array("q", bytes(16 * len(units)))
    both_halves[sys.byteorder == "big" :: 2] = lower_halves
    known = None
    if None in units:
        known = pa.array([number is not None for number in units], pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(COST, len(units), [known, pa.py_buffer(both_halves)])


def batch_of(values: Mapping[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    """Columns by name, as arrays or as what these are made of, in the schema's order."""
    arrays = [
        found if isinstance(found := values[column.name], pa.Array) else pa.array(found, column.type)
        for column in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class View(Struct, frozen=True):
    """What the views need beside the ledger: the job's constants, the typed record and the kept columns."""

    provider: str
    model: str
    prompt_version: str
    feature: str
    stream: bool
    betas: tuple[str, ...]
    priced: bool
    per_chunk: bool  # merge = "none"
    record: RecordColumn
    kept_schema: pa.Schema
    documents: bool = False  # rows are files
    compared: bool = False  # records are held against the XML of e-invoices
    models: Mapping[str, tuple[str, str]] = {}  # NAME → provider and model, of those beside the job's [model]
    evidence: tuple[str, ...] = ()  # columns that there are because values are looked for in the document
    selects: bool = False  # not all chunks of a document may be asked about
    packs: bool = False  # a call may be about several rows
    fits: Callable[[str], bool] = lambda record: True  # noqa: ARG005 (whether a record of before is one of the schema as it is now)


class OutputTotals(Struct):
    """Sums over the published files, for run.json. `usd_units` is in 1e-10 USD."""

    total: int = 0
    ok: int = 0
    failed: int = 0
    pending: int = 0
    failed_by_code: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    usd_units: int = 0
    calls: int = 0
    rate_limited: int = 0
    repairs: int = 0
    repaired: int = 0
    answer_from: Counter[str] = field(default_factory=Counter)
    session: int = 0  # that publishes
    session_ends: Counter[Status] = field(default_factory=Counter)  # rows that it brought to an end itself
    previous: Counter[str] = field(default_factory=Counter)  # rows that show an earlier record, by its day
    previous_unfit: int = 0  # rows whose earlier record does not fit the schema as it is now
    packs: dict[str, int] = field(default_factory=dict)  # calls about several rows: calls, rows, apart; empty: none are
    model_rows: Counter[str] = field(default_factory=Counter)  # by NAME of the model that counted, "" is [model]
    model_calls: Counter[str] = field(default_factory=Counter)
    model_units: Counter[str] = field(default_factory=Counter)
