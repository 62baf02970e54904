"""Two records, leaf by leaf, by what their values mean (`meanings`). Pure.

A known record is judged by what it says: a key that it leaves out is not looked at, a null says that there is nothing.
The items of its lists are matched to those that were found before they are compared, so their order does not count.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from pipeline.commands.evaluate.matches import matched
from pipeline.commands.evaluate.meanings import Free, under

Facts = set[tuple[tuple[str, Any], int]]


class Verdict(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"  # known, and not found
    EXTRA = "extra"  # found, and known not to be there


class At(Struct, frozen=True):
    """Where in both records: the path without places in lists; with them, on the known side and on the found one."""

    path: str = ""
    known: str = ""
    found: str = ""

    def field(self, name: str) -> "At":
        return At(under(self.path, name), under(self.known, name), under(self.found, name))

    def item(self, known: int | None, found: int | None) -> "At":
        """None: there is no such item on that side."""
        return At(
            f"{self.path}[]",
            self.known if known is None else f"{self.known}[{known}]",
            self.found if found is None else f"{self.found}[{found}]",
        )


class Judged(Struct, frozen=True):
    """One leaf. `path` as `lines[].amount`; where it stands on either side as `lines[2].amount`."""

    at: At
    verdict: Verdict
    known: Any
    found: Any


def judged(known: Any, found: Any, at: At = At()) -> Iterator[Judged]:  # noqa: ANN401, B008 (any meaning; frozen)
    """Every leaf that the known record speaks of.

    >>> [(one.at.path, str(one.verdict)) for one in judged({"due": None, "tags": ["a"]}, {"due": None, "tags": ["b"]})]
    [('due', 'right'), ('tags[]', 'wrong')]
    """
    if isinstance(known, list) and isinstance(found, list):
        yield from _lists(known, found, at)
    elif isinstance(known, dict) and isinstance(found, dict):
        yield from _objects(known, found, at)
    elif _is_whole(known) and found is None:
        yield from missing(known, at)
    elif _is_whole(found) and known is None:
        yield from _extra(found, at)
    elif _is_whole(known) or _is_whole(found):
        yield Judged(at, Verdict.WRONG, known, found)
    else:
        yield Judged(at, _verdict(known, found), known, found)


def differing(left: Any, right: Any) -> Iterator[Judged]:  # noqa: ANN401 (any meaning)
    """Every leaf that is not the same, without a look at the fields that are equal in all."""
    if isinstance(left, dict) and isinstance(right, dict):
        fields = (
            one
            for name in left
            if left[name] != right.get(name)
            for one in judged(left[name], right.get(name), At().field(name))
        )
        return (one for one in fields if one.verdict is not Verdict.RIGHT)
    return (one for one in judged(left, right) if one.verdict is not Verdict.RIGHT)


def missing(known: Any, at: At = At()) -> Iterator[Judged]:  # noqa: ANN401, B008 (any meaning; frozen)
    """Every leaf that is known and not null, as nothing was found; of a list that is to be empty nothing is missing."""
    for place, value in _leaves(known, at, on_left=True):
        if value is not None:
            yield Judged(place, Verdict.MISSING, value, None)


def unanswered(known: Any) -> Iterator[Judged]:  # noqa: ANN401 (any meaning)
    """Every leaf of a row that failed: nulls too, for nobody said that there is nothing."""
    for place, value in _leaves(known, At(), on_left=True):
        yield Judged(place, Verdict.MISSING, value, None)


def _is_whole(value: Any) -> bool:  # noqa: ANN401 (any meaning)
    return isinstance(value, dict | list)


def _verdict(known: Any, found: Any) -> Verdict:  # noqa: ANN401 (any meaning of a leaf)
    if known == found:
        return Verdict.RIGHT
    return Verdict.MISSING if found is None else Verdict.EXTRA if known is None else Verdict.WRONG


def _objects(known: dict[str, Any], found: dict[str, Any], at: At) -> Iterator[Judged]:
    for name, value in known.items():
        yield from judged(value, found.get(name), at.field(name))
    if isinstance(known, Free):
        for name in found.keys() - known.keys():
            yield from _extra(found[name], at.field(name))


def _lists(known: list[Any], found: list[Any], at: At) -> Iterator[Judged]:
    if not known and not found:
        yield Judged(at.item(None, None), Verdict.RIGHT, None, None)
        return
    known_facts = [_facts(item) for item in known] if known != found else []
    spoken_of = {path for facts in known_facts for (path, _), _ in facts}
    pairs = _pairs(known_facts, found, spoken_of) if known_facts else [(place, place) for place in range(len(known))]
    lefts, rights = {one for one, _ in pairs}, {other for _, other in pairs}
    for one, other in pairs:
        yield from judged(known[one], found[other], at.item(one, other))
    for one in range(len(known)):
        if one not in lefts:
            yield from missing(known[one], at.item(one, None))
    for other in range(len(found)):
        if other not in rights:
            place = at.item(None, other)
            extra = _extra(found[other], place)
            yield from (one for one in extra if not known or one.at.path.removeprefix(place.path) in spoken_of)


def _pairs(known: list[Facts], found: list[Any], spoken_of: set[str]) -> list[tuple[int, int]]:
    """By what the known items speak of, whatever else the found ones say."""
    return matched(known, [{fact for fact in _facts(item) if fact[0][0] in spoken_of} for item in found])


def _extra(found: Any, at: At) -> Iterator[Judged]:  # noqa: ANN401 (any meaning)
    for place, value in _leaves(found, at, on_left=False):
        if value is not None:
            yield Judged(place, Verdict.EXTRA, None, value)


def _leaves(value: Any, at: At, *, on_left: bool) -> Iterator[tuple[At, Any]]:  # noqa: ANN401 (any meaning)
    """Every leaf; of an empty list one that is null."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, at.field(name), on_left=on_left)
    elif isinstance(value, list):
        if not value:
            yield at.item(None, None), None
        for place, inner in enumerate(value):
            yield from _leaves(inner, at.item(place, None) if on_left else at.item(None, place), on_left=on_left)
    else:
        yield at, value


def _facts(item: Any) -> Facts:  # noqa: ANN401 (any meaning)
    """What an item says, each as often as it says it: ((path, value), how many times before)."""
    said: Counter[tuple[str, Any]] = Counter()
    facts: Facts = set()
    for fact in _paths(item, ""):
        facts.add((fact, said[fact]))
        said[fact] += 1
    return facts


def _paths(value: Any, path: str) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 (any meaning)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value or [None]:
            yield from _paths(inner, f"{path}[]")
    else:
        yield path, value
