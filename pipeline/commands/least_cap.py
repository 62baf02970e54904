"""The smallest budget.max_usd beneath which every row can be begun: what its first call could cost at the most."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from pipeline.admission.needs import first_usd
from pipeline.admission.token_scale import BLIND_SAFETY
from pipeline.catalog.prices import lane_share
from pipeline.commands.estimate.counted import Counts
from pipeline.commands.estimate.measure import rows_to_send
from pipeline.extraction.lanes import live_because
from pipeline.extraction.packs import MOST_DOCUMENT_TOKENS
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.requests import extract_request, reading_request, utf8_bytes
from pipeline.extraction.routing import MAIN, first_step
from pipeline.extraction.template import render
from pipeline.money import Rate, dollars, rounded_up, worst_case_usd
from pipeline.parts import files_of
from pipeline.types import Request, Row


class LeastCap(Struct, frozen=True):
    """Of a cap that is too small for some first call. `id`: of the row whose first call is the dearest."""

    rows: int  # to be sent
    too_dear: int  # of these, by themselves
    usd: Decimal  # of the dearest first call
    id: str
    packed: bool = False  # that is a call about several rows, of which this is one

    def told(self, cap: Decimal) -> str:
        """What is wrong with the cap, and which one would do."""
        none, many = self.too_dear == self.rows, f"{self.too_dear:,} of {self.rows:,} rows"
        if none:
            why = f"no call fits beneath budget.max_usd = ${cap:f}"
        elif self.too_dear:
            why = f"budget.max_usd = ${cap:f} has no room for the first call of {many}"
        else:
            why = f"budget.max_usd = ${cap:f} has no room for a call about as many rows as chunks.pack lets go together"
        one = f"a call about several rows such as {self.id!r}" if self.packed else f"the first call of row {self.id!r}"
        least = rounded_up(self.usd)
        return (
            f"{why}, and the run would park there: {one} could cost {dollars(self.usd, cap)}. Set it to {least:f} or "
            "more, or lower model.max_output_tokens or chunks.max_tokens; `pipeline estimate` says what all rows cost"
        )


def least_cap(prepared: Prepared) -> LeastCap | None:
    """None: the first call of every row that has no outcome yet fits beneath budget.max_usd, or there is no such cap.

    The input is read only where the cap is smaller than what a request can cost that fills its model's window.

    Raises:
        JobError: the input cannot be read. LedgerError: the ledger cannot.
    """
    cap = prepared.job.budget.max_usd
    models = {MAIN: prepared, **prepared.models}
    if cap is None or all(_any_fits(one, cap) for one in models.values()):
        return None
    rows = too_dear = longest = 0
    dearest, row_id = Decimal(-1), ""
    share = _share(prepared)
    pack = None if _packs_fit(prepared, cap) else prepared.packed
    for batch in rows_to_send(prepared, Counts()):
        for row in batch:
            rows += 1
            one = models[first_step(prepared.job, row).model]
            if one.rate is None or (pack is None and _surely_fits(one, row, cap)):
                continue
            requests = list(_first_requests(one, row))
            usd = share * max((first_usd(request, one.rate) for request in requests), default=Decimal(0))
            too_dear += usd > cap
            tokens = max((request.input_tokens for request in requests), default=0) - one.plan.fixed_tokens
            longest = max(longest, min(tokens, MOST_DOCUMENT_TOKENS))
            if usd > dearest:
                dearest, row_id = usd, row.id
    found = LeastCap(rows, too_dear, dearest, row_id)
    if pack is not None and rows > 1:
        together = _pack_usd(prepared, rows, longest)
        found = found if together <= dearest else replace(found, usd=together, packed=True)
    return found if found.usd > cap else None


def _first_requests(prepared: Prepared, row: Row) -> Iterator[Request]:
    """Of each chunk: they are all asked at once, or one after the other."""
    plan = prepared.plan
    for chunk in prepared.chunks_of(row, exact=True):
        request = extract_request(plan, row, chunk)
        yield reading_request(plan, request) if plan.two_step else request


def _any_fits(prepared: Prepared, cap: Decimal) -> bool:
    """Whether a request fits whatever it says: a longer one its model does not take."""
    plan = prepared.plan
    tokens = plan.input_most if prepared.source.documents else _blind(prepared.window_tokens)
    known = tokens > 0 and prepared.rate is not None
    return known and _usd(prepared, tokens, plan.max_output_tokens) <= cap and _packs_fit(prepared, cap)


def _surely_fits(prepared: Prepared, row: Row, cap: Decimal) -> bool:
    """By the bytes of its text, without counting tokens."""
    plan = prepared.plan
    if files_of(row.parts) or plan.two_step:
        return False
    most = plan.fixed_bytes + utf8_bytes(render(plan.template, row.text, row.values))
    return _usd(prepared, most, plan.max_output_tokens) <= cap


def _packs_fit(prepared: Prepared, cap: Decimal) -> bool:
    if prepared.packed is None:
        return True
    most = prepared.packed.plan
    return _usd(prepared, _blind(most.fixed_tokens + most.tokens), most.output_most) <= cap


def _pack_usd(prepared: Prepared, rows: int, longest: int) -> Decimal:
    """More than any call about several rows reserves: which go together is decided as they come."""
    assert prepared.packed is not None  # noqa: S101 (asked for packs only)
    pack, plan = prepared.packed.plan, prepared.plan
    count = min(pack.rows, rows)
    tokens = pack.fixed_tokens + min(pack.tokens, count * (longest + pack.frame_tokens))
    return _usd(prepared, _blind(tokens), min(count * plan.max_output_tokens, pack.output_most))


def _usd(prepared: Prepared, tokens: int, output_tokens: int) -> Decimal:
    rate: Rate | None = prepared.expected_rate
    return Decimal(0) if rate is None else worst_case_usd(tokens, output_tokens, rate)


def _blind(tokens: int) -> int:
    return int(tokens * BLIND_SAFETY) + 16


def _share(prepared: Prepared) -> Decimal:
    """Of the live price: where rows go by batch, that of the batch."""
    job = prepared.job
    if job.model.lane == "live" or live_because(job, prepared.source.count_rows):
        return Decimal(1)
    return lane_share(job.model, job.prices)
