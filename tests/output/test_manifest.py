"""run.json is written key for key, and byte for byte, as it always was; older and newer ones can be read."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from scripted_server import Scripted

from pipeline.cli import main
from pipeline.output.manifest import TABLES, CacheUse, Manifest, RowCounts, read_manifest
from pipeline.types import Usage

GOLDEN = Path(__file__).parent.parent / "golden"
CHANGING = {  # what differs from run to run
    r'"(started_at|ended_at)": "[^"]+"': r'"\1": "AT"',
    r'"(seconds|hit_rate)": [0-9.]+': r'"\1": 0.0',
    r'"at": "[^"]+"': '"at": "AT"',
    r'"(schema_hash|input_fingerprint)": "\w+"': r'"\1": "HASH"',
    r'"price_table": "[^"]+"': '"price_table": "TABLE"',
    r'"waited_share": \{[^}]*\}': '"waited_share": {}',
    r'(?s)"job": \{.*?\n  \}': '"job": {}',
}

JOB = {"name": "n", **{table: {} for table in TABLES}}


def plain(text):
    for pattern, instead in CHANGING.items():
        text = re.sub(pattern, instead, text)
    return text


def test_run_json_is_written_as_it_always_was(job, server):
    """While a run goes on, at its end, parked, and without a price: the same keys in the same order and form."""
    going = []

    def script(document, nth, body):
        going.append((job.out / "run.json").read_text())
        return Scripted(text="no JSON") if document == "bäd" else None

    server.script = script
    rows = [{"id": "a", "text": "one"}, {"id": "b", "text": "bäd"}, {"id": "c"}, {"id": "d", "text": "one"}]
    job.write(server.url, rows=rows, more='name = "Nächte"\nprompt_version = "v1"\n', limits={"concurrency": 1})
    written = []
    for flags in ([], ["--max-usd", "0.0000001"], ["--set", "model.name=nobodys-model"]):
        CliRunner().invoke(
            main, ["run", str(job.file), "--fresh", "--yes", *flags], env={"OPENAI_API_KEY": "sk-golden"}
        )
        written.append((job.out / "run.json").read_text())
    found = [plain(text) for text in (going[0], *written)]
    assert "".join(found) == (GOLDEN / "run.json.txt").read_text()


def test_what_is_written_is_read_again(tmp_path):
    """With what an event of any kind may hold, and no cost as ten decimals."""
    events = ({"event": "tuned", "before": {"max_usd": None}, "after": {"max_usd": "2"}},)
    kept = Manifest(
        state="parked", rows=RowCounts(3, 1, 1, 1), tokens=Usage(5, 4, 3, 2, 1), cost_usd=Decimal("0E-10"), seconds=1.5,
        caching=CacheUse("on", 0.1), job=JOB, waited_share={"budget": 0.5}, events=events, advice=("less",),
    )  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(kept.as_json()))
    assert read_manifest(tmp_path) == kept
    assert '"cost_usd": "0.0000000000"' in (tmp_path / "run.json").read_text()


def test_an_older_and_a_newer_run_json_can_be_read(tmp_path):
    """What is missing has its default; what is not known is passed over, at any depth."""
    old = {
        "state": "finished",
        "rows": {"total": 2},
        "seconds": 3,
        "job": JOB,
        "new": [1],
        "tokens": {"input_tokens": 7, "new": 1},
    }
    (tmp_path / "run.json").write_text(json.dumps(old))
    found = read_manifest(tmp_path)
    assert found == Manifest(state="finished", rows=RowCounts(2), seconds=3.0, tokens=Usage(7), job=JOB)
    assert (found.cost_usd, found.caching, found.events, found.waited_share) == (None, None, (), {})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"rows": 3}', '{"cost_usd": "much"}'])
def test_what_is_no_run_json_is_none(tmp_path, text):
    assert read_manifest(tmp_path) is None
    (tmp_path / "run.json").write_text(text)
    assert read_manifest(tmp_path) is None
