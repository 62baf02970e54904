"""Why rows failed, in few lines: one example for each error code and kind of message. Pure."""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from pipeline.ledger.said import FailedRow

MOST_CAUSES = 8  # that are told
MOST_KINDS = 200  # that are told apart; memory does not grow with the rows
PLACE = re.compile(r"^.*?(?::\d+| row \d+): ")  # where a row stands that cannot be used
GOT = re.compile(r" \(got .*$", re.DOTALL)
OWN = re.compile(r"'[^']*'|\"[^\"]*\"|[\w.-]*\d[\w.-]*")  # what is of this row only: words in quotes, numbers, ids
KIND_CHARS = 100


class Cause(Struct):
    """Rows that failed alike, and the first of them."""

    error_code: str
    rows: int
    row: int
    id: str
    error: str

    def as_json(self) -> dict[str, Any]:
        example = {"row": self.row, "id": self.id, "error": self.error}
        return {"error_code": self.error_code, "rows": self.rows, "example": example}


def kind_of(error: str) -> str:
    """What messages about different rows have in common."""
    first = GOT.sub("", PLACE.sub("", error, count=1).partition("; ")[0])
    return OWN.sub("#", first[:KIND_CHARS])


def causes_of(failed: Iterable[FailedRow]) -> list[Cause]:
    """The causes, those of most rows first; at most MOST_CAUSES, at least one of each error code."""
    found: dict[tuple[str, str], Cause] = {}
    for row in failed:
        key = (row.error_code, kind_of(row.error))
        if key not in found and len(found) >= MOST_KINDS:
            key = (row.error_code, "")
        if key in found:
            found[key].rows += 1
        else:
            found[key] = Cause(row.error_code, 1, row.row, row.id, row.error)
    by_rows = sorted(found.values(), key=lambda cause: -cause.rows)
    first = {cause.error_code: cause for cause in reversed(by_rows)}
    others = [cause for cause in by_rows if cause is not first[cause.error_code]]
    chosen = [*first.values(), *others[: max(0, MOST_CAUSES - len(first))]]
    return sorted(chosen, key=lambda cause: (-cause.rows, cause.row))
