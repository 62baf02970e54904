"""Schema dialects: what is asked of a provider in the user's stead, and the way back from its answers. Pure.

Pydantic's schema is read into a small tree (`kinds`), which is written out as one dialect takes it (`known` has them as
data, `rewriting` writes). What a dialect cannot say is asked for in another form, and each such form has a way back
(`ways`), made in the same step. What it only cannot enforce is told in words (`wording`).
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.schema.dialects.draft import RewritePlan
from pipeline.schema.dialects.read import read
from pipeline.schema.dialects.restore import Back, restored
from pipeline.schema.dialects.size import SchemaSize, doubts_about, problems_of, size_of
from pipeline.schema.dialects.table import PLAIN, Dialect, dialects_for
from pipeline.schema.dialects.write import SchemaWriter

__all__ = ["PLAIN", "Back", "Dialect", "RewrittenSchema", "dialects_for", "restored", "rewrite"]


class RewrittenSchema(Struct, frozen=True):
    """A schema in a dialect. With problems it cannot be asked for; notes are for people to know."""

    schema: Mapping[str, Any]
    back: Back
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def rewrite(original: Mapping[str, Any], dialect: Dialect) -> RewrittenSchema:
    """`original` (a JSON schema of Pydantic's) as `dialect` takes it."""
    reading = read(original)
    plan: RewritePlan | None = RewritePlan()
    while plan is not None:
        writer = SchemaWriter(reading, dialect, plan)
        schema = writer.whole()
        size = size_of(schema)
        plan = _better(plan, writer, size)
    notes = (*reading.notes, *writer.draft.notes, *writer.same_starts(), *doubts_about(size, dialect))
    problems = (*reading.problems, *writer.draft.problems, *problems_of(size, dialect))
    return RewrittenSchema(schema, writer.back, tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(problems)))


def _better(plan: RewritePlan, writer: SchemaWriter, size: SchemaSize) -> RewritePlan | None:
    """The plan for another try, or None when this one is as good as it gets."""
    ambiguous = writer.ambiguous() - plan.as_text
    if ambiguous:
        return replace(plan, as_text=plan.as_text | ambiguous)
    limits, draft = writer.draft.dialect.limits, writer.draft
    if limits.unions is None or limits.optionals is None:
        return None
    nulls = draft.nulls if plan.nulls is None else plan.nulls
    absents = draft.absents if plan.absents is None else plan.absents
    if size.used_unions > limits.unions and size.used_optionals < limits.optionals and nulls:
        return replace(plan, nulls=nulls - 1)
    if size.used_optionals > limits.optionals and size.used_unions < limits.unions and absents:
        return replace(plan, absents=absents - 1)
    return None
