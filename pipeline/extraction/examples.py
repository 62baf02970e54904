"""`[[extract.examples]]` → turns: each document asked about as the prompt does, and answered as the model is to answer.

A record is checked by the user's own model, and then said in the form that the provider is asked for: an example that
contradicted the schema would teach the model to.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.documents.chunks import Counter
from pipeline.errors import JobError
from pipeline.extraction.judge import Judge, judge_of
from pipeline.extraction.overhead import MESSAGE_TOKENS
from pipeline.extraction.plan import Examples
from pipeline.extraction.requests import NORMALISE
from pipeline.extraction.template import Template, render
from pipeline.extraction.validate import Invalid, errors_of, raised
from pipeline.job.settings import Example, Job
from pipeline.parts import text_parts
from pipeline.schema.arrow import RecordColumn
from pipeline.schema.dialects.answer import NoAnswer, answer_of
from pipeline.schema.dialects.fit import fits
from pipeline.schema.dialects.restore import WRAPPED
from pipeline.schema.record_given import record_given, under_asked_names
from pipeline.schema.record_json import writer_of
from pipeline.schema.shape import Shaped
from pipeline.types import Turn

MOST_TOLD = 5


class _Wrong(Exception):
    """What is wrong with one example."""


def examples_of(job: Job, model: type[BaseModel], shaped: Shaped, template: Template, counter: Counter) -> Examples:
    """The examples of a job, as they are sent; nothing is looked at where it has none.

    Raises:
        JobError: names the first that are wrong, each with its number and the path of its first error.
    """
    if not job.extract.examples:
        return Examples()
    _check_columns(job, template)
    judge = judge_of(model, shaped, RecordColumn(model), job.model.provider, job.model.base_url, job.extract.mode)
    turns: list[Turn] = []
    wrong: list[str] = []
    for number, one in enumerate(job.extract.examples, 1):
        asked = f"{NORMALISE}{one.text}" if job.extract.mode == "two_step" else render(template, one.text, {})
        try:
            turns += [Turn("user", text_parts(asked)), Turn("assistant", text_parts(_answer(judge, one)))]
        except _Wrong as error:
            wrong.append(f"[[extract.examples]] number {number}: {error}")
    if wrong:
        more = [f"and {len(wrong) - MOST_TOLD} more"] if len(wrong) > MOST_TOLD else []
        raise JobError("\n  ".join([f"{job.file}: {wrong[0]}", *wrong[1:MOST_TOLD], *more]))
    texts = [turn.text for turn in turns]
    tokens = sum(MESSAGE_TOKENS + counter.count(text) for text in texts)
    return Examples(tuple(turns), tokens, sum(len(text.encode("utf-8", "surrogatepass")) for text in texts))


def _check_columns(job: Job, template: Template) -> None:
    """An example has a text and no columns; in the second of two steps the prompt is not asked again."""
    needed = [name for name in template.other_columns if name not in template.optional]
    if needed and job.extract.mode != "two_step":
        listed, mended = (" and ".join(form.format(name) for name in needed) for form in ("{{{}}}", "{{{}?}}"))
        raise JobError(
            f"{job.file}: extract.prompt names {listed}, and [[extract.examples]] have a text only. "
            f"Write {mended}, which is empty for an example, or leave it out of the prompt"
        )


def _answer(judge: Judge, example: Example) -> str:
    """The answer that the example's record is, as JSON text in the form that the model is asked for."""
    given, record = _record(judge, example)
    written = writer_of(judge.model)
    wanted = written.json(record)
    if (problem := judge.column.problem_of(wanted)) is not None:
        raise _Wrong(problem)
    steady = written.json(record_given(judge.model, given)) == wanted  # unlike a default that is the time of day
    reasons, loose = [], ""
    for candidate in (given, *(under_asked_names(judge.model, record, defaults=one) for one in (False, True))):
        try:
            said = answer_of(judge.shaped.shape.schema, judge.shaped.back, json.loads(candidate))
        except NoAnswer as error:
            reasons.append(str(error))
            continue
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        verdict = judge.verdict(text)
        if isinstance(verdict, Invalid):
            reasons.append(verdict.errors[0])
        elif steady and verdict.record_json != wanted:
            reasons.append("an answer of it is read as another record")
        elif _fits(judge.shaped, said):
            return text
        else:
            loose = loose or text
    if loose:
        return loose
    raise _Wrong(f"cannot be said in the form that is asked for: {reasons[-1]}")


def _fits(shaped: Shaped, said: object) -> bool:
    schema = shaped.shape.schema
    return fits(schema, said, schema.get("$defs", {}))


def _record(judge: Judge, example: Example) -> tuple[str, BaseModel]:
    """The record as JSON, and as the user's model has it."""
    wrong = "has no record"
    for plain in _readings(judge.shaped, dict(example.record)):
        text = json.dumps(plain, ensure_ascii=False, default=str)
        try:
            return text, record_given(judge.model, text)
        except ValidationError as error:
            wrong = errors_of(error)[0].replace("Extra inputs are not permitted", "is no field of the schema")
        except (Exception, SystemExit) as error:  # noqa: BLE001 (the user's validators may raise anything)
            wrong = f"a validator of {judge.model.__name__} raised {raised(error)}"
    raise _Wrong(wrong)


def _readings(shaped: Shaped, record: dict[str, Any]) -> Iterator[Any]:
    """A schema whose root is no object is asked for as a property, and may be written so."""
    yield record
    if shaped.back.wrapped and set(record) == {WRAPPED}:
        yield record[WRAPPED]
