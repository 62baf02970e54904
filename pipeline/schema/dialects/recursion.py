"""Definitions that refer to themselves, for providers that take none: written out level by level. Pure."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from pipeline.schema.dialects.nodes import Named, Node, SchemaReading, parts

DEEPEST = 3  # levels that are written out; what lies below is asked for as JSON text


class Inside(Struct, frozen=True):
    """Which definition a place is in, and on which level of it."""

    name: str | None = None
    level: int = 1


TOP = Inside()


class Circles:
    """Which definitions refer to themselves, straight or through others."""

    def __init__(self, reading: SchemaReading) -> None:
        self._uses: Mapping[str, tuple[str, ...]] = {
            name: tuple(_names(kind)) for name, kind in reading.definitions.items()
        }
        self._reached = {name: self._reach(name) for name in self._uses}
        order = [*_names(reading.root), *self._uses]
        self._ranks: dict[str, int] = {}
        for name in order:
            self._rank(name)

    def together(self, name: str, inside: Inside) -> bool:
        """Whether a definition leads back to the one that a reference to it stands in."""
        if inside.name is None:
            return False
        return name in self._reached[inside.name] and inside.name in self._reached[name]

    def enter(self, name: str, inside: Inside) -> Inside | None:
        """Where a reference to `name` leads; None when that is too deep.

        Every circle has a reference to a definition that was first met before: it leads one level down.
        """
        if inside.name is None or not self.together(name, inside):
            return Inside(name)
        level = inside.level + (self._ranks[name] <= self._ranks[inside.name])
        return Inside(name, level) if level <= DEEPEST else None

    def _reach(self, name: str) -> set[str]:
        found: set[str] = set()
        ahead = list(self._uses[name])
        while ahead:
            one = ahead.pop()
            if one not in found:
                found.add(one)
                ahead.extend(self._uses.get(one, ()))
        return found

    def _rank(self, name: str) -> None:
        ahead = [name]
        while ahead:
            one = ahead.pop()
            if one not in self._ranks:
                self._ranks[one] = len(self._ranks)
                ahead.extend(reversed(self._uses.get(one, ())))


def _names(kind: Node) -> Iterator[str]:
    if isinstance(kind, Named):
        yield kind.name
    for part in parts(kind):
        yield from _names(part)
