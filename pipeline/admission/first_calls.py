"""The first calls of a run go alone: who refuses a key, a model, an account or every request does so at once. Pure."""

import math

from msgspec import Struct

from pipeline.admission.report import Refusal

FIRST_CALLS = 5
FIRST_CALLS_S = 0.5  # an answer takes as long as it takes; a refusal comes from the provider's door
SECOND_CALLS = 10  # with the nine that may have been refused by then, fewer than 20 in all
SECOND_CALLS_S = 2.0


class FirstCalls(Struct, frozen=True):
    """`calls` at once, until one is answered or the first is `seconds` old; then a few more, until that is 2 s old."""

    calls: int = FIRST_CALLS
    seconds: float = FIRST_CALLS_S


WRITES_CACHE = FirstCalls(1, math.inf)  # the others read what the first has written


class Opening:
    """Whether more than the first calls may go. None: any number from the start.

    Once a request has been refused for what every request is alike in, only `FIRST_CALLS` go at once until one is
    answered, or is refused for something else. `parks`: what is said when as many as tell were refused alike.
    """

    def __init__(self, first: FirstCalls | None) -> None:
        self._first = first
        self._since_s = math.inf
        self._answered = False
        self._refused: Refusal | None = None
        self._refusals = 0
        self.parks: str | None = None

    def wait_s(self, in_flight: int, now_s: float) -> float:
        """0 may go; inf waits for an answer."""
        if self._refused is not None:
            return 0.0 if in_flight < FIRST_CALLS else math.inf
        if self._first is None or in_flight < self._first.calls:
            return 0.0
        seconds = self._first.seconds
        if in_flight >= SECOND_CALLS:
            seconds = max(seconds, SECOND_CALLS_S)
        return max(0.0, self._since_s + seconds - now_s)

    def taken(self, now_s: float) -> None:
        self._since_s = min(self._since_s, now_s)

    def let_in(self) -> None:
        """By a 429: who counts our calls knows our key."""
        self._first = None

    def answered(self) -> None:
        self._first, self._refused, self._answered = None, None, True

    def refused(self, refusal: Refusal) -> None:
        """Nothing is made of it once a call was answered, or of two that differ."""
        if self._answered:
            return
        if self._refused is not None and self._refused.same != refusal.same:
            self.answered()
            return
        self._refused, self._refusals = refusal, self._refusals + 1
        if self._refusals >= refusal.most:
            self.parks = refusal.told
