"""How each provider keeps its limits, as data. Pure. What is not documented is the cautious guess, and says so."""

from typing import Literal

from msgspec import Struct

from pipeline.types import Dimension

Settling = Literal["refund", "none", "post"]
REQUESTS_AND_TOKENS = (Dimension.REQUESTS, Dimension.TOKENS)
REQUESTS_AND_INPUT = (Dimension.REQUESTS, Dimension.INPUT_TOKENS)


class Profile(Struct, frozen=True):
    """`settle`: what becomes of reserved output that was not used: given back, kept, or never reserved (post).

    `minute` is how a limit that comes by headers is kept: a bucket that refills all the time, or a count per minute.
    `learns` are the dimensions a silent provider can be short of.
    """

    settle: Settling = "refund"
    burn: float = 1.0  # units that one output token is finally charged
    minute: Literal["bucket", "sliding"] = "bucket"
    rejects_count: bool = True  # whether a call answered 429 costs a request
    cached_free: bool = False  # whether input read from the cache is charged to no limit
    learns: tuple[Dimension, ...] = REQUESTS_AND_TOKENS


OPENAI = Profile(settle="none")  # reserves max_tokens, no refund is documented; failed requests count
AZURE = Profile(settle="none", minute="sliding")  # a count that starts again each minute; max_tokens is never refunded
ANTHROPIC = Profile(
    settle="post", cached_free=True, learns=(Dimension.REQUESTS, Dimension.INPUT_TOKENS, Dimension.OUTPUT_TOKENS)
)
BEDROCK = Profile(settle="refund", rejects_count=False)  # reserves max_tokens, gives back what was not used
BEDROCK_CLAUDE = Profile(settle="refund", burn=5.0, rejects_count=False)  # five times for Claude's, as AWS lists
GEMINI = Profile(settle="post", minute="sliding", learns=REQUESTS_AND_INPUT)  # counts input only
VERTEX = Profile(settle="post", rejects_count=False, learns=REQUESTS_AND_INPUT)  # a shared pool, no fixed quota
SANDBOX = Profile(settle="refund", rejects_count=False, learns=())  # its headers tell every limit that it has

UNKNOWN = Profile()
