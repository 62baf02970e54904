"""What a job with several models comes to: rows by their routes, and what of them goes on to a fallback."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from pipeline.commands.consent.rehearse import SomeRows
from pipeline.commands.estimate.compare import terms_of
from pipeline.commands.estimate.estimator import EstimateBands, estimate
from pipeline.commands.estimate.history import history
from pipeline.commands.estimate.lanes import shown
from pipeline.commands.estimate.measure import ROWS_MEASURED_AT_ONCE, measure
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.routing import MAIN, first_step, models_of, shown_name
from pipeline.job.folder import RESULTS
from pipeline.money import Band

ASSUMED = 0.10  # of rows that go on, before any was seen
MOST_FACTOR = 2.0  # by how much more may go on than is expected
LEAST_SEEN = 30  # rows of an earlier run that tell a share


class ModelShare(Struct, frozen=True):
    """What one of the models is expected to be asked. `cost_usd` None: it has no price."""

    model: str
    rows: int
    share: float
    by: str  # route, or fallback
    cost_usd: Band[Decimal] | None

    def as_json(self) -> dict[str, Any]:
        share = round(self.share, 4)
        return {"model": self.model, "by": self.by, "rows": self.rows, "share": share, "cost_usd": shown(self.cost_usd)}


class Whole(Struct, frozen=True):
    """All models together, and each."""

    bands: EstimateBands
    models: tuple[ModelShare, ...]


def with_models(prepared: Prepared) -> Whole:
    """Rows to the models that they are routed to; beside that, of each fallback the share of rows that goes on."""
    marked = _routed(prepared)
    total = sum(map(sum, marked.values()))
    first = {name: _estimated(prepared, name, marked[name]) for name in marked if sum(marked[name]) or name == MAIN}
    shares = [
        ModelShare(
            shown_name(prepared.job, name), sum(marked[name]), sum(marked[name]) / max(total, 1), "route", one.cost_usd
        )
        for name, one in first.items()
    ]
    seen, notes = _gone_on(prepared), []
    for fallback in prepared.job.fallbacks:
        share, told = seen.get(fallback.model, ASSUMED), "as in the last run" if seen else "assumed"
        everything = _estimated(prepared, fallback.model, bytearray(b"\x01" * total)).cost_usd
        cost = None if everything is None else _shared(everything, share)
        shares.append(ModelShare(fallback.model, round(total * share), share, "fallback", cost))
        notes.append(f"{share:.0%} of rows go on to {fallback.model} ({told}; {', '.join(fallback.on)})")
    costs = [one.cost_usd for one in shares]
    return Whole(_together(list(first.values()), costs, notes), tuple(shares))


def _routed(prepared: Prepared) -> dict[str, bytearray]:
    """Model → a mark for each row that begins there."""
    marked = {name: bytearray() for name in models_of(prepared.job)}
    for rows in prepared.source.batches(ROWS_MEASURED_AT_ONCE):
        for row in rows:
            at = first_step(prepared.job, row).model
            for name, marks in marked.items():
                marks.append(name == at)
    return marked


def _estimated(prepared: Prepared, name: str, marks: bytearray) -> EstimateBands:
    one = prepared.models[name] if name else prepared
    own = replace(
        one, source=SomeRows(prepared.source, marks), models={},
        plan=replace(one.plan, outcome_salt=prepared.plan.outcome_salt, key_columns=prepared.plan.key_columns),
    )  # fmt: skip
    return estimate(measure(own), terms_of(own), history(own) if not name else None)


def _shared(cost: Band[Decimal], share: float) -> Band[Decimal]:
    """At the least nobody goes on."""
    part, most = Decimal(str(share)), Decimal(str(min(1.0, share * MOST_FACTOR)))
    return Band(Decimal(0), cost.expected * part, cost.high * most)


def _gone_on(prepared: Prepared) -> Mapping[str, float]:
    """Of the last published run: model → the share of rows that were at it by a fallback; empty where it tells none."""
    path = Path(prepared.output_folder) / RESULTS
    if not path.is_file() or "models_tried" not in pq.read_schema(path).names:
        return {}
    went: Counter[str] = Counter()
    rows = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["models_tried"]):
            for tried in batch["models_tried"].to_pylist():
                rows += bool(tried)
                went.update((tried or [])[1:])
    return {one.model: went[one.model] / rows for one in prepared.job.fallbacks} if rows >= LEAST_SEEN else {}


def _together(parts: list[EstimateBands], costs: list[Band[Decimal] | None], notes: list[str]) -> EstimateBands:
    """The sums; time as that of the slowest model, for they go side by side."""
    main = parts[0]
    known = [one for one in costs if one is not None]
    cost = None if len(known) < len(costs) else Band(*(sum(ends, Decimal(0)) for ends in zip(*known, strict=True)))
    seconds = Band(*(max(ends) for ends in zip(*(one.seconds for one in parts), strict=True)))
    counts = main.counts
    for other in parts[1:]:
        fields = {
            name: getattr(counts, name) + getattr(other.counts, name)
            for name in (
                "rows",
                "bad_rows",
                "done_rows",
                "duplicate_rows",
                "requests",
                "input_tokens",
                "document_tokens",
            )
        }
        counts = replace(counts, **fields)
    lanes = tuple(
        replace(one, cost_usd=cost, seconds=seconds) if one.chosen else one for one in main.lanes if one.chosen
    )
    summed = {
        name: Band(*(sum(ends) for ends in zip(*(getattr(one, name) for one in parts), strict=True)))
        for name in ("input_tokens", "output_tokens", "repairs")
    }
    return replace(main, counts=counts, lanes=lanes, assumptions=(*main.assumptions, *notes), **summed)
