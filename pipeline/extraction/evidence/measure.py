"""What the leaves of a record come to. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from pipeline.extraction.evidence.align import Leaf

NOT_FOUND = frozenset({"not_found"})
JUDGED = frozenset({"text", "number", "date", "time"})  # enums and booleans are not


def grounded_share(leaves: Iterable[Leaf]) -> float:
    """Leaves that were found, over those that could be: 1 where there are none of the latter.

    Left out are enums, booleans, what was inferred, and what nobody can verify.
    """
    judged = [one.status not in NOT_FOUND for one in leaves if _is_judged(one)]
    return sum(judged) / len(judged) if judged else 1.0


def _is_judged(leaf: Leaf) -> bool:
    return leaf.kind in JUDGED and leaf.status not in {"inferred", "unverifiable"}


def ungrounded(leaves: Iterable[Leaf], *, required: bool = False) -> tuple[str, ...]:
    """Paths of what was not found; only of what the schema requires, if so asked."""
    return tuple(one.path for one in leaves if one.status in NOT_FOUND and (one.required or not required))


def number_at(starts: Sequence[int], place: int) -> int:
    """Which page or chunk a place is in, from 0, where each begins at one of `starts` (in order, the first at 0).

    >>> number_at([0, 100, 250], 100)
    1
    """
    return max(0, bisect_right(starts, place) - 1)
