"""What `verify` holds against each other of calls about several rows: call, shares and rows."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pyarrow.parquet as pq

from pipeline.columns import TOKENS
from pipeline.commands.published import Published
from pipeline.job.folder import CALLS, LEDGER, RESULTS
from pipeline.ledger.files import reading
from pipeline.ledger.shares import shares_of_calls, unlike_calls
from pipeline.money import from_units, to_units
from pipeline.output.calls import SHARES

AMOUNTS = (*TOKENS, "cost_usd")


def packs_in(found: Published) -> bool:
    """Whether calls tell what their rows have of them."""
    return SHARES in pq.read_schema(found.path / CALLS).names


def rows_unlike(found: Published) -> Iterator[str]:
    """Rows whose figures are not the sum of their calls and shares of calls; a call counts at its first row."""
    for name in ("calls", *AMOUNTS):
        ours: Counter[int] = Counter()
        theirs: Counter[int] = Counter()
        for batch in found.batches(RESULTS, "row", name):
            for row, amount in zip(batch["row"], batch[name], strict=True):
                ours[row] += _whole(amount)
        for batch in found.batches(CALLS, "row", SHARES, *({name} - {"calls"})):
            amounts = batch.get(name) or [1] * len(batch["row"])
            for row, amount, shares in zip(batch["row"], amounts, batch[SHARES], strict=True):
                if shares is None or name == "calls":
                    theirs[row] += _whole(amount)
                for share in shares or () if name != "calls" else ():
                    theirs[share["row"]] += _whole(share[name])
        if +ours != +theirs:
            yield f"{name}: the calls of some row don't add up to what {RESULTS} says of it"


def shares_unlike(found: Published) -> Iterator[str]:
    """Calls whose shares do not add up to them, on the ledger or in calls.parquet, or are not the same in both."""
    with reading(found.path / LEDGER) as db:
        for request_id in unlike_calls(db):
            yield f"{LEDGER}: what rows have of call {request_id} does not add up to it"
        if not packs_in(found):
            return
        for batch in found.batches(CALLS, "request_id", SHARES, *AMOUNTS):
            kept = shares_of_calls(db, batch["request_id"])
            for number, (request_id, shares) in enumerate(zip(batch["request_id"], batch[SHARES], strict=True)):
                told = [tuple(share.values()) for share in shares or ()]
                on_record = [
                    (*values, None if units is None else from_units(units))
                    for *values, units in kept.get(request_id, ())
                ]
                if told != on_record:
                    yield f"{CALLS}: the shares of call {request_id} are not the ledger's"
                if shares and any(
                    sum(_whole(share[name]) for share in shares) != _whole(batch[name][number]) for name in AMOUNTS
                ):
                    yield f"{CALLS}: what rows have of call {request_id} does not add up to it"


def _whole(amount: int | Decimal | None) -> int:
    return to_units(amount) if isinstance(amount, Decimal) else amount or 0
