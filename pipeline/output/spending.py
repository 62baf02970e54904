"""What rows and their chunks have used in a run, from the calls on the ledger."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from msgspec import Struct

from pipeline.ledger import run_calls
from pipeline.ledger.files import Connection
from pipeline.types import Outcome


class Spent(Struct):
    """What one row, or one of its chunks, has used."""

    calls: int = 0  # one about several rows counts at the first of them
    tokens: tuple[int, ...] = (0, 0, 0, 0, 0)
    usd_units: int = 0
    attempts: int = 0  # the same, and that at each of them

    def add(self, other: "Spent") -> None:
        calls, tokens, usd_units = other.calls, other.tokens, other.usd_units
        self.attempts += other.attempts
        self.calls += calls
        self.tokens = tuple(map(sum, zip(self.tokens, tokens, strict=True)))
        self.usd_units += usd_units


def spending(db: Connection, run: int) -> Iterator[tuple[int, dict[int, Spent]]]:
    """(row, {chunk: what it used}) in the order of rows, over all attempts of this run."""
    for row, group in groupby(run_calls.used_by_chunks(db, run), key=lambda values: values[0]):
        yield (
            row,
            {chunk: Spent(calls, tuple(tokens), cost, attempts) for _, chunk, attempts, calls, *tokens, cost in group},
        )


def together(spent: dict[int, Spent]) -> Spent:
    if len(spent) == 1:
        return next(iter(spent.values()))
    whole = Spent()
    for part in spent.values():
        whole.add(part)
    return whole


def numbers_of(outcome: Outcome) -> Sequence[int]:
    """The number of the chunk that each of its records is of: its place, where some are not left out."""
    return outcome.chunk_numbers or range(len(outcome.records))


def shares_of(spent: dict[int, Spent], numbers: Sequence[int]) -> list[Spent]:
    """What each of these chunks used; calls for those that were cut smaller on the way count with the last."""
    shares = {number: Spent() for number in numbers}
    for chunk, part in spent.items():
        shares[chunk if chunk in shares else numbers[-1]].add(part)
    return list(shares.values())
