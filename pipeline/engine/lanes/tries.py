"""What the attempts of one request have come to so far, as far as it says how the next one goes out. Pure."""

from msgspec import Struct

from pipeline.errors import CallFailed, Kind


class Tries(Struct):
    """The attempts of one request so far. Times are on the loop's clock."""

    sent: int = 0
    sent_s: float | None = None  # the last of them
    throttled_s: float | None = None  # the first 429
    fresh: bool = False  # a kept connection was stale: from then on each has one of its own

    def met(self, failure: CallFailed, now_s: float) -> None:
        if failure.kind is Kind.THROTTLED and self.throttled_s is None:
            self.throttled_s = now_s
        self.fresh = self.fresh or failure.stale

    def waited_s(self, now_s: float) -> float:
        """For a rate limit."""
        return 0.0 if self.throttled_s is None else now_s - self.throttled_s
