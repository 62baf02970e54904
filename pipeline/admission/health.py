"""Whether a model is asked at all, where its rows have another to go to. Pure: time is an argument.

    well ── what would park the run, or an open circuit ──▶ down ── WELL_AFTER probes answered, one at a time ──▶ well

A model that is down gets one call at a time, 1, 2, 4, … s after the last that failed. One that is down again soon after
it was well is looked at later: so it does not flap.
"""

from msgspec import Struct

PROBE_S = {"outage": 1.0}  # before the first probe, doubled with each that fails; of other causes 30 s
PROBE_ELSE_S = 30.0
PROBE_MOST_S = {"outage": 30.0}
PROBE_MOST_ELSE_S = 600.0
WELL_AFTER = 3  # answers, one after the other
CALM_S = 60.0  # a model that was well for so long has no past


class Health(Struct):
    """`cause`: what is wrong, as a fallback names it; "" nothing is."""

    cause: str = ""
    told: str = ""
    probing: bool = False
    downs: int = 0  # how often it went down
    _failed: int = 0  # probes, or relapses, in a row
    _answers: int = 0
    _probe_at_s: float = 0.0
    _well_since_s: float = float("-inf")

    def lets_in(self, now_s: float) -> bool:
        """Whether a call may go: any, while it is well; else one probe that is due."""
        return not self.cause or (not self.probing and now_s >= self._probe_at_s)

    def taken(self) -> bool:
        """A call that was let in goes; whether it is a probe."""
        if not self.cause:
            return False
        self.probing = True
        return True

    def given_back(self) -> None:
        """The probe never left."""
        self.probing = False

    def failed(self, cause: str, told: str, now_s: float) -> bool:
        """It is down, or a probe has found it so; whether that is news."""
        news, relapsed = not self.cause, now_s - self._well_since_s < CALM_S
        if news:
            self.downs += 1
            self._failed = self._failed + 1 if relapsed else 0
        elif self.probing:
            self._failed += 1
        else:
            return False  # sent before it was known to be down
        self.cause, self.told, self.probing, self._answers = cause, told, False, 0
        first_s = PROBE_S.get(cause, PROBE_ELSE_S)
        most_s = PROBE_MOST_S.get(cause, PROBE_MOST_ELSE_S)
        self._probe_at_s = now_s + min(most_s, first_s * 2.0 ** min(self._failed, 16))
        return news

    def answered(self, now_s: float) -> bool:
        """The probe was answered; whether the model is well with that."""
        self.probing = False
        self._answers += 1
        self._probe_at_s = now_s
        if not self.cause or self._answers < WELL_AFTER:
            return False
        self.cause, self.told, self._well_since_s = "", "", now_s
        return True
