"""Which rows a person should look at, without asking a model how sure it is. Pure.

The reasons are told here and nowhere else; docs/guides/evidence.md says what they are worth, as measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.extraction.evidence.share import ungrounded
from pipeline.types import Evidence, Outcome

REASONS = {  # each with the column of the results that tells it
    "ungrounded": "ungrounded",
    "conflicts": "conflicts",
    "xml_conflicts": "xml_conflicts",
    "repaired": "repaired",
    "fallback": "models_tried",
}


def needs_review(outcome: Outcome, found: Sequence[Evidence]) -> bool:
    """Whether one of `review_reasons` is there."""
    return bool(review_reasons(outcome, found))


def review_reasons(outcome: Outcome, found: Sequence[Evidence]) -> tuple[str, ...]:
    """Why a record is worth a look: those of `REASONS` that hold."""
    return reasons_on(
        {
            "ungrounded": ungrounded(found),
            "conflicts": outcome.conflicts,
            "xml_conflicts": outcome.xml_conflicts,
            "repaired": outcome.repaired,
            "models_tried": outcome.models_tried,
        }
    )


def reasons_on(line: Mapping[str, Any]) -> tuple[str, ...]:
    """The same of a line of the results, whose `needs_review` is true.

    >>> reasons_on({"ungrounded": ["total"], "conflicts": [], "repaired": True})
    ('ungrounded', 'repaired')
    """
    return tuple(name for name, column in REASONS.items() if _holds(name, line.get(column)))


def _holds(reason: str, told: Any) -> bool:  # noqa: ANN401 (what a column has)
    return len(told or ()) > 1 if reason == "fallback" else bool(told)
