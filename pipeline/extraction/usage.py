"""What an attempt is booked with where its server does not tell what was used: by our own count. Pure.

Nothing that is billed may be free because a server is silent, or `max_usd` would hold nothing.
"""

from pipeline.documents.chunks import Counter
from pipeline.types import PartialUsage, Request, Stop, Usage


def whole_usage(told: Usage, request: Request, text: str, stop: Stop | None, counter: Counter) -> Usage:
    """`told`, with what it leaves out counted: input as estimated, output by its `text`, or the cap that cut it off."""
    if not isinstance(told, PartialUsage):
        return told
    input_tokens, output_tokens = told.input_tokens, told.output_tokens
    if not told.input_told:
        input_tokens = max(request.input_tokens, told.cached_input_tokens + told.cache_write_tokens)
    if not told.output_told:
        cap = request.max_output_tokens
        counted = cap if stop is Stop.TRUNCATED else told.reasoning_tokens + counter.count(text)
        output_tokens = min(counted, cap)
    return Usage(input_tokens, told.cached_input_tokens, told.cache_write_tokens, output_tokens, told.reasoning_tokens)
