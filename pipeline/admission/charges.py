"""What a call may be charged, will probably be, and was: by dimension, as the provider settles it. Pure."""

from decimal import Decimal

from msgspec import Struct

from pipeline.catalog.limit_profiles import Profile
from pipeline.types import Dimension, Usage

SMOOTHING = 0.05
DIMENSIONS = tuple(Dimension)  # amounts are tuples in this order: requests, input tokens, output tokens, tokens
INDEX = {dimension: number for number, dimension in enumerate(DIMENSIONS)}

Amounts = tuple[float, float, float, float]


class Need(Struct, frozen=True):
    """What a call may use at the most, and how much output is expected where somebody knows."""

    input_tokens: int
    output_tokens: int
    usd: Decimal
    expected_output_tokens: int | None = None
    tenant: str | None = None
    file_ceiling: int = 0  # of an input with files: tokens that it was thought to be billed as at the most


class Used(Struct, frozen=True):
    """What a call has used. `rejected`: a 429 costs a request and no tokens. `sent` false: it never left.

    `input_tokens` includes the cached ones, which some providers charge to no limit.
    """

    input_tokens: int
    output_tokens: int
    usd: Decimal
    rejected: bool = False
    sent: bool = True
    cached_input_tokens: int = 0


def used_by(usage: Usage, usd: Decimal | None) -> Used:
    """Of a call whose usage is known; `usd` None: it has no price."""
    cost_usd, cached = usd or Decimal(0), usage.cached_input_tokens
    return Used(usage.input_tokens, usage.output_tokens, cost_usd, cached_input_tokens=cached)


UNSENT = Used(0, 0, Decimal(0), rejected=True, sent=False)


class Charges(Struct):
    """The provider's arithmetic, and what this run's answers have taught about output."""

    profile: Profile
    output_share: float = 1.0  # of the reserved output that is used, on average

    def reserve(self, need: Need) -> Amounts:
        """What the provider sets aside when it admits the call."""
        output = self._output(need) if self.profile.settle == "post" else float(need.output_tokens)
        return (1.0, float(need.input_tokens), output, need.input_tokens + output)

    def expected(self, need: Need) -> Amounts:
        """What it will probably come to in the end, for pacing."""
        output = float(need.output_tokens) if self.profile.settle == "none" else self._output(need)
        return (1.0, float(need.input_tokens), output, need.input_tokens + output)

    def final(self, need: Need, used: Used) -> Amounts:
        if used.rejected:
            return (float(used.sent and self.profile.rejects_count), 0.0, 0.0, 0.0)
        kept = self.profile.settle == "none"
        if kept and used.input_tokens == 0:
            return self.reserve(need)  # an attempt that failed there, and was charged all the same
        inputs = float(used.input_tokens - (used.cached_input_tokens if self.profile.cached_free else 0))
        output = float(need.output_tokens) if kept else self.profile.burn * used.output_tokens
        return (1.0, inputs, output, inputs + output)

    def observe(self, need: Need, used: Used) -> None:
        if not used.rejected and need.output_tokens > 0:
            share = min(1.0, used.output_tokens / need.output_tokens)
            self.output_share += SMOOTHING * (share - self.output_share)

    def _output(self, need: Need) -> float:
        """Units that the answer will probably be charged."""
        if need.expected_output_tokens is not None:
            return self.profile.burn * min(need.expected_output_tokens, need.output_tokens)
        return self.profile.burn * need.output_tokens * self.output_share
