"""Which rows of an input would go together with `chunks.pack`, and what that saves. Pure."""

from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.commands.estimate.counted import Counts, History
from pipeline.commands.estimate.estimator import EstimateBands, Terms, estimate
from pipeline.extraction import overhead
from pipeline.extraction.packs import HEAD, MOST_DOCUMENT_TOKENS
from pipeline.extraction.prepare import Prepared


class _Open(Struct):
    rows: int = 0
    tokens: int = 0
    alone: int = 0  # what these would be, each alone


class Packing:
    """Rows in the order of the input; what goes together is counted in `counts`."""

    def __init__(self, prepared: Prepared, counts: Counts) -> None:
        assert prepared.packed is not None  # noqa: S101 (the job packs)
        self._pack = pack = prepared.packed.plan
        self._counts = counts
        job, literals = prepared.job, "".join(prepared.plan.template.literals) if pack.shared is not None else ""
        fixed = overhead.fixed_tokens(
            job.model.provider, job.extract.system, literals, prepared.packed.shape, prepared.counter
        )
        self._fixed = fixed + prepared.counter.count(HEAD) + pack.examples.tokens
        self._open: dict[str | None, _Open] = {}

    def add(self, tenant: str | None, document: int, alone: int) -> None:
        """A row that is one chunk of text: its document's tokens, and all those of its request alone."""
        pack, tokens = self._pack, document + self._pack.frame_tokens
        if tokens > min(pack.tokens, MOST_DOCUMENT_TOKENS):
            return
        inside = self._open.setdefault(tenant, _Open())
        if inside.tokens + tokens > pack.tokens:
            self._close(inside)
            inside = self._open[tenant] = _Open()
        inside.rows, inside.tokens, inside.alone = inside.rows + 1, inside.tokens + tokens, inside.alone + alone
        if inside.rows == pack.rows:
            self._close(self._open.pop(tenant))

    def end(self) -> None:
        for inside in self._open.values():
            self._close(inside)

    def _close(self, inside: _Open) -> None:
        if inside.rows < 2:
            return
        saved, counts = inside.alone - self._fixed - inside.tokens, self._counts
        counts.packed_rows += inside.rows
        counts.packs += 1
        counts.input_tokens -= saved
        counts.packed_input_tokens += saved


class SavedByPacks(Struct, frozen=True):
    """`usd`: expected; None where the model has no price."""

    requests: int
    requests_alone: int
    rows: int
    input_tokens: int
    usd: Decimal | None

    def as_json(self) -> dict[str, Any]:
        usd = None if self.usd is None else f"{self.usd:.4f}"
        told = {"requests": self.requests, "requests_alone": self.requests_alone, "rows": self.rows}
        return {**told, "input_tokens_saved": self.input_tokens, "usd_saved": usd}


def saved_by_packs(counts: Counts, terms: Terms, history: History | None, found: EstimateBands) -> SavedByPacks:
    """What is not spent because rows go together."""
    alone = replace(
        counts,
        packed_rows=0,
        packs=0,
        packed_input_tokens=0,
        input_tokens=counts.input_tokens + counts.packed_input_tokens,
    )
    whole = estimate(alone, terms, history)
    both = whole.cost_usd, found.cost_usd
    usd = None if both[0] is None or both[1] is None else both[0].expected - both[1].expected
    tokens = whole.input_tokens.expected - found.input_tokens.expected
    return SavedByPacks(counts.sent, alone.sent, counts.packed_rows, tokens, usd)
