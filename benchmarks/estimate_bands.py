"""How often a run's cost lies in the band that was told after a pilot of 20 rows, over many seeded runs.

    python benchmarks/estimate_bands.py [--runs 200] [--rows 2000] [--pilot 20] [--real 3]

What is simulated: no HTTP. A pool of made-up invoices is planned by the pipeline, encoded by its own OpenAI wire, and
parsed, counted and answered by the sandbox's own rules (four bytes are a token, which the estimator is not told). Each
run draws its rows from that pool, and which answers are spoiled and repaired; then pilot, estimate and actual cost of
the rows that the pilot left are what the program would have worked out.
"""

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import orjson
from common import REPO, job_file
from msgspec.structs import replace

from pipeline.commands.estimate.counted import Counts, History, Seen
from pipeline.commands.estimate.estimator import Terms, estimate
from pipeline.commands.estimate.measure import Piece, overhead_of
from pipeline.commands.estimate.pilot import spread
from pipeline.extraction import requests as planning
from pipeline.extraction.prepare import Prepared, prepare
from pipeline.extraction.validate import repair_turns
from pipeline.job.file import load
from pipeline.job.settings import Prices
from pipeline.money import cost_usd
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.sandbox.exchange import no_reader, tokens_of
from pipeline.sandbox.rules import rules
from pipeline.sandbox.wires.openai.requests import question_of
from pipeline.schema.answer_size import answer_tokens
from pipeline.types import Chunk, Row, Usage

ITEMS = ("Copper kettle", "Descaling kit", "Pallet delivery", "Office paper A4", "Hosting, monthly", "Cable, 3 m")
NOTES = (
    "Please pay by bank transfer within thirty days and quote the number of this invoice in the reference. "
    "Goods remain our property until they are paid in full. Complaints are taken in writing within a week. "
)
SPOILED = (0.0, 0.02, 0.05, 0.10)  # share of answers that need a repair, one after the other
REAL = """
[input]
path = "rows.jsonl"
id = "id"
[extract]
schema = "{repo}/schemas/invoice.py:Invoice"
prompt = "Extract the invoice.\\n\\n{{text}}"
[model]
provider = "sandbox"
name = "gpt-4o-mini"
max_output_tokens = 8000
[limits]
max_failed_share = 1.0
[prices]
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.60
[sandbox]
seed = {seed}
invalid_output = {share}
[output]
path = "out"
"""
PROBLEM = ("net_total: Input should be a valid decimal",)


@dataclass(frozen=True, slots=True)
class Document:
    """One of the pool: its size by our count, and what the sandbox would say it used."""

    own_tokens: int
    chars: int
    asked: Usage
    repaired: Usage


@dataclass(frozen=True, slots=True)
class Told:
    """One run: the band told after the pilot, what the other rows cost, and what a plain mean of 20 would have said."""

    low: float
    expected: float
    high: float
    actual: float
    naive: float

    @property
    def inside(self) -> bool:
        return self.low <= self.actual <= self.high

    @property
    def error(self) -> float:
        return abs(self.expected - self.actual) / self.actual


def prepared_job(folder: Path) -> Prepared:
    """A job of the sandbox, at a price; its input is never read."""
    rows = folder / "rows.jsonl"
    rows.write_text('{"id": "1", "text": "x", "customer": "c"}\n')
    job = load(job_file(folder, "http://127.0.0.1:1", rows), [], None)
    prices = Prices(input_usd_per_mtok=Decimal("0.15"), output_usd_per_mtok=Decimal("0.60"))
    return prepare(replace(job, prices=prices))


def invoice(chance: random.Random) -> str:
    """As many lines as chance will have it, mostly few; and now and then a long letter around them."""
    lines, total = [f"Supplier {chance.randrange(10**4)} Ltd", f"Invoice No. {chance.randrange(10**6)}"], 0.0
    lines += [f"Date: {chance.randrange(1, 29)} May 2026", "", "Qty  Description   Unit price   Amount"]
    for _ in range(max(1, min(60, round(chance.lognormvariate(1.2, 0.8))))):
        count, price = chance.randrange(1, 20), chance.randrange(100, 90_000) / 100
        total += count * price
        lines.append(f"{count:3}  {chance.choice(ITEMS)}   {price:.2f}   {count * price:.2f}")
    lines += [f"Subtotal {total:.2f}", f"VAT 20% {total / 5:.2f}", f"Total due {total * 1.2:.2f} EUR"]
    return "\n".join(lines) + "\n\n" + NOTES * int(chance.lognormvariate(0.5, 1.0))


def pool_of(prepared: Prepared, count: int, seed: int = 1) -> list[Document]:
    chance, question, plan = random.Random(seed), overhead_of(prepared), prepared.plan
    wire = wire_for(prepared.job.model, prepared.shaped.shape, {})
    schema, documents = prepared.shaped.shape.schema, []
    for number in range(count):
        text = invoice(chance)
        tokens = prepared.counter.count(text)
        request = planning.extract_request(
            plan, Row(number, str(number), text_parts(text), None, {}), Chunk(0, 0, len(text), text_parts(text), tokens)
        )
        first = question_of(wire.body(request), no_reader)
        answer = orjson.dumps(rules.extract(first.document, schema)).decode()
        again = planning.repair_request(plan, request, repair_turns(request.turns, answer, PROBLEM), 0)
        mended = orjson.dumps(rules.repair(first.document, schema, PROBLEM[0])).decode()
        used = Usage(input_tokens=first.prompt_tokens, output_tokens=tokens_of(answer))
        asked = question_of(wire.body(again), no_reader)
        repaired = Usage(input_tokens=asked.prompt_tokens, output_tokens=tokens_of(mended))
        documents.append(Document(question.tokens(0, Piece(tokens)), len(text), used, repaired))
    return documents


def run(prepared: Prepared, pool: list[Document], rows: int, pilot: int, seed: int) -> Told:
    """Draw the rows, run the pilot, estimate the others, and look what they come to."""
    chance, share = random.Random(seed), SPOILED[seed % len(SPOILED)]
    drawn = [(one, chance.random() < share) for one in chance.sample(pool, rows)]
    by_size = sorted(range(rows), key=lambda place: (drawn[place][0].chars, place))
    chosen = {by_size[place] for place in spread(rows, pilot, str(seed))}
    seen = [_seen(*drawn[place]) for place in sorted(chosen)]
    rest = [drawn[place] for place in range(rows) if place not in chosen]
    tokens, fixed = sum(one.own_tokens for one, _ in rest), overhead_of(prepared).fixed_tokens
    counts = Counts(rows, 0, pilot, 0, len(rest), tokens, tokens - len(rest) * fixed, fixed)
    model = prepared.job.model
    terms = Terms(
        size=answer_tokens(prepared.shaped.shape.schema),
        max_output_tokens=model.max_output_tokens,
        limits=prepared.job.limits,
        rate=prepared.rate,
    )
    low, expected, high = estimate(counts, terms, History(tuple(seen), own=True, latency_s=None)).cost_usd
    actual = sum(_cost(prepared, *one) for one in rest)
    naive = len(rest) * statistics.fmean(_cost(prepared, *drawn[place]) for place in range(pilot))
    return Told(float(low), float(expected), float(high), actual, naive)


def _seen(one: Document, spoiled: bool) -> Seen:  # noqa: FBT001 (drawn with it)
    return Seen(one.own_tokens, one.asked, one.repaired if spoiled else Usage(), int(spoiled))


def _cost(prepared: Prepared, one: Document, spoiled: bool) -> float:  # noqa: FBT001 (drawn with it)
    cost = cost_usd(one.asked, prepared.rate)
    return float(cost + cost_usd(one.repaired, prepared.rate) if spoiled else cost)


def real(folder: Path, rows: int, pilot: int, seed: int) -> Told:
    """The same with nothing simulated but the provider: the program, its engine, HTTP and the sandbox."""
    folder.mkdir()
    chance, path = random.Random(seed), folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "text": invoice(chance)}) + "\n" for n in range(rows)))
    job = folder / "job.toml"
    job.write_text(REAL.format(repo=REPO, seed=seed, share=SPOILED[seed % len(SPOILED)]))
    program = [sys.executable, "-m", "pipeline"]
    words = [*program, "estimate", str(job), "--pilot", str(pilot), "--json"]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    done = subprocess.run([*program, "run", str(job), "--json"], check=False, capture_output=True, text=True)
    manifest = json.loads(done.stdout)
    assert manifest["rows"]["pending"] == 0, done.stderr
    with closing(sqlite3.connect(folder / "out" / "ledger.sqlite")) as db:
        sql = "SELECT COUNT(*) FROM calls WHERE session = 2 AND row IN (SELECT row FROM outcomes WHERE session = 1)"
        assert db.execute(sql).fetchone() == (0,), "a row of the pilot was paid for again"
    band = (float(found["cost_usd"][name]) for name in ("low", "expected", "high"))
    return Told(*band, float(manifest["cost_usd"]) - float(found["pilot"]["cost_usd"]), naive=float("nan"))


def report(told: list[Told]) -> dict[str, float]:
    return {
        "runs": len(told),
        "inside": sum(one.inside for one in told) / len(told),
        "median_error": statistics.median(one.error for one in told),
        "p95_error": sorted(one.error for one in told)[int(0.95 * len(told))],
        "mean_half_width": statistics.fmean((one.high - one.low) / 2 / one.expected for one in told),
        "naive_median_error": statistics.median(abs(one.naive - one.actual) / one.actual for one in told),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--rows", type=int, default=2000)
    options.add_argument("--pilot", type=int, default=20)
    options.add_argument("--pool", type=int, default=10_000)
    options.add_argument("--real", type=int, default=0, help="so many runs of the program itself, instead")
    options.add_argument("--seed", type=int, default=0, help="of the first run, and of the pool")
    given = options.parse_args()
    seeds = range(given.seed, given.seed + given.runs)
    with tempfile.TemporaryDirectory() as folder:
        if given.real:
            for seed in seeds[: given.real]:
                one = real(Path(folder) / str(seed), given.rows, given.pilot, seed)
                print(f"seed {seed}: {one}, inside {one.inside}, error {one.error:.1%}")
            return
        prepared = prepared_job(Path(folder))
        pool = pool_of(prepared, given.pool, given.seed)
        told = [run(prepared, pool, given.rows, given.pilot, seed) for seed in seeds]
    for share in (None, *SPOILED):
        some = [
            one for seed, one in zip(seeds, told, strict=True) if share is None or SPOILED[seed % len(SPOILED)] == share
        ]
        name = "all" if share is None else f"{share:.0%} need a repair"
        print(name, {key: round(value, 4) for key, value in report(some).items()})


if __name__ == "__main__":
    assert REPO.is_dir()
    main()
