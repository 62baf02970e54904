"""How much of a record stands in its document, and what of it does not. Pure."""

from collections.abc import Sequence
from typing import Protocol

from pipeline.columns import EVIDENCE_COLUMNS
from pipeline.job.settings import Extract

NOT_FOUND, UNVERIFIABLE, INFERRED, QUOTED, XML = "not_found", "unverifiable", "inferred", "quoted", "xml"
FOUND = frozenset({"exact", "normalised", "fuzzy", "derived", QUOTED, XML})


class Looked(Protocol):
    """A value that was looked for: a `Leaf`, or an `Evidence` as the ledger has it."""

    @property
    def path(self) -> str: ...

    @property
    def status(self) -> str: ...


def is_wanted(extract: Extract) -> bool:
    """Whether values are looked for: where that is asked for, or a share of them must be found."""
    return extract.evidence != "off" or extract.min_grounded > 0


def looked_in(extract: Extract) -> bool:
    """Whether a file's text is needed once it was read."""
    return is_wanted(extract) or extract.keep_text


def columns_of(extract: Extract) -> tuple[str, ...]:
    """What results have because of it."""
    found = EVIDENCE_COLUMNS if is_wanted(extract) else ()
    return (*found, "text") if extract.keep_text else found


def grounded_share(found: Sequence[Looked]) -> float | None:
    """Found values over those that can be looked for: text, numbers and dates; 1 where there are none.

    None where nothing could be looked for, as no page of the document has a text: nobody knows then.

    >>> from pipeline.types import Evidence
    >>> grounded_share([Evidence("total", "exact"), Evidence("due", "not_found"), Evidence("paid", "inferred")])
    0.5
    """
    there = sum(one.status in FOUND for one in found)
    missing = sum(one.status == NOT_FOUND for one in found)
    if there + missing:
        return there / (there + missing)
    return None if any(one.status == UNVERIFIABLE for one in found) else 1.0


def ungrounded(found: Sequence[Looked]) -> list[str]:
    """The paths of values that are nowhere in the document."""
    return [one.path for one in found if one.status == NOT_FOUND]
