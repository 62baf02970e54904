"""Which rows a person should look at, without asking a model how sure it is. Pure.

The reasons are told here and nowhere else; docs/guides/evidence.md says what they are worth, as measured.
"""

from collections.abc import Sequence

from pipeline.extraction.evidence.share import ungrounded
from pipeline.types import Evidence, Outcome


def needs_review(outcome: Outcome, found: Sequence[Evidence]) -> bool:
    """Whether one of `review_reasons` is there."""
    return bool(review_reasons(outcome, found))


def review_reasons(outcome: Outcome, found: Sequence[Evidence]) -> tuple[str, ...]:
    """Why a record is worth a look: of `ungrounded`, `conflicts`, `xml_conflicts` and `repaired` those that hold."""
    held = {
        "ungrounded": bool(ungrounded(found)),
        "conflicts": bool(outcome.conflicts),
        "xml_conflicts": bool(outcome.xml_conflicts),
        "repaired": outcome.repaired,
    }
    return tuple(name for name, holds in held.items() if holds)
