"""What `chunks.pack` saves, and what it costs in accuracy: `python benchmarks/packs.py`, through the local sandbox.

The sandbox is no model: it reads each document of a pack by itself, by rules, so that its accuracy says only that
records come back to their rows. What a model loses when it reads eight documents at once, a pilot with the real one
tells: `pipeline eval` of a run with `pack = 1`, and of one with more.
"""

import json
import random
import tempfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pipeline
from pipeline.commands.evaluate.evaluate import evaluate

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_data"
RECEIPT = '''
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, Field


class Receipt(BaseModel):
    """A receipt."""

    invoice_number: str = Field(description="Number of the receipt")
    issued_on: date
    gross_total: Decimal = Field(description="What was paid, with tax")
'''
QUIET = {
    "limits.max_failed_share": 1.0,
    "sandbox.latency_ms": 0.0,
    "sandbox.throttled": 0.0,
    "sandbox.server_error": 0.0,
    "sandbox.invalid_output": 0.0,
}


def invoices(folder: Path) -> tuple[dict[str, Any], int]:
    """The samples, with what is known of them, as `eval` takes it."""
    known = [json.loads(line) for line in (SAMPLES / "invoices_expected.jsonl").read_text().splitlines()]
    with (folder / "golden.jsonl").open("w") as golden:
        for one in known:
            record = {name: value for name, value in one.items() if name not in {"id", "line_amounts"}}
            golden.write(json.dumps({"id": one["id"], "record": record}) + "\n")
    return {}, len(known)


def receipts(folder: Path, count: int = 1000) -> tuple[dict[str, Any], int]:
    """Short rows, made up."""
    chance = random.Random(7)
    with (folder / "rows.jsonl").open("w") as rows, (folder / "golden.jsonl").open("w") as golden:
        for number in range(count):
            total, day = Decimal(chance.randrange(100, 90_000)) / 100, f"2026-{1 + number % 12:02}-{1 + number % 28:02}"
            text = f"Corner Bakery\nReceipt no: R-{number:05}\nDate: {day}\nTotal incl. tax: EUR {total}\nThank you!"
            rows.write(json.dumps({"id": f"r{number}", "text": text}) + "\n")
            record = {"invoice_number": f"R-{number:05}", "issued_on": day, "gross_total": str(total)}
            golden.write(json.dumps({"id": f"r{number}", "record": record}) + "\n")
    (folder / "receipt.py").write_text(RECEIPT)
    settings = {"input.path": str(folder / "rows.jsonl"), "extract.schema": f"{folder / 'receipt.py'}:Receipt"}
    settings |= {"input.tenant": "", "input.keep": [], "extract.prompt": "Read the receipt below.\n\n{text}"}
    return {**settings, "model.max_output_tokens": 256}, count


def measured(folder: Path, settings: Mapping[str, Any], pack: int) -> str:
    out = folder / f"out-{pack}"
    given = {**QUIET, **settings, "chunks.pack": pack, "output.path": str(out)}
    result = pipeline.run(pipeline.Job.load(ROOT / "jobs" / "invoices.toml", set=given))
    told = evaluate(out, folder / "golden.jsonl")
    run = json.loads((out / "run.json").read_text())
    asked = run["rows"]["total"] - run["failed_by_code"].get("bad_row", 0) - run["free_rows"]
    usd, calls = (1000 * float(run["cost_usd"]) / asked, 1000 * run["calls"] / asked)
    assert result.exit_code == 0
    tokens = run["tokens"]
    return (
        f"  pack = {pack}: {calls:5.0f} requests and ${usd:.4f} per 1,000 rows, "
        f"{tokens['input_tokens'] / asked:.0f} + {tokens['output_tokens'] / asked:.0f} tokens a row, "
        f"accuracy {told['accuracy']:.4f}, records {told['record_accuracy']:.4f}"
    )


def sets() -> Iterator[tuple[str, Any]]:
    yield "sample invoices", invoices
    yield "1,000 short receipts", receipts


def main() -> None:
    for name, made in sets():
        with tempfile.TemporaryDirectory() as folder:
            settings, rows = made(Path(folder))
            print(f"{name}: {rows}")
            for pack in (1, 4, 8, 16):
                print(measured(Path(folder), settings, pack))


if __name__ == "__main__":
    main()
