"""What would make a job cheaper or faster, by what is on record of it."""

from collections.abc import Sequence
from statistics import fmean

from pipeline.admission.output_cap import Sizing, sizing
from pipeline.catalog.known_as import known_as
from pipeline.catalog.providers import profile_of
from pipeline.catalog.reasoning import expected_tokens
from pipeline.documents.chunks import rough_tokens
from pipeline.extraction.prepare import Prepared
from pipeline.ledger import queries
from pipeline.ledger.files import reading
from pipeline.ledger.queries import AnsweredCall
from pipeline.schema.answer_size import answer_tokens

FIRST_ROWS = 64


def sizing_of(prepared: Prepared, mean_input_tokens: float | None = None) -> Sizing | None:
    """What an oversized model.max_output_tokens costs, by the answers on record, else by the schema's shape.

    `mean_input_tokens` of a request; None: by the record, else by the first rows of the input.
    """
    answered = _answered(prepared)
    enough = len(answered) >= queries.LEAST_ANSWERED
    if not enough and expected_tokens(prepared.job.model):
        return None  # how much it reasons, inside the cap, nobody knows yet
    if enough:
        mean_input_tokens, longest = mean_input_tokens or _mean_of(answered), _longest(answered)
    else:
        longest = answer_tokens(prepared.shaped.shape.schema).high
    if mean_input_tokens is None:  # files are not read for this where a few answers tell as much
        few = answered if prepared.source.documents else ()
        mean_input_tokens = _mean_of(few) if few else _mean_of_first_rows(prepared)
    model, name = prepared.job.model, known_as(prepared.job.model, prepared.job.prices)
    return sizing(profile_of(model.provider, name), mean_input_tokens, longest, model.max_output_tokens)


def _answered(prepared: Prepared) -> Sequence[AnsweredCall]:
    """The last answers to this very question form."""
    ledger = prepared.ledger_path
    if not ledger.exists():
        return ()
    with reading(ledger) as db:
        return queries.last_answered(db, prepared.plan.request_hash, queries.MOST_ANSWERED, well=True)


def _mean_of(answered: Sequence[AnsweredCall]) -> float:
    return fmean(call.usage.input_tokens for call in answered)


def _longest(answered: Sequence[AnsweredCall]) -> float:
    """The 99th percentile of their output."""
    outputs = sorted(call.usage.output_tokens for call in answered)
    return float(outputs[min(len(outputs) - 1, int(0.99 * len(outputs)))])


def _mean_of_first_rows(prepared: Prepared) -> float:
    rows = [row for row in next(prepared.source.batches(FIRST_ROWS), []) if row.problem is None]
    most = prepared.plan.chunk_tokens
    return prepared.plan.fixed_tokens + (fmean(min(most, rough_tokens(row.text)) for row in rows) if rows else 0.0)
