"""The columns of a row and of a call: in the ledger, in the published files, and in what is told of a run."""

from pathlib import Path

import pyarrow as pa
import pytest
from msgspec.structs import asdict, replace
from pydantic import BaseModel

from pipeline.columns import FILE_COLUMNS, MODELS_COLUMNS, RESULT_COLUMNS
from pipeline.errors import JobError
from pipeline.extraction.prepare import prepare
from pipeline.job.file import resolve
from pipeline.ledger.records import CALL_COLUMNS, SEND_COLUMNS, Call, Send, call_values, send_values
from pipeline.output.calls import CALL_SCHEMA
from pipeline.output.rows import COLUMN_TYPES, results_schema
from pipeline.output.write import View
from pipeline.schema.arrow import RecordColumn
from pipeline.telemetry.fields import call_fields
from pipeline.types import Purpose, Usage

GOLDEN = Path(__file__).parent.parent / "golden"
UNPUBLISHED = {"run", "session", "error", "at_risk_units"}  # of the ledger's columns
OTHERWISE = {"sent_us": "sent_at", "cost_units": "cost_usd", "tenant": "tenant_hash"}  # the published one's name
OF_THE_JOB = {"provider", "model", "betas", "stream", "feature", "prompt_version"}
CALL = Call(
    Send("q", 1, "r1", 2, Purpose.REPAIR, 3, 4, 5, "t"), 6, 7, Usage(8, 9, 10, 11, 12), 13, 14, 200, "p", "v",
    "timeout", "e", "stop", 15,
)  # fmt: skip


def job_of(**sections):
    return resolve(
        {
            "input": {"path": "in.jsonl", **sections},
            "extract": {"schema": "thing.py:Thing", "prompt": "{text}"},
            "model": {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 100},
            "output": {"path": "out"},
        },
        GOLDEN / "made_up.toml",
    )


def test_a_call_is_told_in_the_columns_that_it_is_published_in():
    """The time it was sent at is told beside them, by whoever knows its form."""
    assert list(call_fields(CALL, job_of())) == [name for name in CALL_SCHEMA.names if name != "sent_at"]


def test_the_columns_of_calls_are_the_ledgers_and_the_jobs():
    published = {OTHERWISE.get(name, name) for name in CALL_COLUMNS} - UNPUBLISHED
    assert set(CALL_SCHEMA.names) == published | OF_THE_JOB | {"retry_count", "lane", "batch_id"}


@pytest.mark.parametrize(
    ("columns", "values", "parts"),
    [
        (CALL_COLUMNS, call_values(CALL, 16, 17)[:-1], (CALL, CALL.send, CALL.usage)),
        (SEND_COLUMNS, send_values(CALL.send, 17), (CALL.send,)),
    ],
)
def test_every_value_of_a_record_stands_in_its_column(columns, values, parts):
    """Records are tuples: a value in its neighbour's place would be a wrong figure, and no error."""
    known = {"run": 16, "session": 17}
    for part in reversed(parts):
        known |= asdict(part)
    assert dict(zip(columns, values, strict=True)) == {name: known[name] for name in columns}


@pytest.mark.parametrize("per_chunk", [False, True])
def test_the_results_have_the_columns_that_no_kept_one_may_be_called(per_chunk):
    """With those of the input between what names a row and what became of it."""

    class Thing(BaseModel):
        name: str

    kept = pa.schema([("customer", pa.string())])
    view = View("p", "m", "v", "f", False, (), True, per_chunk, RecordColumn(Thing), kept)
    before = 3 if per_chunk else 2
    ours = [name for name in RESULT_COLUMNS if per_chunk or name != "chunk"]
    assert results_schema(view).names == [*ours[:before], "customer", *ours[before:]]
    assert {*COLUMN_TYPES, "record"} == {*RESULT_COLUMNS, *FILE_COLUMNS, *MODELS_COLUMNS}
    of_files = replace(view, documents=True, compared=True)
    assert results_schema(of_files).names == [*ours[:before], "customer", *ours[before:], *FILE_COLUMNS]


@pytest.mark.parametrize("name", RESULT_COLUMNS)
def test_no_column_of_the_results_can_be_kept_of_the_input(name):
    with pytest.raises(JobError, match=f"input.keep names '{name}', which is a column of the results already"):
        prepare(job_of(keep=[name]))
