"""What models said for rows of an output folder, and what is wrong with it by the job's own schema. Reads only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.errors import JobError, LedgerUnreadable
from pipeline.extraction.evidence.asked import names_lines
from pipeline.extraction.judge import Judge, judge_of
from pipeline.extraction.validate import Invalid
from pipeline.job.folder import LEDGER
from pipeline.ledger.files import reading
from pipeline.ledger.said import Said, answers_of
from pipeline.schema.arrow import RecordColumn
from pipeline.schema.shape import load_model, shape_for
from pipeline.types import Purpose, Stop

ASKED_AT_ONCE = 500


class Heard(Struct, frozen=True):
    """An answer, and what is wrong with it; nothing where it fits, or where that cannot be told."""

    said: Said
    errors: tuple[str, ...]


def judge_of_run(job: Mapping[str, Any]) -> Judge | None:
    """By run.json's job; None where its schema cannot be loaded any more.

    Of a job that asks in free words as well, which answers are in the schema is not on record.
    """
    extract, model = job["extract"], job["model"]
    if extract["mode"] == "two_step" or job["chunks"]["context"] == "rolling":
        return None
    try:
        found = load_model(extract["schema"])
        shaped = shape_for(found, model["provider"], extract["mode"], model_name=model["name"], api=model["api"])
        column = RecordColumn(found)
        return judge_of(found, shaped, column, model["provider"], model["base_url"], extract["mode"])
    except JobError:
        return None


def judged(said: Said, judge: Judge | None) -> Heard:
    if judge is None or said.text is None or said.stop != Stop.DONE or names_lines(said.text):
        return Heard(said, ())
    verdict = judge.verdict(said.text)
    return Heard(said, verdict.errors if isinstance(verdict, Invalid) else ())


def heard_for(folder: Path, job: Mapping[str, Any], rows: Sequence[int]) -> dict[int, list[Heard]]:
    """The answers behind these rows of the last run, in order; nothing where there is no ledger that tells."""
    found: dict[int, list[Heard]] = {}
    if not rows or not (folder / LEDGER).exists():
        return found
    judge = judge_of_run(job)
    try:
        with reading(folder / LEDGER) as db:
            for start in range(0, len(rows), ASKED_AT_ONCE):
                for said in answers_of(db, rows[start : start + ASKED_AT_ONCE]):
                    found.setdefault(said.row, []).append(judged(said, judge))
    except LedgerUnreadable:
        return {}
    return found


def first_errors(heard: Sequence[Heard]) -> tuple[str, ...]:
    """What was wrong with the answers that were repaired."""
    return tuple(error for one in repaired_first(heard) for error in one.errors)


def repaired_first(heard: Sequence[Heard]) -> list[Heard]:
    """The answers that were repaired, as they were before."""
    repaired = {one.said.chunk for one in heard if one.said.purpose == Purpose.REPAIR}
    return [one for one in heard if one.said.purpose == Purpose.EXTRACT and one.said.chunk in repaired]
