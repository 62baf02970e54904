"""`estimate --pilot N`: some rows run for real, by the same engine into the same ledger, to estimate the others by.

What they cost is paid once: the run that follows finds their outcomes. The rows are spread over all sizes, one out of
each of N equal parts of the rows by length, at a place that depends on the input alone.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.commands.estimate.counted import Counts
from pipeline.commands.estimate.measure import other_text, rows_to_send
from pipeline.engine.feed import Selection
from pipeline.engine.run import run_job
from pipeline.engine.session import Host, RunCommand
from pipeline.errors import JobError
from pipeline.extraction.prepare import Prepared
from pipeline.ledger.files import reading
from pipeline.ledger.queries import last_session_work
from pipeline.money import Band, dollars, from_units
from pipeline.output.manifest import read_run
from pipeline.output.publish import Ended
from pipeline.parts import files_of
from pipeline.types import Row

CHARS_PER_TOKEN = 4
REASON = "pilot"  # why run.json is parked, with all other rows pending


class Piloted(Struct, frozen=True):
    """`rows` came to an outcome in this pilot; `on_record` had one before. `ended` is None when nothing was sent."""

    rows: int
    on_record: int
    cost_usd: Decimal | None
    ended: Ended | None

    def as_json(self) -> dict[str, Any]:
        cost = None if self.cost_usd is None else f"{self.cost_usd:.10f}"
        return {"rows": self.rows, "on_record": self.on_record, "cost_usd": cost}


class Whole(Struct, frozen=True):
    """What all rows of the input come to: what this run has cost so far, and the estimate of the rest."""

    rows: int
    spent_usd: Decimal
    usd: Band[Decimal]

    def as_json(self) -> dict[str, Any]:
        low, expected, high = self.usd.each(lambda amount: f"{amount:.10f}")
        bands = {"low": low, "expected": expected, "high": high}
        return {"rows": self.rows, "spent_usd": f"{self.spent_usd:.10f}", "cost_usd": bands}

    def __str__(self) -> str:
        low, expected, high = self.usd.each(dollars)
        spent = dollars(self.spent_usd)
        return f"all {self.rows:,} rows come to about {expected} ({low} to {high}), of which {spent} are spent"


def whole(prepared: Prepared, rest_usd: Mapping[str, str] | None) -> Whole | None:
    """The pilot's cost and the rest's, together; None where the model has no price or nothing was run."""
    manifest = read_run(prepared.output_folder)
    if rest_usd is None or manifest is None or manifest.cost_usd is None:
        return None
    spent = manifest.cost_usd
    rest = Band(*(Decimal(rest_usd[name]) for name in ("low", "expected", "high")))
    return Whole(manifest.rows.total, spent, rest.each(lambda amount: amount + spent))


def pilot(prepared: Prepared, rows: int, environ: Mapping[str, str], host: Host) -> Piloted:
    """Run what is missing of `rows` rows with an outcome; none is missing after an earlier pilot of the same size.

    Raises:
        JobError, LedgerError: as a run does.
    """
    chosen, on_record = choose(prepared, rows)
    if not chosen:
        return Piloted(0, on_record, Decimal(0) if prepared.rate is not None else None, None)
    ended = run_job(RunCommand(_live(prepared), REASON, Selection(only_rows=chosen), environ, host=host))
    with reading(prepared.ledger_path) as db:
        done, units = last_session_work(db)
    return Piloted(done, on_record, from_units(units) if prepared.rate is not None else None, ended)


def _live(prepared: Prepared) -> Prepared:
    """A pilot is for the same evening: it goes live, and by batch its answers are found as any."""
    return replace(prepared, job=replace(prepared.job, model=replace(prepared.job.model, lane="live")))


def choose(prepared: Prepared, rows: int) -> tuple[frozenset[int], int]:
    """The places of the rows to run, and how many have an outcome already.

    Raises:
        JobError: the input cannot be read, or the temporary folder not be written.
    """
    try:
        return _chosen(prepared, rows)
    except sqlite3.Error as error:
        raise JobError(
            f"the sizes of the rows cannot be kept in the temporary folder: {error}. "
            "Free space there, or point SQLITE_TMPDIR elsewhere"
        ) from None


def _chosen(prepared: Prepared, rows: int) -> tuple[frozenset[int], int]:
    sums = Counts()
    with closing(sqlite3.connect("")) as db:  # on disk: memory is flat
        db.execute("CREATE TABLE sizes (size INTEGER, row INTEGER, PRIMARY KEY (size, row)) WITHOUT ROWID")
        for batch in rows_to_send(prepared, sums):
            sizes = ((_size(row) + len(other_text(prepared.plan, row)), row.index) for row in batch)
            db.executemany("INSERT INTO sizes VALUES (?, ?)", sizes)
        (count,) = db.execute("SELECT COUNT(*) FROM sizes").fetchone()
        places = set(spread(count, rows - sums.done_rows, prepared.source.fingerprint()))
        ordered = enumerate(db.execute("SELECT row FROM sizes ORDER BY size, row"))
        return frozenset(row for place, (row,) in ordered if place in places), sums.done_rows


def _size(row: Row) -> int:
    """In characters, about: of what goes as files, as many as would be as many tokens."""
    return len(row.text) + CHARS_PER_TOKEN * sum(part.tokens for part in files_of(row.parts))


def spread(count: int, wanted: int, seed: str) -> Iterator[int]:
    """`wanted` of the places 0 to `count` - 1, one in each of as many equal parts, wherever in it the seed says."""
    wanted = max(0, min(wanted, count))
    for part in range(wanted):
        first, last = part * count // wanted, (part + 1) * count // wanted
        digest = blake2b(f"{seed}\x00{part}".encode(), digest_size=8).digest()
        yield first + int.from_bytes(digest, "big") % (last - first)
