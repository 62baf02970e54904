"""What an estimate rests on, one line for each. Pure."""

from collections.abc import Iterator

from pipeline.job.settings import Limits
from pipeline.money import Band


def rows(bad: int, done: int, duplicates: int) -> Iterator[str]:
    yield f"not sent: {bad:,} rows that cannot be used, {done:,} that have an outcome already"
    yield f"not sent: {duplicates:,} rows that repeat another row"


def requests(count: int, fixed_tokens: int) -> str:
    return f"{count:,} requests; {fixed_tokens:,} tokens of prompt and schema go with each"


def answers_by_shape(tokens: Band[float], by: str) -> str:
    by = by or "the schema's shape: --pilot 20 runs a few rows to know better"
    return f"output tokens of an answer: {_tokens(tokens)}, by {by}"


def answers_by_history(tokens: Band[float], seen: int, whose: str) -> str:
    return f"output tokens of an answer: {_tokens(tokens)}, by {seen:,} answers on record {whose}"


def input_by_history(scale: float) -> str:
    return f"input tokens as the provider counts them: {scale:.3f} times ours, by the same answers"


def reasoning_unseen(tokens: float, by: str = "") -> str:
    by = f" ({by})" if by else ""
    return f"reasoning: {tokens:,.0f} tokens an answer expected{by}, the cap at the most; --pilot 20 would tell"


def reasoning(tokens: int, output_tokens: int) -> str:
    if not tokens:
        return "reasoning: none was seen"
    return f"reasoning: {tokens / max(1, output_tokens):.0%} of the output tokens, by the same answers"


def repairs(shares: Band[float]) -> str:
    return f"answers that need a repair: {shares.low:.0%} low, {shares.expected:.1%} expected, {shares.high:.0%} high"


def cached(share: float | None) -> str:
    if not share:
        return "no discount for cached input is counted on"
    return f"cached input: {share:.0%} of the input tokens, at their price, by the same answers"


def free(count: int, output_tokens: int) -> str:
    why = "for readings, summaries or a round of look-ups"
    return f"{count:,} more requests {why}, of {output_tokens:,} output tokens in all"


def before(input_tokens: int) -> str:
    return f"{input_tokens:,} of the input tokens are records of chunks before, that go with those after them"


def time(limits: Limits, max_output_tokens: int, *, cap_charged: bool) -> Iterator[str]:
    if not (limits.requests_per_minute or limits.input_tokens_per_minute or limits.output_tokens_per_minute):
        yield "time: no limits are given in [limits]; the provider's own may make it longer"
    elif limits.output_tokens_per_minute and cap_charged:
        yield f"time: every request is charged {max_output_tokens:,} output tokens, its cap, whatever comes out"


def _tokens(tokens: Band[float]) -> str:
    return f"{tokens.low:,.0f} low, {tokens.expected:,.0f} expected, {tokens.high:,.0f} high"
