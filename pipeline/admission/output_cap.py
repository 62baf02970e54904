"""What an oversized model.max_output_tokens costs under a limit of tokens, and the value to use. Pure.

Where a provider charges its limit with max_output_tokens whatever comes out, that is the largest loss there is: 8,000
rows of 960 tokens in and 270 out take 10 minutes at 1,024 and 2.5 hours at 32,000, under 1.85 million tokens a minute.
"""

import math

from msgspec import Struct

from pipeline.catalog.limit_profiles import Profile

ROOM, STEP = 1.25, 64  # over the longest answer; and rounded up to a multiple
WORTH, WORTH_KEPT = 4.0, 1.25  # times slower: below, nobody needs to be told; the second where it is kept


class Sizing(Struct, frozen=True):
    """`output_tokens` would be enough; `times` slower is what is set, where tokens per minute are what is short."""

    output_tokens: int
    times: float
    kept: bool  # the provider keeps what was reserved; else it only reserves it while the call is out

    @property
    def told(self) -> str:
        why = "counts against tokens per minute whatever comes out" if self.kept else "is reserved while a call is out"
        return (
            f"model.max_output_tokens {why}: {self.output_tokens:,} would do, and where tokens per minute are short "
            f"this run is up to {self.times:.1f} times slower than it need be. An answer that is cut off is asked "
            "again with a higher cap"
        )


def sizing(profile: Profile, mean_input_tokens: float, longest_output_tokens: float, most: int) -> Sizing | None:
    """Advice for `most` output tokens, or None where it would gain little. `longest`: of nearly all answers."""
    if profile.settle == "post":
        return None  # counted as it is produced: the cap costs nothing
    enough = STEP * math.ceil(ROOM * max(1.0, longest_output_tokens) / STEP)
    times = (mean_input_tokens + most) / (mean_input_tokens + enough)
    if enough >= most or times < (WORTH_KEPT if profile.settle == "none" else WORTH):
        return None
    return Sizing(enough, times, kept=profile.settle == "none")
