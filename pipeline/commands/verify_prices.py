"""What `verify` holds against each other of costs: each call's, and what its tokens cost at its model's price."""

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

import pyarrow.parquet as pq
from msgspec import convert

from pipeline.catalog.prices import lane_share, rate_for
from pipeline.columns import TOKENS
from pipeline.commands.published import Published
from pipeline.job.folder import CALLS, LEDGER
from pipeline.job.settings import Model, Prices
from pipeline.ledger import audit
from pipeline.ledger.files import reading
from pipeline.money import Rate, at_share, cost_usd
from pipeline.types import Usage


def costs_unlike(found: Published) -> Iterator[str]:
    """Calls that cost something else than their tokens do."""
    job = found.manifest.job
    rates = {"": _rate_of(job)} | {name: _rate_of(one) for name, one in job.get("models", {}).items()}
    main = rates[""]
    if main is None or main.source != found.manifest.price_table:
        return  # priced by another table than this program's: nothing to compare with
    by_batch = at_share(main, lane_share(_model(job["model"]), convert(job["prices"], Prices)))
    lanes = ("lane",) if "lane" in pq.read_schema(found.path / CALLS).names else ()
    with reading(found.path / LEDGER) as db:
        asked = audit.asked_models(db) if len(rates) > 1 else repeat("")
        for batch in found.batches(CALLS, "request_id", *TOKENS, "cost_usd", *lanes):
            lane = batch.get("lane") or ["live"] * len(batch["cost_usd"])
            for request_id, cost, lane_of_call, *tokens in zip(
                batch["request_id"], batch["cost_usd"], lane, *(batch[name] for name in TOKENS), strict=True
            ):
                usage, rate = Usage(*tokens), rates.get(next(asked, ""))
                if (
                    cost is None
                    or rate is None
                    or cost == cost_usd(usage, by_batch if lane_of_call == "batch" else rate)
                ):
                    continue
                if not any(cost == cost_usd(usage, other) for _, other in rate.services):
                    yield f"{CALLS}: {request_id} cost {cost}, its tokens cost {cost_usd(usage, rate)}"


def _rate_of(job: Mapping[str, Any]) -> Rate | None:
    """Of a job, or of one of its models."""
    model = job["model"]
    return rate_for(model["provider"], model["name"], convert(job["prices"], Prices), model.get("base_url", ""))


def _model(model: Mapping[str, Any]) -> Model:
    return convert(model, Model, strict=False)
