"""What is known of a row while it is worked on."""

from msgspec import Struct

from pipeline.engine.ask import RowLife
from pipeline.engine.feed import RowTask
from pipeline.types import Row


class RowState(Struct):
    task: RowTask
    life: RowLife
    next_number: int  # of the next chunk that has to be cut smaller
    before: str = ""  # the summary or the records of the chunks before, where they go with each chunk

    @property
    def row(self) -> Row:
        return self.task.row

    @property
    def stale_session(self) -> int:
        return self.task.stale_session
