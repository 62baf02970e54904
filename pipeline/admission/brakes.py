"""What holds everybody at once: a gate for rate limits, a circuit for a provider in trouble. Pure.

They know nothing of each other: a 429 says nothing about the provider's health, and a 5xx nothing about our limits.
"""

import math

from msgspec import Struct

GATE_S = 0.35  # a 429 without a hint; doubles with each episode in a row
GATE_MOST_S = 60.0
HINT_MOST_S = 1e9
RAMP_S = 2.0  # after a gate: slots open one by one over this long, or as long as a hint was; dimensions go at RAMP_PACE
RAMP_PACE = 1.3
FAILURES = 5  # in a row
PROBE_S = 0.25  # before the first probe; doubles with each that fails
PROBE_MOST_S = 8.0
LONG_S = 30.0  # a failure that asks for so long a wait says itself that it is an outage
CLOSED_ABOVE = 64  # calls at once


class ThrottleGate(Struct):
    """Nothing is sent before `until_s`, whoever was told so; after it, not everybody at once."""

    until_s: float = -math.inf
    _episode_s: float = -math.inf  # the last reaction
    _episodes: int = 0  # in a row
    _ramp_s: float = RAMP_S

    def hold(self, until_s: float) -> None:
        """Never shortened."""
        if until_s > self.until_s:
            self.until_s, self._ramp_s = until_s, RAMP_S

    def news(self, sent_s: float, hint_s: float | None, now_s: float) -> bool:
        """Whether a 429 is one: whoever was sent before the last reaction brings only its hint."""
        if hint_s is not None:
            self._told(now_s, hint_s)
        if sent_s <= self._episode_s:
            return False
        self._episode_s = now_s
        return True

    def back_off(self, now_s: float, jitter: float) -> None:
        """News without a hint: full jitter over 0.7, 1.4, 2.8, … 60, 60 s for the episodes in a row."""
        self._episodes += 1
        self.hold(now_s + jitter * min(GATE_MOST_S, GATE_S * 2.0 ** min(self._episodes, 16)))

    def _told(self, now_s: float, hint_s: float) -> None:
        """A provider that asks for a tenth of a second is not short of anything for two."""
        if now_s + hint_s > self.until_s:
            self.until_s, self._ramp_s = now_s + hint_s, min(RAMP_S, hint_s)

    def succeeded(self, sent_s: float) -> None:
        if sent_s > self._episode_s:
            self._episodes = 0

    def ramp_s(self, in_flight: int, concurrency: int, now_s: float) -> float:
        """Until the next slot opens: all who waited for the gate would else leave at once."""
        since_s = now_s - self.until_s
        due_s = in_flight / concurrency * self._ramp_s
        return due_s - since_s if since_s < self._ramp_s and due_s - since_s > 1e-9 else 0.0

    def pace_most(self, now_s: float) -> float:
        """The multiple of the refill that dimensions may go at."""
        return RAMP_PACE if now_s - self.until_s < self._ramp_s else math.inf


class Circuit(Struct):
    """`width` is how many calls may be out at once since it opened; None is closed."""

    width: int | None = None
    open_since_s: float | None = None  # since when nothing has succeeded
    _failures: int = 0
    _trips: int = 0
    _probe_at_s: float = -math.inf
    _opened_s: float = -math.inf

    def wait_s(self, probes: int, now_s: float) -> float | None:
        """0 may go; None waits for one of the `probes` that are out."""
        if self.width is None:
            return 0.0
        if now_s < self._probe_at_s:
            return self._probe_at_s - now_s
        return 0.0 if probes < self.width else None

    def failed(self, now_s: float, jitter: float, hint_s: float | None = None) -> None:
        """`jitter` in [0, 1): the next probe is due after half to the whole of 0.25, 0.5, 1, 2, 4, 8, 8, … s.

        `hint_s`: that it asks to wait for. Nothing is sent meanwhile: four more would take as long each.
        """
        self._failures += FAILURES if hint_s is not None and hint_s >= LONG_S else 1
        if self.width is None:
            if self._failures < FAILURES:
                return
            self._trips, self._opened_s = 0, now_s
        elif now_s < self._probe_at_s:
            return  # sent before it opened: no news
        else:
            self._trips += 1
        self.width = 1
        if self.open_since_s is None:
            self.open_since_s = now_s
        most_s = min(PROBE_MOST_S, PROBE_S * 2.0 ** min(self._trips, 16))
        self._probe_at_s = now_s + most_s * (0.5 + jitter / 2)

    def throttled(self, sent_s: float) -> None:
        """A probe that is answered with a 429 has found somebody; amid failures one proves nothing."""
        if self.width is not None:
            self.succeeded(sent_s)

    def succeeded(self, sent_s: float) -> None:
        """An answer; one to a call that was sent before it opened says nothing of now."""
        if self.width is not None and sent_s < self._opened_s:
            return
        self._failures = 0
        self.open_since_s = None
        if self.width is not None:
            self._probe_at_s = -math.inf
            self.width = self.width * 2 if self.width * 2 <= CLOSED_ABOVE else None
