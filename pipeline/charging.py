"""What a call may be charged, will probably be, and was: by lane, as the provider settles it. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pipeline.work import Lane

SMOOTHING = 0.05

Settling = Literal["refund", "none", "post"]


@dataclass(frozen=True, slots=True)
class Need:
    """What a call may use at the most, and how much output is expected where somebody knows."""

    input_tokens: int
    output_tokens: int
    usd: Decimal
    expected_output_tokens: int | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """What a call has used. `rejected`: a 429 costs a request and no tokens. `sent` false: it never left."""

    input_tokens: int
    output_tokens: int
    usd: Decimal
    rejected: bool = False
    sent: bool = True


UNSENT = Used(0, 0, Decimal(0), rejected=True, sent=False)


@dataclass(slots=True)
class Charges:
    """`settle` is what becomes of reserved output that was not used: given back, kept, or never reserved (post)."""

    settle: Settling
    output_share: float = 1.0  # of the reserved output that is used, on average

    def reserve(self, lane: Lane, need: Need) -> float:
        """What the provider sets aside when it admits the call."""
        return _amount(lane, need.input_tokens, self._output(need) if self.settle == "post" else need.output_tokens)

    def expected(self, lane: Lane, need: Need) -> float:
        """What it will probably come to in the end, for pacing."""
        return _amount(lane, need.input_tokens, need.output_tokens if self.settle == "none" else self._output(need))

    def final(self, lane: Lane, need: Need, used: Used) -> float:
        if used.rejected:
            return float(lane is Lane.REQUESTS and used.sent)
        return _amount(lane, used.input_tokens, need.output_tokens if self.settle == "none" else used.output_tokens)

    def observe(self, need: Need, used: Used) -> None:
        if not used.rejected and need.output_tokens > 0:
            share = min(1.0, used.output_tokens / need.output_tokens)
            self.output_share += SMOOTHING * (share - self.output_share)

    def _output(self, need: Need) -> float:
        if need.expected_output_tokens is not None:
            return min(need.expected_output_tokens, need.output_tokens)
        return need.output_tokens * self.output_share


def _amount(lane: Lane, input_tokens: float, output_tokens: float) -> float:
    match lane:
        case Lane.REQUESTS:
            return 1.0
        case Lane.INPUT_TOKENS:
            return float(input_tokens)
        case Lane.OUTPUT_TOKENS:
            return float(output_tokens)
        case Lane.TOKENS:
            return float(input_tokens + output_tokens)
