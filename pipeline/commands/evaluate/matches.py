"""Which item of a list is meant by which of another: the assignment with the most facts in common. Pure.

The same for the same lists; among equals the one whose items stand where they stood. Items that are equal go together
first. Of the rest the best assignment is found where they are few, and a good one, best pairs first, where they are
many: at most MOST_PAIRS are looked at.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from collections.abc import Set as AbstractSet

FEW = 100  # items, of which the best assignment is found in some 20 ms
MOST_PAIRS = 1_000_000

Facts = AbstractSet[Hashable]
Pair = tuple[int, int]


def matched(left: Sequence[Facts], right: Sequence[Facts]) -> list[Pair]:
    """(place on the left, place on the right), by place; as many as the shorter list has.

    >>> matched([{"kettle", 12}, {"pallet", 1}], [{"pallet", 1}, {"Kettle", 12}])
    [(0, 1), (1, 0)]
    """
    pairs = list(_equal(left, right))
    lefts = _left_out(len(left), {one for one, _ in pairs})
    rights = _left_out(len(right), {other for _, other in pairs})
    if lefts and rights:
        assign = _best if max(len(lefts), len(rights)) <= FEW else _good
        found = assign([left[one] for one in lefts], [right[one] for one in rights])
        pairs += [(lefts[one], rights[other]) for one, other in found]
    return sorted(pairs)


def _left_out(count: int, taken: set[int]) -> list[int]:
    return [place for place in range(count) if place not in taken]


def _equal(left: Sequence[Facts], right: Sequence[Facts]) -> Iterator[Pair]:
    """Where both are in the same order each with its own, also where some are equal to each other."""
    places: dict[frozenset[Hashable], list[int]] = defaultdict(list)
    for place in reversed(range(len(right))):
        places[frozenset(right[place])].append(place)
    for place, facts in enumerate(left):
        if found := places.get(frozenset(facts)):
            yield place, found.pop()


def _best(left: Sequence[Facts], right: Sequence[Facts]) -> list[Pair]:
    """By the Hungarian method. A fact weighs more than all distances together."""
    if len(left) > len(right):
        return [(one, other) for other, one in _best(right, left)]
    weight = 1 + len(left) * len(right)
    costs = [
        [abs(one - other) - weight * len(facts & others) for other, others in enumerate(right)]
        for one, facts in enumerate(left)
    ]
    return _cheapest(costs)


def _cheapest(costs: Sequence[Sequence[int]]) -> list[Pair]:
    """Each line with a column of its own, at the lowest sum; no more lines than columns.

    Line by line along the shortest way of changes to those before, with prices of lines and columns (Kuhn and Munkres).
    """
    width = len(costs[0])
    line_price, column_price = [0] * len(costs), [0] * (width + 1)
    line_of: list[int | None] = [None] * (width + 1)  # the last column stands for the line that is being placed
    for line in range(len(costs)):
        line_of[width] = line
        column, seen = width, set[int]()
        least: list[float] = [float("inf")] * width
        before = [width] * width
        while (at := line_of[column]) is not None:
            seen.add(column)
            free = [one for one in range(width) if one not in seen]
            for one in free:
                price = costs[at][one] - line_price[at] - column_price[one]
                if price < least[one]:
                    least[one], before[one] = price, column
            column = min(free, key=least.__getitem__)
            step = int(least[column])
            for one in seen:
                placed = line_of[one]
                column_price[one] -= step
                if placed is not None:
                    line_price[placed] += step
            for one in free:
                least[one] -= step
        while column != width:
            line_of[column], column = line_of[before[column]], before[column]
    return [(placed, column) for column, placed in enumerate(line_of[:width]) if placed is not None]


def _good(left: Sequence[Facts], right: Sequence[Facts]) -> list[Pair]:
    """The pairs with most in common first; what has nothing in common with anything goes together in order."""
    all_of_them = len(left) * len(right) <= MOST_PAIRS
    reach = max(len(left), len(right)) if all_of_them else max(1, MOST_PAIRS // (2 * len(left)))
    near = (
        (-common, abs(one - other), one, other)
        for one, facts in enumerate(left)
        for other in range(max(0, one - reach), min(len(right), one + reach + 1))
        if (common := len(facts & right[other]))
    )
    lefts, rights, pairs = dict.fromkeys(range(len(left))), dict.fromkeys(range(len(right))), []
    for _, _, one, other in sorted(near):
        if one in lefts and other in rights:
            del lefts[one], rights[other]
            pairs.append((one, other))
    return pairs + list(zip(lefts, rights, strict=False))
