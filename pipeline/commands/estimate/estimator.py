"""Counts → tokens, cost and time as low / expected / high, each assumption in words. Pure.

What is counted is exact: rows, requests, input tokens. What has to be assumed, the output and the repairs, comes from
answers on record where there are some, a pilot's or earlier runs', else from the schema's shape.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any

from msgspec import Struct

from pipeline.commands.estimate import assumptions as assuming
from pipeline.commands.estimate.counted import Counts, History, Seen
from pipeline.commands.estimate.forecast import hits_of, times, together, total_of, within
from pipeline.commands.estimate.lanes import LaneFigures, Ways, lanes_of, shown
from pipeline.commands.estimate.lanes import told as told_of_lanes
from pipeline.job.settings import Limits
from pipeline.money import MTOK, Band, Rate, cost_usd, prices_at
from pipeline.schema.answer_size import AnswerSize
from pipeline.types import Usage

REPAIRS = Band(0.0, 0.02, 0.10)  # share of requests, before any was seen
COPIED = (0.5, 1.5)  # of a document's tokens that its answer repeats: expected, at the most
LATENCY_S = 1.0  # to the first token, before any was seen
TOKENS_PER_S = 60.0  # of one answer, before any was seen
SLACK_OWN, SLACK_OTHER = 0.01, 0.03  # least half width of a band: by answers to this input, or to another


class Terms(Struct, frozen=True, kw_only=True):
    """What an estimate is made on. `size` is of one answer, as long as no history tells; `size_by` says where from."""

    size: AnswerSize
    max_output_tokens: int
    limits: Limits
    rate: Rate | None = None
    ways: Ways = Ways()
    reasoning_tokens: float = 0.0  # of one answer, before any was seen; at the most its cap
    reasoning_by: str = ""  # where that is from
    cap_charged: bool = False  # whether limits are charged with max_output_tokens, whatever comes out
    size_by: str = ""  # "": by the schema's shape, and bounded by the document


class EstimateBands(Struct, frozen=True):
    counts: Counts
    input_tokens: Band[int]  # with repairs; low, expected, high, as all of these
    output_tokens: Band[int]
    repairs: Band[int]
    lanes: tuple[LaneFigures, ...]  # live first; one of them is the job's
    output_by: str  # history or shape
    assumptions: tuple[str, ...]

    @property
    def chosen(self) -> LaneFigures:
        """As the job goes."""
        return next(one for one in self.lanes if one.chosen)

    @property
    def cost_usd(self) -> Band[Decimal] | None:
        """None: the model has no price."""
        return self.chosen.cost_usd

    @property
    def batch_cost_usd(self) -> Band[Decimal] | None:
        """None: no batch price is known."""
        return next((one.cost_usd for one in self.lanes if one.lane == "batch"), None)

    @property
    def seconds(self) -> Band[float]:
        return self.chosen.seconds

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; money as strings."""
        counts = self.counts
        return {
            "rows": counts.rows,
            "bad_rows": counts.bad_rows,
            "done_rows": counts.done_rows,
            "duplicate_rows": counts.duplicate_rows,
            "requests": counts.sent + counts.free_requests,
            "repair_requests": self.repairs._asdict(),
            "input_tokens": self.input_tokens._asdict(),
            "output_tokens": self.output_tokens._asdict(),
            "cost_usd": shown(self.cost_usd),
            "batch_cost_usd": shown(self.batch_cost_usd),
            "seconds": self.seconds.each(lambda seconds: round(seconds, 1))._asdict(),
            "lane": self.chosen.lane,
            "lanes": [one.as_json() for one in self.lanes],
            "output_by": self.output_by,
            "assumptions": list(self.assumptions),
        }


class _Amounts(Struct, frozen=True):
    """All requests together; `answer` is of one."""

    inputs: Band[float]
    outputs: Band[float]
    repairs: Band[float]
    answer: Band[float]
    cost: Band[float] | None = None


def estimate(counts: Counts, terms: Terms, history: History | None) -> EstimateBands:
    """The dry-run's figures, of what is still to be sent."""
    history = None if history is None else history.like(counts)
    amounts = _by_shape(counts, terms) if history is None else _by_history(counts, terms, history)
    inputs, outputs, repairs = (band.each(round) for band in (amounts.inputs, amounts.outputs, amounts.repairs))
    cost = _cost(counts, terms, amounts)
    sent = counts.sent + counts.free_requests
    latency_s = history.latency_s if history else None
    seconds = Band(
        *(
            _seconds(terms, sent + again, tokens, answer, latency_s)
            for again, tokens, answer in zip(repairs, zip(inputs, outputs, strict=True), amounts.answer, strict=True)
        )
    )
    lanes = lanes_of(terms.ways, terms.rate, cost, seconds)
    by_batch = terms.ways.chosen == "batch"
    told = (
        *assuming.rows(counts.bad_rows, counts.done_rows, counts.duplicate_rows),
        assuming.requests(counts.sent, counts.fixed_tokens_per_request),
        *_told(counts, terms, amounts, history),
        *told_of_lanes(terms.ways, lanes),
        *([] if by_batch else assuming.time(terms.limits, terms.max_output_tokens, cap_charged=terms.cap_charged)),
    )
    by = "shape" if history is None else "history"
    return EstimateBands(counts, inputs, outputs, repairs, tuple(lanes), by, told)


def cost_of(input_tokens: int, output_tokens: int, requests: int, rate: Rate) -> Decimal:
    """Tokens of `requests` alike, priced at list; the size of one of them chooses the tier."""
    if requests == 0:
        return Decimal(0)
    prices = prices_at(rate, input_tokens // requests)
    return (input_tokens * prices.input + output_tokens * prices.output) / MTOK


def _by_history(counts: Counts, terms: Terms, history: History) -> _Amounts:
    """Every figure by a line through what was seen; asking again apart, for it is rare and dear."""
    seen, requests = history.seen, counts.requests
    sizes = [one.own_tokens for one in seen]
    mean_size = counts.alone_mean if history.own else counts.own_mean
    slack = SLACK_OWN if history.own else SLACK_OTHER
    agains = sum(one.agains for one in seen)
    repairs = hits_of(min(agains, len(seen)), len(seen), requests)

    def all_of(first: Iterable[float], again: Iterable[float], guess: float) -> Band[float]:
        once = total_of(sizes, list(first), requests, mean_size)
        more = times(repairs, sum(again) / agains if agains else guess)
        return within(together(once, more), slack)

    mean_in = fmean(one.first.input_tokens for one in seen)
    mean_out = fmean(one.first.output_tokens for one in seen)
    inputs = all_of(
        (one.first.input_tokens for one in seen), (one.again.input_tokens for one in seen), mean_in + mean_out
    )
    if counts.provider_input_tokens is not None:
        known = float(counts.provider_input_tokens)
        inputs = together(Band(known, known, known), times(repairs, mean_in + mean_out))
    outputs = all_of((one.first.output_tokens for one in seen), (one.again.output_tokens for one in seen), mean_out)
    cost, rate = None, terms.rate
    if rate is not None:
        guess = cost_usd(Usage(input_tokens=round(mean_in + mean_out), output_tokens=round(mean_out)), rate)
        first, again = ([float(cost_usd(use, rate)) for use in uses] for uses in _uses(seen))
        cost = all_of(first, again, float(guess))
    answer = times(outputs, 1 / (requests + repairs.expected)) if requests else Band(mean_out, mean_out, mean_out)
    return _Amounts(inputs, outputs, repairs, answer, cost)


def _uses(seen: Sequence[Seen]) -> tuple[list[Usage], list[Usage]]:
    return [one.first for one in seen], [one.again for one in seen]


def _by_shape(counts: Counts, terms: Terms) -> _Amounts:
    answer, requests = _answer_tokens(counts, terms), counts.requests
    total = counts.input_tokens if counts.provider_input_tokens is None else counts.provider_input_tokens
    mean_input = (total + counts.packed_input_tokens) / requests if requests else 0.0  # a repair goes alone
    repairs = times(REPAIRS, requests)
    pairs = list(zip(repairs, answer, strict=True))
    # A repair sends the question again, with the answer it got and what is wrong with that.
    inputs = Band(*(total + again * (mean_input + tokens) for again, tokens in pairs))
    outputs = Band(*(counts.free_output_tokens + (requests + again) * tokens for again, tokens in pairs))
    return _Amounts(inputs, outputs, repairs, answer)


def _answer_tokens(counts: Counts, terms: Terms) -> Band[float]:
    size, most = terms.size, float(terms.max_output_tokens)
    low, expected, high = size.low, size.expected, size.high
    if not terms.size_by:  # an answer repeats parts of its document: a short document cannot fill long lists
        document = counts.document_tokens / counts.requests if counts.requests else 0.0
        expected = min(expected, low + COPIED[0] * document)
        high = min(high, low + COPIED[1] * document)
    if terms.reasoning_tokens:
        expected, high = expected + terms.reasoning_tokens, most
    return Band(min(most, low), min(most, expected), min(most, max(high, expected)))


def _cost(counts: Counts, terms: Terms, amounts: _Amounts) -> Band[Decimal] | None:
    if terms.rate is None:
        return None
    if amounts.cost is not None:
        return amounts.cost.each(lambda usd: Decimal(repr(usd)))
    pairs = zip(amounts.inputs.each(round), amounts.outputs.each(round), strict=True)
    return Band(*(cost_of(*tokens, counts.requests, terms.rate) for tokens in pairs))


def _seconds(
    terms: Terms, requests: int, tokens: tuple[int, int], answer_tokens: float, latency_s: float | None
) -> float:
    """The slowest of: the slots, and each limit that the job gives."""
    limits = terms.limits
    waves = -(-requests // limits.concurrency)
    bounds = [waves * (latency_s or LATENCY_S + answer_tokens / TOKENS_PER_S)]
    charged = requests * terms.max_output_tokens if terms.cap_charged else tokens[1]
    amounts = (
        (requests, limits.requests_per_minute),
        (tokens[0], limits.input_tokens_per_minute),
        (charged, limits.output_tokens_per_minute),
    )
    bounds += [60.0 * amount / limit for amount, limit in amounts if limit]
    return max(bounds)


def _told(counts: Counts, terms: Terms, amounts: _Amounts, history: History | None) -> Iterable[str]:
    requests = max(1, counts.requests)
    if history is None:
        yield assuming.answers_by_shape(amounts.answer, terms.size_by)
        if terms.reasoning_tokens:
            yield assuming.reasoning_unseen(terms.reasoning_tokens, terms.reasoning_by)
    else:
        used, whose = history.used, "to this input" if history.own else "to other inputs"
        yield assuming.answers_by_history(amounts.answer, len(history.seen), whose)
        own = sum(one.own_tokens for one in history.seen)
        yield assuming.input_by_history(sum(one.first.input_tokens for one in history.seen) / max(1.0, own))
        yield assuming.reasoning(used.reasoning_tokens, used.output_tokens)
    yield assuming.repairs(times(amounts.repairs, 1 / requests))
    yield assuming.cached(None if history is None else history.cached_share)
    if counts.free_input_tokens and not counts.free_requests:
        yield assuming.before(counts.free_input_tokens)
    if counts.free_requests:
        yield assuming.free(counts.free_requests, counts.free_output_tokens)
