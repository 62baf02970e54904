"""Whether an answer is a record of the job's schema: as a run judges it, and as people are told afterwards. Pure."""

from msgspec import Struct
from pydantic import BaseModel

from pipeline.extraction.validate import Invalid, Loose, Valid, check, enforced
from pipeline.schema.arrow import RecordColumn
from pipeline.schema.shape import Shaped, restore


class Judge(Struct, frozen=True):
    """By the user's model, in the dialect that was asked for, and by the column that the record goes into."""

    model: type[BaseModel]
    shaped: Shaped
    column: RecordColumn
    loose: Loose | None = None  # where nobody holds answers to the schema

    def verdict(self, text: str, *, part: bool = False) -> Valid | Invalid:
        """The record in an answer that ended by itself, or what is wrong with it. `part`: of one that is merged."""
        turn_back = (lambda data: restore(self.shaped, data)) if self.shaped.rewritten else None
        verdict = check(self.model, turn_back, text, self.loose, part=part)
        if isinstance(verdict, Valid) and (problem := self.column.problem_of(verdict.record_json)) is not None:
            return Invalid((problem,), repairable=not self.column.past_repair(verdict.record_json))
        return verdict


def judge_of(
    model: type[BaseModel], shaped: Shaped, column: RecordColumn, provider: str, base_url: str, mode: str
) -> Judge:
    """The judge of a job's answers; the last three are as the job has them."""
    shape = shaped.shape
    strict = enforced(provider, base_url, mode, shape)
    return Judge(model, shaped, column, None if strict else Loose(shape.schema, shaped.original))
