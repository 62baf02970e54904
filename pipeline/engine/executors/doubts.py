"""Rows that were refused before any other outcome: was it the document, or is it every request? Pure."""

from collections.abc import Iterable

from pipeline.types import ErrorCode, Outcome, ParkReason

IN_DOUBT = {ErrorCode.INVALID_REQUEST, ErrorCode.PROVIDER_ERROR}
MOST_HELD = 20  # a run that is refused alike has ended by then


class Doubts:
    """Keeps such outcomes back. A run that ends as refused alike leaves these rows as it leaves the others: pending."""

    def __init__(self) -> None:
        self._held: list[Outcome] = []
        self._certain = False

    def known(self, outcome: Outcome) -> Iterable[Outcome]:
        """What can be concluded, now that a row has ended so."""
        if self._certain:
            return (outcome,)
        self._held.append(outcome)
        if outcome.error_code in IN_DOUBT and len(self._held) <= MOST_HELD:
            return ()
        self._certain = True
        return self._released()

    def end(self, stopped: ParkReason | None) -> Iterable[Outcome]:
        """The same, now that no row follows."""
        return () if stopped is ParkReason.REFUSED_BY_PROVIDER else self._released()

    def _released(self) -> list[Outcome]:
        held, self._held = self._held, []
        return held
