"""Counts → tokens, cost and time as low / expected / high, each assumption in words. Pure.

What is counted is exact: rows, requests, input tokens. What has to be assumed, the output and the repairs, comes from
this ledger's own history where there is one, else from the schema's shape.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.job import Limits
from pipeline.pricing import MTOK, Rate, prices_at
from pipeline.shape_size import Size

REPAIRS = (0.0, 0.02, 0.10)  # share of requests, before any was seen
COPIED = (0.5, 1.5)  # of a document's tokens that its answer repeats: expected, at the most
LATENCY_S = 1.0  # to the first token, before any was seen
TOKENS_PER_S = 60.0  # of one answer, before any was seen
WIDTH = 3.0  # standard errors of a mean on either side: the rows to come are not quite like those that were
SHOWN = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Counts:
    """What one pass over the input found. `requests` are those still to be sent, one for each chunk."""

    rows: int
    bad_rows: int
    done_rows: int
    duplicate_rows: int
    requests: int
    chunks: int
    input_tokens: int
    document_tokens: int
    fixed_tokens_per_request: int
    free_requests: int = 0  # readings of `two_step`, running summaries of `rolling`
    free_output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Answers on record for this very form of question: output tokens of one answer, repairs per answer."""

    requests: int
    output_tokens_mean: float
    output_tokens_stdev: float
    repair_share: float
    latency_s: float | None
    input_scale: float = 1.0  # input tokens as the provider counts them, over ours


@dataclass(frozen=True, slots=True)
class Estimate:
    counts: Counts
    input_tokens: tuple[int, int, int]  # with repairs; low, expected, high, as all of these
    output_tokens: tuple[int, int, int]
    repairs: tuple[int, int, int]
    cost_usd: tuple[Decimal, Decimal, Decimal] | None  # None: the model has no price
    seconds: tuple[float, float, float]
    assumptions: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; money as strings."""
        counts = self.counts
        return {
            "rows": counts.rows,
            "bad_rows": counts.bad_rows,
            "done_rows": counts.done_rows,
            "duplicate_rows": counts.duplicate_rows,
            "requests": counts.requests + counts.free_requests,
            "repair_requests": _band(self.repairs),
            "input_tokens": _band(self.input_tokens),
            "output_tokens": _band(self.output_tokens),
            "cost_usd": None if self.cost_usd is None else _band([str(usd.quantize(SHOWN)) for usd in self.cost_usd]),
            "seconds": _band([round(seconds, 1) for seconds in self.seconds]),
            "assumptions": list(self.assumptions),
        }


def estimate(
    counts: Counts, rate: Rate | None, size: Size, max_output_tokens: int, history: History | None, limits: Limits
) -> Estimate:
    """The dry-run's figures. `size` is of one answer by the schema's shape, `history` replaces it."""
    answers = _answer_tokens(counts, size, max_output_tokens, history)
    shares = (0.0, history.repair_share, 2 * history.repair_share + 0.02) if history else REPAIRS
    repairs = _three(counts.requests * share for share in shares)
    mean_input = counts.input_tokens / counts.requests if counts.requests else 0.0
    scale = history.input_scale if history else 1.0
    # A repair sends the question again, with the answer it got and what is wrong with that.
    inputs = _three(
        scale * (counts.input_tokens + again * (mean_input + answer))
        for again, answer in zip(repairs, answers, strict=True)
    )
    outputs = _three(
        counts.free_output_tokens + (counts.requests + again) * answer
        for again, answer in zip(repairs, answers, strict=True)
    )
    cost = None
    if rate is not None:
        low, expected, high = (cost_of(*tokens, counts.requests, rate) for tokens in zip(inputs, outputs, strict=True))
        cost = (low, expected, high)
    low_s, expected_s, high_s = (
        _seconds(limits, counts.requests + counts.free_requests + again, tokens, answer, history)
        for again, tokens, answer in zip(repairs, zip(inputs, outputs, strict=True), answers, strict=True)
    )
    told = tuple(_told(counts, history, answers, shares, limits))
    return Estimate(counts, inputs, outputs, repairs, cost, (low_s, expected_s, high_s), told)


def cost_of(input_tokens: int, output_tokens: int, requests: int, rate: Rate) -> Decimal:
    """Tokens of `requests` alike, priced at list; the size of one of them chooses the tier."""
    if requests == 0:
        return Decimal(0)
    prices = prices_at(rate, input_tokens // requests)
    return (input_tokens * prices.input + output_tokens * prices.output) / MTOK


def _answer_tokens(
    counts: Counts, size: Size, max_output_tokens: int, history: History | None
) -> tuple[float, float, float]:
    if history is not None:
        spread = WIDTH * history.output_tokens_stdev * math.sqrt(1 / history.requests + 1 / max(1, counts.requests))
        mean = history.output_tokens_mean
        band = (min(mean, max(1.0, mean - spread)), mean, mean + spread)
    else:
        # An answer repeats parts of its document: a short document cannot fill long lists.
        document = counts.document_tokens / counts.requests if counts.requests else 0.0
        high = min(size.high, size.low + COPIED[1] * document)
        band = (size.low, min(size.expected, size.low + COPIED[0] * document), high)
    low, expected, high = (min(float(max_output_tokens), tokens) for tokens in band)
    return low, expected, high


def _seconds(
    limits: Limits, requests: int, tokens: tuple[int, int], answer_tokens: float, history: History | None
) -> float:
    """The slowest of: the slots, and each limit that the job gives."""
    latency_s = history.latency_s if history and history.latency_s else LATENCY_S + answer_tokens / TOKENS_PER_S
    waves = -(-requests // limits.concurrency)
    bounds = [waves * latency_s]
    amounts = (
        (requests, limits.requests_per_minute),
        (tokens[0], limits.input_tokens_per_minute),
        (tokens[1], limits.output_tokens_per_minute),
    )
    bounds += [60.0 * amount / limit for amount, limit in amounts if limit]
    return max(bounds)


def _told(
    counts: Counts,
    history: History | None,
    answers: tuple[float, float, float],
    shares: tuple[float, float, float],
    limits: Limits,
) -> Sequence[str]:
    per_answer = f"{answers[0]:,.0f} low, {answers[1]:,.0f} expected, {answers[2]:,.0f} high"
    by = "the schema's shape: run a few rows to know better"
    if history is not None:
        by = f"the last {history.requests:,} answers on record"
    told = [
        f"not sent: {counts.bad_rows:,} rows that cannot be used, {counts.done_rows:,} that have an outcome already",
        f"not sent: {counts.duplicate_rows:,} rows that repeat another row",
        f"{counts.requests:,} requests; {counts.fixed_tokens_per_request:,} tokens of prompt and schema go with each",
        f"output tokens of an answer: {per_answer}, by {by}",
        f"answers that need a repair: {shares[0]:.0%} low, {shares[1]:.1%} expected, {shares[2]:.0%} high",
        "no discount for cached input is counted on",
    ]
    if counts.free_requests:
        told.append(
            f"{counts.free_requests:,} more requests for readings or summaries, of "
            f"{counts.free_output_tokens:,} output tokens in all"
        )
    if not (limits.requests_per_minute or limits.input_tokens_per_minute or limits.output_tokens_per_minute):
        told.append("time: no limits are given in [limits]; the provider's own may make it longer")
    return told


def _three(values: Iterable[float]) -> tuple[int, int, int]:
    low, expected, high = (round(value) for value in values)
    return low, expected, high


def _band(values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(("low", "expected", "high"), values, strict=True))
