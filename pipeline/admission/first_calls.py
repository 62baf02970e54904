"""The first calls of a run go alone: who rejects a key, a model or an account does so at once. Pure."""

import math

from msgspec import Struct

FIRST_CALLS = 5
FIRST_CALLS_S = 0.5  # an answer takes as long as it takes; a rejection comes from the provider's door


class FirstCalls(Struct, frozen=True):
    """`calls` at once, until one is answered or the first is `seconds` old."""

    calls: int = FIRST_CALLS
    seconds: float = FIRST_CALLS_S


WRITES_CACHE = FirstCalls(1, math.inf)  # the others read what the first has written


class Opening:
    """Whether more than the first calls may go. None: any number from the start."""

    def __init__(self, first: FirstCalls | None) -> None:
        self._first = first
        self._since_s = math.inf

    def wait_s(self, in_flight: int, now_s: float) -> float:
        """0 may go; inf waits for an answer."""
        if self._first is None or in_flight < self._first.calls:
            return 0.0
        return max(0.0, self._since_s + self._first.seconds - now_s)

    def taken(self, now_s: float) -> None:
        self._since_s = min(self._since_s, now_s)

    def answered(self) -> None:
        """Also by a 429: who counts our calls has let us in."""
        self._first = None
