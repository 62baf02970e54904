"""A refusal of a request's length names numbers, in every server's own words. What is too much, by them. Pure.

The words differ by provider, model and version; the numbers say the same everywhere: what was asked, and the most that
is taken. Which is which is told by their order, and by the cap that the request asked for.
"""

import math
import re
from collections.abc import Iterator
from itertools import pairwise

NUMBER = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?![\w-]|[.,]\d)|(?<![\w.,-])\d{3,9}(?![\w-]|[.,]\d)")
LEAST = 500  # no model or limit takes as little; what is smaller is a status, or something else
MARGIN = 0.95  # of what is left: the next request is counted by another tokenizer once more
PAGES = re.compile(r"\b(?:pages?|images?)\b", re.IGNORECASE)
A_MOST = re.compile(r"\b(?:maximum|max|limit|at most|up to|no more than)\b", re.IGNORECASE)
SENTENCE = re.compile(r"[.;](?=\s|$)")
# No index (messages.4), no status, no page's own number, and no other unit's.
COUNT = re.compile(
    r"(?<![\w.,\[-])(?<!page )(?<!image )(?<!http )(?<!no\. )(\d{1,3}(?:,\d{3})+|\d{1,6})(?![\w%]|[.,:]\d)"
    r"(?! ?(?:[kmg]i?b|bytes|px|pixels?|tokens?|dpi|x|documents?|files?)\b)",
    re.IGNORECASE,
)
MOST_PARTS = 64  # a document that has to be cut smaller still: the numbers do not mean what we take them for


def smaller_tokens(message: str, chunk_tokens: int, input_tokens: int, max_output_tokens: int) -> int | None:
    """The most tokens, by our count, that a part of a refused chunk may have; None where the message does not tell.

    `input_tokens`: the whole request's, by our count. A chunk of 9,000 tokens in a request of 10,000 that is refused
    with "maximum context length is 8192 tokens. However, you requested 11024 tokens (10000 in the messages, 1024 in the
    completion)" may have parts of 5,859.
    """
    numbers = {int(found.replace(",", "")) for found in NUMBER.findall(message)}
    told = sorted(number for number in numbers if number >= LEAST or number == max_output_tokens)
    for asked, inputs, most in _readings(told, input_tokens, max_output_tokens):
        if asked > most:
            fixed = input_tokens - chunk_tokens
            # Theirs for one of ours; where theirs are fewer, the schema and the prompt may be counted as we do.
            scale = min(inputs / input_tokens, max(inputs - fixed, inputs / 2) / chunk_tokens)
            left = chunk_tokens - (asked - most) / scale
            if left * MOST_PARTS < chunk_tokens:  # our count has what theirs has not, such as the schema: by shares
                left = chunk_tokens * most / asked
            return math.floor(MARGIN * left) if left * MOST_PARTS >= chunk_tokens else None
    return None


def told_pages(message: str) -> int | None:
    """The most pages (or images of pages) that a refusal says are taken at once; None where it does not tell.

    "The document contains 1204 pages which exceeds the supported page limit of 1000." tells 1000. Of two numbers the
    smaller is the most: what was asked was more. "Too many images (7). The maximum is 2." says it in the next sentence.
    """
    sentences = ["", *SENTENCE.split(message)]
    said = (
        one for before, one in pairwise(sentences) if PAGES.search(one) or (PAGES.search(before) and A_MOST.search(one))
    )
    counts = [int(found.replace(",", "")) for sentence in said for found in COUNT.findall(sentence)]
    return min((count for count in counts if count), default=None)


def _readings(told: list[int], ours: int, cap: int) -> Iterator[tuple[int, float, int]]:
    """(asked, its input, the most) as they may be meant, likeliest first; the numbers are in order.

    Where the cap and another make up a third, that is the whole (OpenAI, vLLM); where the cap stands by itself it is
    asked on top (Anthropic, TGI). Of two, the larger was asked: at worst parts get smaller by twice the cap. A single
    one is the most, and our own count counts.
    """
    others = _others(told, cap)
    if cap in told:
        for whole in others:
            if whole - cap in others and (least := _others(others, whole, whole - cap)):
                yield whole, float(whole - cap), least[-1]
        if len(others) > 1:
            yield others[-1] + cap, float(others[-1]), others[-2]
    if len(others) > 1:
        yield others[-1], max(others[-1] - cap, others[-1] / 2), others[-2]
    if len(told) == 1:
        yield ours + cap, float(ours), told[0]


def _others(numbers: list[int], *without: int) -> list[int]:
    return [number for number in numbers if number not in without]
