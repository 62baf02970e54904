"""Which rows were open when their workers died: who kills the next one as well goes alone, and is named. Pure."""

from collections import Counter
from collections.abc import Iterable


class Deaths:
    """`doubted`: workers that died with a row, from which on it goes without others. `most`: what kills so many."""

    def __init__(self, doubted: int, most: int) -> None:
        self._doubted = doubted
        self._most = most
        self._of: Counter[int] = Counter()

    def died(self, rows: Iterable[int]) -> int | None:
        """A worker has, with these rows open; one of them that too many have died of, if there is one."""
        deadly = None
        for row in rows:
            self._of[row] += 1
            if self._of[row] >= self._most:
                deadly = row
        return deadly

    def ended(self, row: int) -> None:
        """It has done no harm."""
        self._of.pop(row, None)

    def is_suspect(self, row: int) -> bool:
        return self._of[row] >= self._doubted

    @property
    def suspects(self) -> tuple[int, ...]:
        return tuple(row for row in self._of if self.is_suspect(row))


def deadly_text(row_id: str, deaths: int) -> str:
    """How the run ends because of it."""
    told = f"row {row_id}: {deaths} workers have died while they had it"
    return f"{told}; what kills them may be its document, or the schema"
