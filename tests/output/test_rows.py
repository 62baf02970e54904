"""results.parquet over a ledger of before: its types may be others today, and a record may be one that none may be."""

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import pyarrow as pa
import pytest
from scripted_server import Scripted

from pipeline.schema import fields, kinds, shape
from pipeline.schema.record_json import RecordWriter

SCHEMA = """
from decimal import Decimal
from pydantic import BaseModel, field_validator

class Thing(BaseModel):
    name: str
    total: Decimal

    @field_validator("name")
    @classmethod
    def _known(cls, name):
        return None if name == "unknown" else name
"""
ANSWERS = {
    "plain": '{"name": "a", "total": "1.50"}',
    "long": '{"name": "b", "total": "0.12345678901"}',
    "null": '{"name": "unknown", "total": "2"}',
}


@pytest.fixture
def before(job, server, monkeypatch):
    """A night of an earlier version: Decimals were text, and null was not looked at."""
    server.script = lambda document, nth, body: Scripted(text=ANSWERS[document])
    job.write(server.url, rows=[{"id": name, "text": name} for name in ANSWERS])
    (job.folder / "thing.py").write_text(SCHEMA)
    with monkeypatch.context() as patched:
        patched.setattr(fields, "_of_decimal", lambda _: kinds.SIMPLE[str])
        patched.setattr(fields, "_takes_null", lambda _: True)
        job.run()
    assert job.table().schema.field("record").type.field("total").type == pa.string()
    assert [row["status"] for row in job.results()] == ["ok"] * 3
    return job


def test_records_of_before_are_published_with_the_types_of_today(before, server):
    """What has no place there is told, by row and field; the others are there, and nothing is asked."""
    sent = server.sent
    before.run(code=1)
    assert server.sent == sent
    plain, long, null = before.results()
    assert (plain["status"], plain["record"]) == ("ok", {"name": "a", "total": Decimal("1.50")})
    for row, told in ((long, "total: 0.12345678901 has more digits than decimal128(38, 9)"), (null, "name is null")):
        assert (row["status"], row["error_code"], row["record"]) == ("failed", "invalid_output", None)
        assert row["error"].startswith(f"internal error: row {row['row']} is ok on the ledger, but the record")
        assert told in row["error"]
    assert before.reconcile()["failed_by_code"] == {"invalid_output": 2}
    problem = "row 1 is ('long', 'failed', 'invalid_output'), the ledger says ('long', 'ok', None)"
    assert problem in before.pipeline("verify", before.out, code=1).out


def test_a_schema_that_is_mended_has_them_for_nothing(before, server):
    """The types that a column has are the user's to say: no request changes by it."""
    mended = SCHEMA.replace("total: Decimal", "total: Annotated[Decimal, pyarrow.decimal128(38, 18)]")
    mended = "from typing import Annotated\nimport pyarrow\n" + mended.replace('None if name == "unknown" else ', "")
    (before.folder / "thing.py").write_text(mended)
    sent = server.sent
    before.run()
    assert server.sent == sent
    assert [(row["record"]["name"], row["record"]["total"]) for row in before.results()] == [
        ("a", Decimal("1.50")),
        ("b", Decimal("0.12345678901")),
        ("unknown", Decimal(2)),
    ]
    before.pipeline("verify", before.out, code=0)


ALIASED = """
import datetime as dt
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

class Thing(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, serialize_by_alias=True)
    unit_price: int
    when: dt.date = Field(exclude=True)
"""


def test_what_an_earlier_version_has_emptied_is_worked_out_anew_for_nothing(job, server, monkeypatch):
    """It kept what the model's own dump was, and called it ok."""
    server.script = lambda document, nth, body: Scripted(text='{"unitPrice": 3, "when": "2024-05-06"}')
    job.write(server.url, rows=[{"id": "a", "text": "x"}])
    (job.folder / "thing.py").write_text(ALIASED)
    with monkeypatch.context() as patched:
        patched.setattr(RecordWriter, "json", lambda self, record: record.model_dump_json())
        patched.setattr(shape, "writer_of", lambda model: SimpleNamespace(differs=False))
        patched.setattr(fields, "_takes_null", lambda _: True)
        job.run()
    assert job.results()[0]["record"] == {"unit_price": None, "when": None}
    job.run()
    assert job.results()[0]["record"] == {"unit_price": 3, "when": dt.date(2024, 5, 6)}
    assert server.sent == 1
    job.pipeline("verify", job.out, code=0)


ODD = """
import datetime as dt
from typing import Any
from pydantic import Base64Str, BaseModel, ConfigDict, Field, Json, SecretStr, computed_field, model_serializer

class Thing(BaseModel):
    model_config = ConfigDict(extra="allow")
    when: dt.date = Field(exclude=True)
    pin: SecretStr
    text: Base64Str
    parsed: Json[dict[str, int]]
    either: int | str
    share: float = float("nan")

    @computed_field
    @property
    def twice(self) -> str:
        return 2 * self.pin.get_secret_value()

    @model_serializer
    def _nothing(self) -> dict[str, Any]:
        return {}
"""


def test_values_are_published_verified_and_told_alike(job, server):
    answer = (
        '{"when": "2024-05-06", "pin": "12", "text": "aGk=", "parsed": "{\\\\"a\\\\": 1}", "either": "x", "more": 1}'
    )
    server.script = lambda document, nth, body: Scripted(text=answer.replace("\\\\", "\\"))
    job.write(server.url, rows=[{"id": "a", "text": "x"}], extract={"mode": "json_object"})
    (job.folder / "thing.py").write_text(ODD)
    job.run()
    (row,) = job.results()
    record = row["record"]
    assert str(record.pop("when")) == "2024-05-06"
    assert str(record.pop("share")) == "nan"
    assert record == {
        "pin": "12", "text": "hi", "parsed": '{"a": 1}', "either": '"x"', "twice": "1212", "model_extra": '{"more": 1}',
    }  # fmt: skip
    job.pipeline("verify", job.out, code=0)
    assert '"when": "2024-05-06"' in job.pipeline("show", job.file, "a", code=0).out
