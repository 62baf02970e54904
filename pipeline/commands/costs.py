"""`pipeline costs`: what was spent, by tenant, model, day, cause or lane, in all runs of a folder or in the last."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.columns import TOKENS
from pipeline.commands.tenants import names_of_tenants
from pipeline.errors import JobError
from pipeline.job.folder import CALLS, LEDGER
from pipeline.ledger import night_figures, queries
from pipeline.ledger.files import Connection, reading
from pipeline.money import from_units
from pipeline.output.manifest import read_run
from pipeline.output.read import readable
from pipeline.types import tenant_hash

KEYS = {"tenant": "tenant_hash", "model": "model", "day": "day", "error_code": "error_code", "lane": "lane"}
SUMMED = ("cost_usd", *TOKENS)
ALL, LAST = "all", "last"

Group = tuple[Any, int, Decimal, list[int]]  # key, calls, USD, TOKENS


def costs(folder: Path, by: str, run: str = ALL, *, hash_tenants: bool = False) -> list[dict[str, Any]]:
    """One entry per group, the dearest first: key, calls, cost_usd (string), the five token sums.

    `run`: "all" runs, by the ledger; "last": what run.json and calls.parquet are of. A folder that was copied without
    its ledger has the last only. Tenants by the names that the ledger has for their hashes, with the hash beside it,
    unless `hash_tenants`.

    Raises:
        JobError: the folder has no run, or not those that are asked for, or calls.parquet cannot be read.
    """
    names = names_of_tenants(folder) if by == "tenant" and not hash_tenants else {}
    if (folder / LEDGER).exists() and (run == ALL or not (folder / CALLS).is_file()):
        return _entries(by, _on_ledger(folder, by, run), names)
    if not (folder / CALLS).is_file():
        raise JobError(f"{folder}: no {CALLS} here. Run a job with this output first")
    if run == ALL:
        raise JobError(f"{folder}: no {LEDGER} here, and {CALLS} is of the last run alone. Add --run last for that one")
    return _entries(by, _published(folder, by), names)


def _on_ledger(folder: Path, by: str, run: str) -> Iterator[Group]:
    with reading(folder / LEDGER) as db:
        last = queries.last_run(db)
        only = last[0] if run == LAST and last is not None else None
        found = night_figures.cost_groups(db, by, run=only)
        name_of: Callable[[str], str | None]
        name_of = _model_names(db, folder) if by == "model" else tenant_hash if by == "tenant" else _as_it_is
    for key, calls, units, *tokens in found:
        named = name_of(key)
        yield named, calls, from_units(units), tokens


def _as_it_is(key: str | None) -> str | None:
    return key


def _model_names(db: Connection, folder: Path) -> Callable[[str], str | None]:
    """What a run's [model], or one of its [models.NAME], is called at its provider; NAME where run.json has no such."""
    manifest = read_run(folder)
    job = {} if manifest is None else manifest.job
    runs = night_figures.models_by_run(db, job.get("model", {}).get("name"))
    others = {name: one["model"]["name"] for name, one in job.get("models", {}).items()}

    def name_of(key: str) -> str | None:
        run, _, name = key.partition(" ")
        return others.get(name, name) if name else runs.get(int(run))

    return name_of


def _published(folder: Path, by: str) -> Iterator[Group]:
    grouped = _by_polars if find_spec("polars") is not None else _by_pyarrow
    for key, calls, usd, *tokens in grouped(folder / CALLS, KEYS[by]):
        yield key, calls, usd or Decimal(0), [one or 0 for one in tokens]  # no sum where all are null


def _by_polars(path: Path, column: str) -> list[tuple[Any, ...]]:
    """In half of pyarrow's memory, and less time: the file is streamed."""
    import polars as pl  # noqa: PLC0415 (an extra: `frames`)

    sums = [pl.col(name).sum() for name in SUMMED]
    with readable(path, pl.exceptions.PolarsError):
        calls = pl.scan_parquet(path, glob=False).with_columns(day=pl.col("sent_at").dt.strftime("%Y-%m-%d"))
        return calls.group_by(column).agg(pl.len(), *sums).collect(engine="streaming").rows()


def _by_pyarrow(path: Path, column: str) -> list[tuple[Any, ...]]:
    with readable(path):
        table = pq.read_table(path, columns=["sent_at" if column == "day" else column, *SUMMED])
    if column == "day":
        table = table.append_column("day", pc.strftime(table["sent_at"], format="%Y-%m-%d"))
    grouped: pa.Table = table.group_by(column).aggregate([([], "count_all"), *((name, "sum") for name in SUMMED)])
    order = [column, "count_all", *(f"{name}_sum" for name in SUMMED)]
    return list(zip(*(grouped[name].to_pylist() for name in order), strict=True))


def _entries(by: str, groups: Iterable[Group], names: Mapping[str | None, str]) -> list[dict[str, Any]]:
    """Groups of one key together, the dearest first."""
    sums: dict[Any, tuple[int, Decimal, list[int]]] = {}
    for key, calls, usd, tokens in groups:
        before = sums.get(key, (0, Decimal(0), [0] * len(TOKENS)))
        sums[key] = (
            before[0] + calls,
            before[1] + usd,
            [one + more for one, more in zip(before[2], tokens, strict=True)],
        )
    entries = [
        {
            by: names.get(key, key),
            **({KEYS[by]: key} if by == "tenant" else {}),
            "calls": calls,
            "cost_usd": f"{usd:.10f}",
            **dict(zip(TOKENS, tokens, strict=True)),
        }
        for key, (calls, usd, tokens) in sums.items()
    ]
    return sorted(entries, key=lambda entry: Decimal(entry["cost_usd"]), reverse=True)
