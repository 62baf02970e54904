"""What a job will cost, from its whole input: counted, priced, and with what its ledger tells of answers so far."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pipeline.commands.estimate.compare import terms_of
from pipeline.commands.estimate.estimator import EstimateBands, estimate
from pipeline.commands.estimate.history import history
from pipeline.commands.estimate.measure import measure
from pipeline.commands.estimate.packs import SavedByPacks, saved_by_packs
from pipeline.commands.estimate.saved import Saved, saved_of
from pipeline.extraction.prepare import Prepared
from pipeline.output.advice import sizing_of


class JobEstimate(Struct, frozen=True):
    """`notes` are of how the tokens were counted; `advice` is what would make the job cheaper or faster.

    `saved`: by chunks.select, where that is set; `packed`: by chunks.pack.
    """

    estimate: EstimateBands
    notes: tuple[str, ...]
    advice: tuple[str, ...]
    models: tuple[dict[str, Any], ...] = ()  # of a job with several: what each is expected to be asked
    saved: Saved | None = None
    packed: SavedByPacks | None = None


def estimate_of(prepared: Prepared, environ: Mapping[str, str], *, exact: bool = False) -> JobEstimate:
    """What is still to be sent, and what it comes to. `exact`: by the provider's own counting, which costs nothing.

    Raises:
        JobError: the input cannot be read.
    """
    if prepared.models:
        from pipeline.commands.estimate.several import with_models  # noqa: PLC0415 (few jobs have several)

        whole = with_models(prepared)
        return JobEstimate(whole.bands, (), (), tuple(one.as_json() for one in whole.models))
    notes: tuple[str, ...] = ()
    counts = measure(prepared)
    if exact:
        from pipeline.commands.estimate.exact import counted_exactly  # noqa: PLC0415 (its client and pace: for this alone)

        counts, note = counted_exactly(prepared, counts, environ)
        notes = (note,)
    advised = sizing_of(prepared, counts.own_mean or None)
    advice = () if advised is None else (advised.told,)
    terms, seen = terms_of(prepared), history(prepared)
    found = estimate(counts, terms, seen)
    saved = saved_of(counts, terms, seen, found) if prepared.job.chunks.select else None
    packed = None if prepared.packed is None else saved_by_packs(counts, terms, seen, found)
    return JobEstimate(found, notes, advice, saved=saved, packed=packed)
