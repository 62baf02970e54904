"""What an estimate would be with all chunks of every document, beside what it is with chunks.select. Pure."""

from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.commands.estimate.counted import Counts, History
from pipeline.commands.estimate.estimator import EstimateBands, Terms, estimate


class Saved(Struct, frozen=True):
    """`usd`: expected; None where the model has no price."""

    asked: int
    chunks: int
    input_tokens: int
    usd: Decimal | None

    def as_json(self) -> dict[str, Any]:
        usd = None if self.usd is None else f"{self.usd:.4f}"
        return {"asked": self.asked, "chunks": self.chunks, "input_tokens_saved": self.input_tokens, "usd_saved": usd}


def saved_of(counts: Counts, terms: Terms, history: History | None, found: EstimateBands) -> Saved:
    """What is not spent because of the chunks that are left out."""
    whole = estimate(_whole(counts), terms, history)
    both = whole.cost_usd, found.cost_usd
    usd = None if both[0] is None or both[1] is None else both[0].expected - both[1].expected
    chunks = counts.requests + counts.skipped_chunks
    return Saved(counts.requests, chunks, whole.input_tokens.expected - found.input_tokens.expected, usd)


def _whole(counts: Counts) -> Counts:
    """As if nothing was left out; the provider counts the rest as it did what was asked about."""
    known, more = counts.provider_input_tokens, counts.skipped_input_tokens
    if known is not None and counts.input_tokens:
        known += round(more * known / counts.input_tokens)
    return replace(
        counts,
        requests=counts.requests + counts.skipped_chunks,
        input_tokens=counts.input_tokens + more,
        document_tokens=counts.document_tokens + counts.skipped_document_tokens,
        provider_input_tokens=known,
    )
