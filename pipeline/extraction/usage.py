"""What an attempt is booked with where its server does not tell what was used: by our own count. Pure.

Nothing that is billed may be free because a server is silent, or `max_usd` would hold nothing.
"""

from pipeline.documents.chunks import Counter
from pipeline.extraction.reading import without_thoughts
from pipeline.parts import files_of
from pipeline.types import Answer, PartialUsage, Request, Stop, Usage


def whole_usage(told: Usage, request: Request, text: str, stop: Stop | None, counter: Counter) -> Usage:
    """`told`, with what it leaves out counted: input as estimated, output by its `text`, or the cap that cut it off."""
    if not isinstance(told, PartialUsage):
        return told
    input_tokens, output_tokens = told.input_tokens, told.output_tokens
    if not told.input_told:
        input_tokens = max(_input_tokens(request), told.cached_input_tokens + told.cache_write_tokens)
    if not told.output_told:
        cap = request.max_output_tokens
        counted = cap if stop is Stop.TRUNCATED else told.reasoning_tokens + counter.count(text)
        output_tokens = min(counted, cap)
    return Usage(input_tokens, told.cached_input_tokens, told.cache_write_tokens, output_tokens, told.reasoning_tokens)


def _input_tokens(request: Request) -> int:
    """Text as estimated; files at the most that they can be billed as: what they look like is not known here."""
    if not request.file_tokens:
        return request.input_tokens
    files = sum(file.tokens_ceiling for turn in request.turns for file in files_of(turn.parts))
    return max(request.input_tokens, request.input_tokens - request.file_tokens + files)


def all_reasoning(cut_off: Answer) -> int:
    """Tokens of reasoning in an answer that was cut off before it began; 0: it began.

    Where they are not told, an answer that is empty is all reasoning; one of blanks is not.
    """
    if without_thoughts(cut_off.text).strip():
        return 0
    unseen = not cut_off.text or bool(cut_off.text.strip())
    return cut_off.usage.reasoning_tokens or (cut_off.usage.output_tokens if unseen else 0)
