"""How many calls at once give most answers per second, where no limit says so. Pure.

Each answer opens one more slot, as long as more slots give more answers. Behind a queue that is never full (a server of
one's own) more calls only wait longer; a server that can do more is looked for now and then.
"""

from msgspec import Struct, field

ROUND_CALLS = 16  # answers that make a round at the least
GAIN = 0.25  # of the growth in slots that has to come back as growth in answers
FLAT_ROUNDS = 2
FAST_BELOW = 64  # slots are doubled in the time of a call, above it times 1.5: a limit may be near
MEASURABLE = 0.3  # growth below this is lost in the noise
ROOM = 1.25  # over what the best rate keeps busy: the server's queue must not run dry
HOLD_ROUNDS, TRY_BY = 20, 1.3


class Round(Struct, frozen=True):
    slots: float  # on average
    per_s: float


class Climb(Struct):
    """`slots` calls at once. Told of every answer, and whether calls had to wait for a slot."""

    slots: float
    growing: bool = True
    rounds: list[Round] = field(default_factory=list)
    settled: Round | None = None  # as was found last
    _begun_s: float | None = None
    _answers: int = 0
    _slot_sum: float = 0.0
    _flat: int = 0
    _held: int = 0

    @classmethod
    def resumed(cls, slots: float, per_s: float) -> "Climb":
        """From what an earlier run has found."""
        return cls(slots, growing=False, rounds=[Round(slots / ROOM, per_s)], settled=Round(slots, per_s))

    def answered(self, now_s: float, *, busy: bool) -> None:
        if self._begun_s is None or not busy:
            self._begin(now_s)  # slots that nobody wanted say nothing
            return
        self._answers += 1
        self._slot_sum += self.slots
        if self.growing and not self._flat:
            self.slots += 1.0 if self.slots < FAST_BELOW else 0.5
        if self._answers >= max(ROUND_CALLS, self._slot_sum / self._answers * 0.75) and now_s > self._begun_s:
            self._judge(Round(self._slot_sum / self._answers, self._answers / (now_s - self._begun_s)))
            self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        self._begun_s, self._answers, self._slot_sum = now_s, 0, 0.0

    def _judge(self, new: Round) -> None:
        if not self.growing:
            self._held += 1
            if self._held >= HOLD_ROUNDS:  # see whether more slots give more by now
                self.growing, self.rounds = True, [*self.rounds, new]
                self.slots *= TRY_BY
            return
        if self.rounds:
            best = max(self.rounds, key=lambda one: one.per_s)
            flat = new.per_s / best.per_s - 1.0 < GAIN * max(MEASURABLE, new.slots / best.slots - 1.0)
            self._flat = self._flat + 1 if flat else 0
        self.rounds.append(new)
        if self._flat >= FLAT_ROUNDS:
            self._settle()

    def _settle(self) -> None:
        """As many as the best rate keeps busy at the shortest time that a call took, and some more."""
        most_per_s = max(one.per_s for one in self.rounds)
        shortest_s = min(one.slots / one.per_s for one in self.rounds)
        self.slots = max(1.0, min(self.slots, ROOM * most_per_s * shortest_s))
        self.growing, self._held, self._flat = False, 0, 0
        self.rounds = [Round(most_per_s * shortest_s, most_per_s)]
        self.settled = Round(self.slots, most_per_s)
