"""The last good outcome of a row that has none yet, as far as it fits the schema as it is now."""

from collections.abc import Mapping

from msgspec import Struct

from pipeline.ledger import nights, records
from pipeline.ledger.files import Connection
from pipeline.output.layout import View
from pipeline.types import Outcome


class Previous(Struct, frozen=True):
    """The last good outcome of a row that has none yet; `records` as today's columns take them."""

    outcome: Outcome
    day: str  # when it was made
    units: int  # what it cost
    records: tuple[str, ...]  # empty: they do not fit the schema as it is now


def previous_of(db: Connection, doc: bytes, view: View, days: Mapping[int, str]) -> Previous | None:
    columns = nights.good_outcome(db, doc)
    if columns is None:
        return None
    outcome = records.outcome_from(columns)
    fit = all(map(view.fits, outcome.records)) and (view.per_chunk or len(outcome.records) == 1)
    day = days.get(columns[2], "an earlier day")
    return Previous(outcome, day, nights.spent_before(db, doc), outcome.records if fit else ())
