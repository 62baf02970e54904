"""A job file → everything a run, an estimate or a check needs, with nothing sent and no credential read.

What is wrong is found here, before a cent is spent, and said as one `JobError`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from pipeline.catalog.apis import api_advice
from pipeline.catalog.file_limits import AS_TEXT, file_limits
from pipeline.catalog.known_as import known_as
from pipeline.catalog.model_settings import settings_advice
from pipeline.catalog.prices import required_rate
from pipeline.catalog.reasoning import reasoning_advice
from pipeline.catalog.sampling import Advice
from pipeline.columns import FILE_COLUMNS, MODELS_COLUMNS, RESULT_COLUMNS
from pipeline.documents.chunks import Counter
from pipeline.documents.pages import Rules
from pipeline.documents.sources.source import Source
from pipeline.documents.tokens import counter_for
from pipeline.errors import JobError
from pipeline.extraction import overhead
from pipeline.extraction.asked_words import words_asked
from pipeline.extraction.cutting import Cut, chunk_columns, cut
from pipeline.extraction.engines import engine_problem
from pipeline.extraction.evidence.share import columns_of, looked_in
from pipeline.extraction.examples import examples_of
from pipeline.extraction.lanes import lane_problem
from pipeline.extraction.lookups import lookups_problem, mode_asked
from pipeline.extraction.pack_plan import Packed, packed_of
from pipeline.extraction.packs import pack_problem
from pipeline.extraction.plan import Plan
from pipeline.extraction.planned import plan_of
from pipeline.extraction.routing import alone_with, route_columns, several_problem
from pipeline.extraction.template import TEXT, Template, parse_template
from pipeline.job.environment import environ_of
from pipeline.job.folder import LEDGER
from pipeline.job.settings import Job
from pipeline.money import Rate
from pipeline.providers.wire_check import wire_problems
from pipeline.schema import shape as schemas
from pipeline.schema.record_json import writer_of
from pipeline.schema.shape import Shaped
from pipeline.schema.tools import Lookup, load_tools, tools_hash
from pipeline.types import AnswerShape, Chunk, Row


class Prepared(Struct, frozen=True):
    """A job with its schema loaded, its prompt cut, its input found and its model's limits and prices looked up."""

    job: Job
    model: type[BaseModel]
    shaped: Shaped
    schema_hash: str
    plan: Plan
    source: Source
    counter: Counter
    rate: Rate | None
    window_tokens: int
    notes: tuple[str, ...]
    lookups: tuple[Lookup, ...] = ()  # what the model may look up
    packed: Packed | None = None  # how short documents go together; None: each goes alone
    models: "Mapping[str, Prepared]" = {}  # the same job with each of its other models, over the same source

    def cut(self, row: Row, *, exact: bool) -> Cut:
        return cut(row, self.plan, self.counter, exact=exact)

    def chunks_of(self, row: Row, *, exact: bool) -> list[Chunk]:
        """Those that are asked about."""
        return self.cut(row, exact=exact).chunks

    @property
    def output_folder(self) -> Path:
        return Path(self.job.output.path)

    @property
    def ledger_path(self) -> Path:
        return self.output_folder / LEDGER

    @property
    def exact(self) -> bool:
        """Whether every document is counted token by token: a cap in USD is kept by it. Else a cheap estimate does."""
        return self.job.budget.max_usd is not None

    @property
    def expected_rate(self) -> Rate | None:
        """At the service tier that is asked for."""
        return None if self.rate is None else self.rate.expected

    @property
    def overhead_tokens(self) -> int:
        """What goes with every request beside its document, as the provider will count it.

        `plan.fixed_tokens` is the cautious count that chunks are cut by: another one would cut, and pay, anew.
        """
        job, literals = self.job, "".join(self.plan.template.literals)
        fixed = overhead.fixed_tokens(job.model.provider, job.extract.system, literals, self.shaped.shape, self.counter)
        return fixed + self.plan.examples.tokens


def prepare(job: Job, schema: type[BaseModel] | None = None, *, documents: bool | None = None) -> Prepared:
    """Load and check all that a job names. `schema`: the class itself, where a program has it.

    `documents`: whether rows are files, where the input is out of reach: rows are then given one by one.

    Raises:
        JobError: the schema, the prompt, the model or the input cannot be used.
    """
    problem = (
        engine_problem(job) or lane_problem(job) or several_problem(job) or lookups_problem(job) or pack_problem(job)
    )
    if problem is not None:
        raise JobError(f"{job.file}: {problem}")
    model = schema or schemas.load_model(job.extract.schema)
    template = _template(job)
    shaped = _shaped(job, model)
    limits = file_limits(job.model, shaped.shape.mode)
    source = Source(
        job.input,
        (*template.other_columns, *(name for name in route_columns(job) if name not in template.columns)),
        job.limit_rows,
        optional=template.optional,
        rules=Rules(job.documents, job.model, limits, _password(job), looked_in(job.extract)),
    )
    if documents is not None:
        source.out_of_reach(documents=documents)
    lookups = load_tools(job.extract.tools, model.__name__)
    prepared = _with_model(job, model, template, source, lookups, shaped)
    if documents is None:
        _check_keep(job, _own_columns(job, documents=source.documents))
        source.check()
    return prepared if not job.models else replace(prepared, models=_others(prepared))


def _shaped(job: Job, model: type[BaseModel]) -> Shaped:
    shaped = schemas.shape_for(model, job.model.provider, mode_asked(job), model_name=job.model.name, api=job.model.api)
    if shaped.problems:
        raise JobError(f"{job.extract.schema}: " + "; ".join(shaped.problems))
    return shaped


def _own_columns(job: Job, *, documents: bool) -> tuple[str, ...]:
    """All that results have by themselves."""
    of_models = MODELS_COLUMNS if job.models else ()
    return (
        RESULT_COLUMNS
        + (FILE_COLUMNS if documents else ())
        + columns_of(job.extract)
        + chunk_columns(job.chunks)
        + of_models
    )


def _others(prepared: Prepared) -> dict[str, Prepared]:
    """The job with each of its other models.

    Raises:
        JobError: one of them cannot be used, or cannot take what rows go as.
    """
    job, source = prepared.job, prepared.source
    found = {}
    for name in job.models:
        alone = alone_with(job, name)
        try:
            found[name] = _with_model(alone, prepared.model, prepared.plan.template, source, prepared.lookups)
        except JobError as error:
            raise JobError(f"[models.{name}]: {error}") from None
        if source.documents and job.documents.read != "text":
            _check_files(name, prepared, found[name])
    return found


def _check_files(name: str, main: Prepared, other: Prepared) -> None:
    """A file goes one way, whoever is asked about it."""
    ours, theirs = (file_limits(one.job.model, one.shaped.shape.mode) for one in (main, other))
    if ours.pdf and not theirs.pdf:
        raise JobError(
            f"{main.job.file}: PDFs go to {main.job.model.name} as they are. [models.{name}]: {theirs.why_no_pdf}"
        )
    if ours.images - theirs.images:
        kinds = ", ".join(sorted(ours.images - theirs.images))
        told = theirs.why_no_images or f"{other.job.model.name} takes no {kinds}. {AS_TEXT}"
        raise JobError(f"{main.job.file}: pictures go to {main.job.model.name} as they are. [models.{name}]: {told}")


def _with_model(
    job: Job,
    model: type[BaseModel],
    template: Template,
    source: Source,
    lookups: tuple[Lookup, ...],
    shaped: Shaped | None = None,
) -> Prepared:
    """The job with its [model], over a source that may be shared; and its schema's shape, where that is known.

    Raises:
        JobError: the model cannot be used as it is asked.
    """
    if (problem := lookups_problem(job)) is not None:
        raise JobError(f"{job.file}: {problem}")
    if (advice := api_advice(job.model)) is not None and advice.sure:
        raise JobError(f"{job.file}: {advice.told}")
    shaped = shaped or _shaped(job, model)
    shaped = replace(shaped, shape=replace(shaped.shape, lookups=tuple(one.tool for one in lookups)))
    if (advice := advice_on_reasoning(job, shaped)) is not None and advice.sure:
        raise JobError(f"{job.file}: {advice.told}")
    _check_model(job, shaped.shape)
    counter = counter_for(job.model.provider, known_as(job.model, job.prices))
    source_hash = schemas.source_hash(model, job.extract.schema)
    examples = examples_of(job, model, shaped, template, counter)
    hashes = source_hash, tools_hash(job.extract.tools)
    plan, window = plan_of(job, shaped, template, counter, hashes, examples)
    if job.chunks.select:
        plan = replace(plan, select=job.chunks.select, words_asked=words_asked(model.model_json_schema()))
    packed = None
    if job.chunks.pack > 1:
        packed = packed_of(job, model, shaped, plan, counter)
        _check_model(job, packed.shape)
    return Prepared(
        job=job,
        model=model,
        shaped=shaped,
        schema_hash=source_hash,
        plan=plan,
        source=source,
        counter=counter,
        rate=_rate(job),
        window_tokens=window,
        notes=(*shaped.notes, *writer_of(model).notes),
        lookups=lookups,
        packed=packed,
    )


def _password(job: Job) -> str | None:
    """Of protected files.

    Raises:
        JobError: the variable that is to hold it is not set, or empty.
    """
    name = job.documents.password_env
    if not name:
        return None
    if not (found := environ_of(job.file).get(name)):
        is_so = "not set" if found is None else "empty"
        told = (
            f"documents.password_env = {name!r}: this variable is {is_so}. Set it, or leave documents.password_env out"
        )
        raise JobError(f"{job.file}: {told}")
    return found


def advice_on_reasoning(job: Job, shaped: Shaped) -> Advice | None:
    """What is to be said against model.reasoning in this job."""
    shape = shaped.shape
    mode = "tool" if shape.lookups else shape.mode
    return reasoning_advice(job.model, mode, summaries=job.chunks.context == "rolling")


def _rate(job: Job) -> Rate | None:
    """With the service tier that is asked for; own prices in the job file are those of any."""
    model = job.model
    rate, tier = required_rate(model.provider, model.name, job.prices, model.base_url), model.service_tier
    return rate if rate is None or tier == "default" else replace(rate, asked=tier)


def _check_model(job: Job, shape: AnswerShape) -> None:
    """What every request would be refused for."""
    told = [advice.told for advice in settings_advice(job.model) if advice.sure]
    if told := told or [f"model.{problem}" for problem in wire_problems(job.model, shape)]:
        raise JobError(f"{job.file}: {'; '.join(told)}")


def _template(job: Job) -> Template:
    template = parse_template(job.extract.prompt, job.input.text)
    if TEXT not in template.columns:
        raise JobError(
            f"{job.file}: {job.extract.prompt_file or 'extract.prompt'} has no {{text}}, so the document would not be "
            "sent. "
            f'Write for example:  prompt = "Extract the record.\\n\\n{{text}}"'
        )
    return template


def _check_keep(job: Job, taken: Sequence[str]) -> None:
    for name in job.input.keep:
        if name in taken:
            raise JobError(
                f"{job.file}: input.keep names {name!r}, which is a column of the results already. "
                "Rename the column in the input, or leave it out of keep"
            )
    if len(set(job.input.keep)) < len(job.input.keep):
        twice = next(name for name in job.input.keep if job.input.keep.count(name) > 1)
        raise JobError(f"{job.file}: input.keep names {twice!r} twice")
