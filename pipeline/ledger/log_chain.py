"""Where a ledger stands in the log of its commits, and which stretches of that log go on from there. Pure.

Each session that writes has a term of its own, higher than all before it; its commits count from 1. A position is in
the ledger itself, written by the very transaction that it numbers, so that a copy knows where it is.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct


class Position(NamedTuple):
    """After so many commits of a session. Later ones compare greater."""

    term: int
    commit: int

    def __str__(self) -> str:
        return f"{self.term:08d}.{self.commit:012d}"

    def next(self, term: int) -> "Position":
        """After one more commit, by the session of this term."""
        return Position(term, self.commit + 1 if term == self.term else 1)


START = Position(0, 0)  # of a ledger that has never been logged


class Stretch(NamedTuple):
    """Commits without a gap: all after one position, up to another. All are of one session, `upto.term`."""

    after: Position
    upto: Position

    def __str__(self) -> str:
        return f"{self.after}-{self.upto}"

    def continues(self, at: Position) -> bool:
        """Whether it leads on from there; a stretch whose first part the ledger has does."""
        return self.after == at or (at.term == self.upto.term and self.after < at < self.upto)


class Chain(Struct, frozen=True):
    """What leads on from a position, in order. `beyond`: later stretches that do not connect: something is missing."""

    stretches: tuple[Stretch, ...]
    beyond: tuple[Stretch, ...]


def position_of(text: str | None) -> Position:
    """As `str` wrote it; of anything else, the start."""
    term, dot, commit = (text or "").partition(".")
    return Position(int(term), int(commit)) if dot and term.isdecimal() and commit.isdecimal() else START


def stretch_of(text: str) -> Stretch | None:
    """As `str` wrote it; None for anything else."""
    after, _, upto = text.partition("-")
    found = Stretch(position_of(after), position_of(upto))
    return found if str(found) == text and found.after < found.upto else None


def chain(at: Position, found: Iterable[Stretch]) -> Chain:
    """The way on from `at`. Where two lead on, the one of the later session: the other's had lost the output."""
    left = sorted(found, key=lambda one: one.upto)
    way: list[Stretch] = []
    while (leading := [one for one in left if one.upto > at and one.continues(at)]) != []:
        way.append(leading[-1])
        at = leading[-1].upto
    return Chain(tuple(way), tuple(one for one in left if one.upto > at))
