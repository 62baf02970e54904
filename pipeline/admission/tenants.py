"""Calls that wait for their tenant's own budget: out of the line, so that they hold up nobody, and in order."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Turn = TypeVar("Turn", bound=Hashable)
Asked = TypeVar("Asked")
Queue = OrderedDict[Turn, Asked]


class TenantQueues(Generic[Turn, Asked]):
    """By tenant. When one of its calls has ended, its first one that waits here goes back to the head of its queue."""

    def __init__(self) -> None:
        self._lines: dict[str, OrderedDict[Turn, tuple[Queue[Turn, Asked], Asked]]] = {}
        self._back: dict[Turn, str] = {}  # called back, and not yet served

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Turn]:
        for line in self._lines.values():
            yield from line

    def ahead_of(self, turn: Turn, tenant: str) -> bool:
        """Whether others of this tenant wait, who came before."""
        return bool(self._lines.get(tenant)) and turn not in self._back

    def add(self, turn: Turn, tenant: str, queue: Queue[Turn, Asked]) -> None:
        """Stand aside; who was called back too early keeps its place."""
        line = self._lines.setdefault(tenant, OrderedDict())
        line[turn] = (queue, queue[turn])
        if self._back.pop(turn, None) is not None:
            line.move_to_end(turn, last=False)

    def call_back(self, tenant: str | None) -> None:
        """The first of a tenant's goes to the head of its queue again: it may fit by now."""
        if tenant is None or tenant not in self._lines:
            return
        line = self._lines[tenant]
        if line:
            turn, (queue, asked) = line.popitem(last=False)
            queue[turn] = asked
            queue.move_to_end(turn, last=False)
            self._back[turn] = tenant
        else:
            del self._lines[tenant]

    def served(self, turn: Turn) -> None:
        """One way or another: if it was called back, the next of its tenant may try."""
        self.call_back(self._back.pop(turn, None))

    def leave(self, turn: Turn) -> None:
        """It has given up."""
        for line in self._lines.values():
            line.pop(turn, None)
        self.served(turn)

    def clear(self) -> None:
        self._lines.clear()
        self._back.clear()
