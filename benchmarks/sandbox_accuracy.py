"""How well the sandbox's rules read the sample jobs: fields right of fields compared, in process, without a server.

The invoices are held against `sample_data/invoices_expected.jsonl`. Nobody has written down what the longer documents
say: of those, how many parts give a record that fits, and how often each field has something in it.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from pipeline.sandbox.rules.rules import extract
from pipeline.schema.shape import load_model, restore, shape_for

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_data"
SUMS = frozenset({"net_total", "tax_total", "gross_total"})
PART_CHARS = 3_600  # about the 900 tokens of a chunk in jobs/nightly_documents.toml


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows that hold a text; some of the samples are broken on purpose."""
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        text = row.get("text", "none")
        if isinstance(text, str) and text.strip():
            yield row


def answered(text: str, model: type[BaseModel]) -> Mapping[str, Any]:
    """The record as a run gets it: asked for in the dialect, sent as JSON, turned back; not yet validated."""
    shaped = shape_for(model, "openai", "auto")
    sent = orjson.dumps(extract(text, shaped.shape.schema))
    return restore(shaped, json.loads(sent, parse_float=Decimal))


def same(key: str, record: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    if key == "line_amounts":
        return [Decimal(line["amount"]) for line in record["lines"]] == [Decimal(one) for one in expected[key]]
    if key in SUMS:
        return Decimal(record[key]) == Decimal(expected[key])
    return bool(record[key] == expected[key])


def invoices() -> None:
    model = load_model(f"{ROOT / 'schemas' / 'invoice.py'}:Invoice")
    expected = {row["id"]: row for row in rows(SAMPLES / "invoices_expected.jsonl")}
    texts = {row["id"]: row["text"] for row in reversed(list(rows(SAMPLES / "invoices.jsonl")))}
    right, compared, whole = Counter[str](), Counter[str](), 0
    begun = time.process_time()
    for name, row in expected.items():
        record = answered("Extract the invoice below.\n\n" + texts[name], model)
        keys = [key for key in row if key != "id"]
        wrong = [key for key in keys if not same(key, record, row)]
        compared.update(keys)
        right.update(set(keys) - set(wrong))
        whole += not wrong
        if wrong:
            print(f"  {name}: wrong are {', '.join(wrong)}")
    seconds = time.process_time() - begun
    for key, count in compared.items():
        print(f"  {key:20} {right[key]:4} / {count}")
    share = right.total() / compared.total()
    print(f"invoices: {right.total()} / {compared.total()} fields right ({share:.2%})")
    print(f"          {whole} / {len(expected)} records right, {1000 * seconds / len(expected):.1f} ms of CPU each")


def documents() -> None:
    model = load_model(f"{ROOT / 'schemas' / 'document.py'}:Document")
    parts = [
        row["text"][at : at + PART_CHARS]
        for path in sorted(SAMPLES.glob("documents/*.jsonl"))
        for row in rows(path)
        for at in range(0, len(row["text"]), PART_CHARS)
    ]
    filled, valid = Counter[str](), 0
    for text in parts:
        record = answered("Extract the facts from this part of a document.\n\n" + text, model)
        filled.update(key for key, value in record.items() if value)
        try:
            model.model_validate_json(json.dumps(record, default=str))
        except ValidationError:
            continue
        valid += 1
    print(f"documents: {valid} / {len(parts)} parts valid")
    print("           something in", ", ".join(f"{key} {count}" for key, count in filled.items()))


if __name__ == "__main__":
    invoices()
    documents()
