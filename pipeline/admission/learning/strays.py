"""429s that have nothing to do with our pace: a gateway's hiccups, a fault for a rehearsal. Pure.

Slowing down because of them would never end. So before a silent provider is believed to have a limit, some calls are
watched that go out right after one was refused: a limit that has nothing left refuses most of them.
"""

import math

from msgspec import Struct

WATCHED, BY_THE_WAY = 6, 10  # calls
REFUSED_MOST, AT_ONCE_REFUSED_MOST = 0.25, 0.45  # of them, if it is no limit
HICCUPS = 3  # that were no limit by what was on its way anyhow; then a few are sent at once
AT_ONCE_MOST = 24
SUSPECTS, SUSPECTS_OF = 2, 3
IN_A_ROW = 6  # refusals that no probe had asked for
CALM_S, CALM_BY, CALM_MOST_S = 20.0, 4.0, 320.0  # a limit that has proved to be one is not tried again so soon


class Trial(Struct):
    """`begun_s` is the send instant of the refused call, None while nothing is on trial."""

    begun_s: float | None = None
    left: int = 0  # calls that may still go at once
    thorough: bool = False
    _watched: int = 0
    _refused: int = 0
    _listen_s: float = 0.0  # for a refusal to come back
    _over_s: float = math.inf
    _hiccups: int = 0
    _begin_s: float | None = None
    _by_the_way: int = 0  # calls that were on their way when others were refused, over several such times
    _by_the_way_refused: int = 0
    _suspects: tuple[bool, ...] = ()
    _in_a_row: int = 0
    _not_before_s: float = -math.inf
    _calm_s: float = CALM_S

    def begin(self, sent_s: float, now_s: float, on_way: int, due: float) -> bool:
        """A first refusal. `on_way`: calls sent since; `due`: what can have been refilled by the time of the next.

        False: what comes of it is not enough to tell, and adds to what came of others.
        """
        thorough = WATCHED + math.ceil(2.0 * due)
        self.thorough = self._hiccups >= HICCUPS and thorough <= AT_ONCE_MOST
        if self.thorough:
            self._start(sent_s, now_s, on_way, thorough)
        elif on_way >= WATCHED or due <= WATCHED / 2:
            self._start(sent_s, now_s, on_way, WATCHED)
        else:  # calls that go out after a long pause are let in by any limit
            self._begin_s = sent_s
            self._by_the_way += on_way
            if self._by_the_way < BY_THE_WAY:
                return False
            self._start(sent_s, now_s, 0, 0)
            self._watched, self._refused = self._by_the_way, self._by_the_way_refused
        return True

    def suspect(self, sent_s: float, now_s: float, due: float, *, granted: bool, unasked: bool) -> None:
        """One more refusal by a limit that was learned.

        `granted`: all that was sent before it was let in. `unasked`: it was no probe.
        """
        self._suspects = (*self._suspects, granted)[-SUSPECTS_OF:]
        self._in_a_row = self._in_a_row + 1 if unasked else 0
        calls = WATCHED + math.ceil(2.0 * due)
        suspected = sum(self._suspects) >= SUSPECTS or self._in_a_row >= IN_A_ROW
        if suspected and now_s >= self._not_before_s and calls <= AT_ONCE_MOST:
            self.thorough = True
            self._start(sent_s, now_s, 0, calls)

    def _start(self, sent_s: float, now_s: float, on_way: int, calls: int) -> None:
        self.begun_s, self._watched, self._refused = sent_s, on_way, 0
        self._listen_s = 0.02 + 2.0 * max(0.0, now_s - sent_s)
        self.left = max(0, calls - on_way)
        self._over_s = math.inf if self.left else now_s + self._listen_s

    def took(self, now_s: float) -> float | None:
        """A call goes out; until when the others have to wait, if they have to."""
        if self.left <= 0:
            return None
        self.left -= 1
        self._watched += 1
        if self.left == 0:
            self._over_s = now_s + self._listen_s
            return self._over_s
        return None

    @property
    def harmless(self) -> bool:
        """Whether the last refusals were found to be no limit."""
        return self._hiccups >= HICCUPS

    @property
    def listening_until_s(self) -> float | None:
        return None if self.begun_s is None or self._over_s == math.inf else self._over_s

    def refused(self, sent_s: float) -> None:
        if self.begun_s is not None and sent_s > self.begun_s:
            self._refused += 1
        elif self._begin_s is not None and sent_s > self._begin_s:
            self._by_the_way_refused += 1

    def verdict(self, now_s: float) -> bool | None:
        """Whether it is no limit; None while that is not known, or nothing is on trial."""
        if self.begun_s is None or now_s < self._over_s:
            return None
        self.begun_s, self.left, self._suspects, self._in_a_row = None, 0, (), 0
        self._begin_s, self._by_the_way, self._by_the_way_refused = None, 0, 0
        share = AT_ONCE_REFUSED_MOST if self.thorough else REFUSED_MOST
        if self._refused <= max(1.0, share * self._watched):
            self._hiccups += 1
            return True
        self._hiccups = 0
        self._not_before_s = now_s + self._calm_s
        self._calm_s = min(CALM_MOST_S, CALM_BY * self._calm_s)
        return False
