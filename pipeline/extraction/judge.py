"""Whether an answer is a record of the job's schema: as a run judges it, and as people are told afterwards. Pure."""

from msgspec import Struct
from pydantic import BaseModel

from pipeline.extraction.validate import Invalid, Valid, check
from pipeline.schema.arrow import RecordColumn
from pipeline.schema.shape import Shaped, restore


class Judge(Struct, frozen=True):
    """By the user's model, in the dialect that was asked for, and by the column that the record goes into."""

    model: type[BaseModel]
    shaped: Shaped
    column: RecordColumn

    def verdict(self, text: str, *, part: bool = False) -> Valid | Invalid:
        """The record in an answer that ended by itself, or what is wrong with it. `part`: of one that is merged."""
        turn_back = (lambda data: restore(self.shaped, data)) if self.shaped.rewritten else None
        verdict = check(self.model, turn_back, text, part=part)
        if isinstance(verdict, Valid) and (problem := self.column.problem_of(verdict.record_json)) is not None:
            return Invalid((problem,), repairable=not self.column.past_repair(verdict.record_json))
        return verdict
