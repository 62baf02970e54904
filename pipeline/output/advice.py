"""What would make a job cheaper or faster, by what is on record of it."""

from statistics import fmean

from pipeline.admission.output_cap import Sizing, sizing
from pipeline.catalog.providers import profile_of
from pipeline.catalog.reasoning import expected_tokens
from pipeline.documents.chunks import rough_tokens
from pipeline.extraction.prepare import Prepared
from pipeline.ledger import queries
from pipeline.ledger.files import reading
from pipeline.schema.answer_size import answer_tokens

FIRST_ROWS = 64


def sizing_of(prepared: Prepared, mean_input_tokens: float | None = None) -> Sizing | None:
    """What an oversized model.max_output_tokens costs, by the answers on record, else by the schema's shape.

    `mean_input_tokens` of a request; None: by the record, else by the first rows of the input.
    """
    on_record = _sizes_on_record(prepared)
    if on_record is None and expected_tokens(prepared.job.model):
        return None  # how much it reasons, inside the cap, nobody knows yet
    if on_record is not None:
        mean_input_tokens, longest = mean_input_tokens or on_record[0], on_record[1]
    else:
        longest = answer_tokens(prepared.shaped.shape.schema).high
    if mean_input_tokens is None:
        mean_input_tokens = _mean_of_first_rows(prepared)
    model = prepared.job.model
    return sizing(profile_of(model.provider, model.name), mean_input_tokens, longest, model.max_output_tokens)


def _sizes_on_record(prepared: Prepared) -> tuple[float, float] | None:
    """(mean input, 99th percentile of output) of answers to this very question form, when there are enough."""
    ledger = prepared.ledger_path
    if not ledger.exists():
        return None
    with reading(ledger) as db:
        found = queries.last_answered(db, prepared.plan.request_hash, queries.MOST_ANSWERED, well=True)
    if len(found) < queries.LEAST_ANSWERED:
        return None
    outputs = sorted(call.usage.output_tokens for call in found)
    longest = outputs[min(len(outputs) - 1, int(0.99 * len(outputs)))]
    return fmean(call.usage.input_tokens for call in found), float(longest)


def _mean_of_first_rows(prepared: Prepared) -> float:
    rows = [row for row in next(prepared.source.batches(FIRST_ROWS), []) if row.problem is None]
    most = prepared.plan.chunk_tokens
    return prepared.plan.fixed_tokens + (fmean(min(most, rough_tokens(row.text)) for row in rows) if rows else 0.0)
