"""Rows on their way to workers: in order, each content once at a time, and again where a worker has died. Pure."""

from collections import deque
from collections.abc import Iterable

from pipeline.codes import ErrorCode
from pipeline.engine.executors.deaths import Deaths
from pipeline.engine.feed import RowTask
from pipeline.types import Outcome

DEATHS_DOUBTED = 2  # of workers while a row was open: from then on it is given out without others of its kind
DEATHS_MOST = 4  # what kills so many kills the next as well


class RowQueue:
    """Equal rows meet here: who comes while one of them is open waits for its outcome, and is not asked about."""

    def __init__(self) -> None:
        self._todo: deque[RowTask] = deque()
        self._suspects: deque[RowTask] = deque()  # that DEATHS_DOUBTED workers or more have died with
        self._waiting: dict[bytes, list[RowTask]] = {}  # by content that is open: the others of it
        self._before: dict[bytes, Outcome] = {}
        self._recent: dict[bytes, Outcome] = {}
        self._deaths = Deaths(DEATHS_DOUBTED, DEATHS_MOST)

    def __len__(self) -> int:
        """Rows that can be given out."""
        return len(self._todo) + len(self._suspects)

    def next_batch(self) -> None:
        """A batch of the input has come. What ended before the last one came, the next one is made knowing of."""
        self._before, self._recent = self._recent, {}

    def add(self, task: RowTask) -> Outcome | None:
        """A row that is to be done, or how its content has ended since somebody looked."""
        known = self._recent.get(task.doc) or self._before.get(task.doc)
        if known is not None:
            return known
        if (twins := self._waiting.get(task.doc)) is not None:
            twins.append(task)
            return None
        self._waiting[task.doc] = []
        self._todo.append(task)
        return None

    def take(self) -> RowTask | None:
        """One to be given out; suspects are asked for by name."""
        return self._todo.popleft() if self._todo else None

    @property
    def suspects(self) -> int:
        return len(self._suspects)

    def take_suspect(self) -> RowTask:
        """One that may kill its worker: for one that has no other, so that it is known who did."""
        return self._suspects.popleft()

    def is_suspect(self, task: RowTask) -> bool:
        return self._deaths.is_suspect(task.row.index)

    def ended(self, task: RowTask, outcome: Outcome) -> list[RowTask]:
        """The rows that end with it. Where only its own file could not be read, the next of them is asked about."""
        if outcome.error_code is ErrorCode.BAD_ROW:
            self.left(task)
            return []
        self._recent[task.doc] = outcome
        self._deaths.ended(task.row.index)
        return self._waiting.pop(task.doc, [])

    def left(self, task: RowTask) -> None:
        """It stays as it is; one with the same content may have more luck, or more money."""
        twins = self._waiting.pop(task.doc, [])
        if twins:
            self._waiting[task.doc] = twins[1:]
            self._todo.appendleft(twins[0])

    def again(self, tasks: Iterable[RowTask]) -> RowTask | None:
        """Rows of a worker that has died, first of all; one of them that too many have died of, if there is one."""
        back = list(tasks)
        deadly = self._deaths.died(task.row.index for task in back)
        for task in reversed(back):
            (self._suspects if self.is_suspect(task) else self._todo).appendleft(task)
        return next((task for task in back if task.row.index == deadly), None)

    def clear(self) -> None:
        """Nothing more is begun."""
        self._todo.clear()
        self._suspects.clear()
        self._waiting.clear()
