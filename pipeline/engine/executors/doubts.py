"""Rows that were refused before any other outcome: was it the document, or is it every request? Pure."""

from collections.abc import Iterable, Sequence

from pipeline.codes import ErrorCode, ParkReason
from pipeline.types import Outcome

IN_DOUBT = {ErrorCode.INVALID_REQUEST, ErrorCode.PROVIDER_ERROR}
MOST_HELD = 20  # a run that is refused alike has ended by then

Ended = tuple[Outcome, Sequence[bytes]]  # with the contents under other jobs that it was paid for as


class Doubts:
    """Keeps such outcomes back. A run that ends as refused alike leaves these rows as it leaves the others: pending."""

    def __init__(self) -> None:
        self._held: list[Ended] = []
        self._certain = False

    def known(self, ended: Ended) -> Iterable[Ended]:
        """What can be concluded, now that a row has ended so."""
        if self._certain:
            return (ended,)
        self._held.append(ended)
        if ended[0].error_code in IN_DOUBT and len(self._held) <= MOST_HELD:
            return ()
        self._certain = True
        return self._released()

    def end(self, stopped: ParkReason | None) -> Iterable[Ended]:
        """The same, now that no row follows."""
        return () if stopped is ParkReason.REFUSED_BY_PROVIDER else self._released()

    def _released(self) -> list[Ended]:
        held, self._held = self._held, []
        return held
