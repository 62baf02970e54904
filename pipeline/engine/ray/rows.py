"""Rows on their way to workers: in order, each content once at a time, and again where a worker has died. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pipeline.codes import ErrorCode
from pipeline.engine.executors.deaths import Deaths
from pipeline.engine.feed import RowTask
from pipeline.types import Outcome

DEATHS_DOUBTED = 2  # of workers while a row was open: from then on it is given out without others of its kind
DEATHS_MOST = 4  # what kills so many kills the next as well


class Recent:
    """Outcomes that somebody who has looked at the ledger may not have found there."""

    def __init__(self) -> None:
        self._ended: dict[bytes, tuple[int, Outcome]] = {}  # in the order of their ends
        self._number = 0
        self._looks: list[int] = []

    def look(self) -> int:
        """Somebody looks: from now on all are kept, until `looked` of this number."""
        self._looks.append(self._number)
        return self._number

    def looked(self, look: int) -> None:
        """What was found there has been acted on."""
        self._looks.remove(look)
        first = min(self._looks, default=self._number)
        while self._ended and self._ended[doc := next(iter(self._ended))][0] < first:
            del self._ended[doc]

    def add(self, outcome: Outcome) -> None:
        self._ended.pop(outcome.doc, None)
        self._ended[outcome.doc] = self._number, outcome
        self._number += 1

    def get(self, doc: bytes) -> Outcome | None:
        found = self._ended.get(doc)
        return None if found is None else found[1]


class RowQueue:
    """Equal rows meet here: who comes while one of them is open waits for its outcome, and is not asked about.

    Of a row whose file is yet to be read nobody knows what it equals: it is given out, and claims its content then.
    """

    def __init__(self) -> None:
        self._todo: deque[RowTask] = deque()
        self.size = 0  # of those: of their texts and files, in characters and bytes, as far as that is known
        self._suspects: deque[RowTask] = deque()  # that DEATHS_DOUBTED workers or more have died with
        self._waiting: dict[bytes, list[RowTask]] = {}  # by content that is open: the others of it
        self._deaths = Deaths(DEATHS_DOUBTED, DEATHS_MOST)
        self.recent = Recent()
        self._looks = [self.recent.look()]

    def __len__(self) -> int:
        """Rows that can be given out."""
        return len(self._todo) + len(self._suspects)

    def next_batch(self) -> None:
        """A batch of the input has come: the next one is being made. What is on record since may not be known to it."""
        self._looks.append(self.recent.look())
        if len(self._looks) > 2:
            self.recent.looked(self._looks.pop(0))

    def add(self, task: RowTask) -> Outcome | None:
        """A row that is to be done, or how its content has ended since somebody looked."""
        claim = task.file is not None or self.claim(task)
        if isinstance(claim, Outcome):
            return claim
        if claim:
            self._todo.append(task)
            self.size += size_of(task)
        return None

    def claim(self, task: RowTask) -> Outcome | bool:
        """Whether a row is the one of its content to be asked about, or how that has ended; else it waits here."""
        if (known := self.recent.get(task.doc)) is not None:
            return known
        if (twins := self._waiting.get(task.doc)) is not None:
            twins.append(task)
            return False
        self._waiting[task.doc] = []
        return True

    def take(self) -> RowTask | None:
        """One to be given out; suspects are asked for by name."""
        if not self._todo:
            return None
        task = self._todo.popleft()
        self.size -= size_of(task)
        return task

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
        self.recent.add(outcome)
        self._deaths.ended(task.row.index)
        return self._waiting.pop(task.doc, [])

    def left(self, task: RowTask) -> None:
        """It stays as it is; one with the same content may have more luck, or more money."""
        twins, unread = self._waiting.pop(task.doc, []), list[RowTask]()
        for number, twin in enumerate(twins, 1):
            if twin.file is None:
                self._waiting[task.doc] = twins[number:]
                self._first(twin)
                break
            unread.append(twin)  # what was read of it is gone: whoever reads it first claims it
        for twin in reversed(unread):
            self._first(_unread(twin))

    def again(self, tasks: Iterable[RowTask]) -> RowTask | None:
        """Rows of a worker that has died, first of all; one of them that too many have died of, if there is one."""
        back = list(tasks)
        deadly = self._deaths.died(task.row.index for task in back)
        for task in reversed(back):
            if task.file is not None and task.doc:
                self.left(task)
            if self.is_suspect(task):
                self._suspects.appendleft(_unread(task))
            else:
                self._first(_unread(task))
        return next((task for task in back if task.row.index == deadly), None)

    def _first(self, task: RowTask) -> None:
        self._todo.appendleft(task)
        self.size += size_of(task)

    def clear(self) -> Sequence[RowTask]:
        """Nothing more is begun. Those that were not."""
        left = [*self._todo, *self._suspects]
        self._todo.clear()
        self.size = 0
        self._suspects.clear()
        self._waiting.clear()
        return left


def size_of(task: RowTask) -> int:
    """Of its text, in characters, or of its file, in bytes, as far as that is known."""
    return len(task.row.text) if task.file is None else task.file.size or 0


def _unread(task: RowTask) -> RowTask:
    """As it was before its file was read, if it is one."""
    return task if task.file is None else replace(task, doc=b"", stale_session=0)
