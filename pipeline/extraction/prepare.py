"""A job file → everything a run, an estimate or a check needs, with nothing sent and no credential read.

What is wrong is found here, before a cent is spent, and said as one `JobError`.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from pipeline.catalog.apis import api_advice
from pipeline.catalog.file_limits import FileLimits, file_limits
from pipeline.catalog.known_as import known_as
from pipeline.catalog.model_settings import settings_advice
from pipeline.catalog.prices import how_to_price, required_rate
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.reasoning import reasoning_advice
from pipeline.catalog.sampling import Advice
from pipeline.catalog.windows import ModelLimits, limits_of
from pipeline.documents.chunks import Counter, available_tokens
from pipeline.documents.page_chunks import PageBounds
from pipeline.documents.pages import Rules
from pipeline.documents.sources.source import Source
from pipeline.documents.tokens import counter_for
from pipeline.errors import JobError
from pipeline.extraction import overhead
from pipeline.extraction import requests as planning
from pipeline.extraction.asked_words import words_asked
from pipeline.extraction.context import tokens_before
from pipeline.extraction.cutting import Cut, chunk_columns, cut
from pipeline.extraction.evidence.share import columns_of, looked_in
from pipeline.extraction.examples import examples_of
from pipeline.extraction.hashes import outcome_salt, request_hash
from pipeline.extraction.lanes import lane_problem
from pipeline.extraction.plan import Examples, Plan
from pipeline.extraction.template import TEXT, Template, parse_template
from pipeline.job.folder import LEDGER
from pipeline.job.settings import MOST_PAGES, Job
from pipeline.money import Rate
from pipeline.providers.wire_check import wire_problems
from pipeline.schema import shape as schemas
from pipeline.schema.record_json import writer_of
from pipeline.schema.shape import Shaped
from pipeline.types import FILE_COLUMNS, RESULT_COLUMNS, AnswerShape, Chunk, Row

REQUEST_REST_BYTES = 100_000  # of a body beside its files: prompt, schema, parameters
FRAME_TOKENS = 12  # role markers and reply priming of a system and a user message (3 + 3 + 3), and some slack


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


def prepare(job: Job) -> Prepared:
    """Load and check all that a job names.

    Raises:
        JobError: the schema, the prompt, the model or the input cannot be used.
    """
    if (problem := lane_problem(job)) is not None:
        raise JobError(f"{job.file}: {problem}")
    if (advice := api_advice(job.model)) is not None and advice.sure:
        raise JobError(f"{job.file}: {advice.told}")
    model = schemas.load_model(job.extract.schema)
    shaped = schemas.shape_for(
        model, job.model.provider, job.extract.mode, model_name=job.model.name, api=job.model.api
    )
    if shaped.problems:
        raise JobError(f"{job.extract.schema}: " + "; ".join(shaped.problems))
    if (advice := advice_on_reasoning(job, shaped)) is not None and advice.sure:
        raise JobError(f"{job.file}: {advice.told}")
    _check_model(job, shaped.shape)
    template = _template(job)
    counter = counter_for(job.model.provider, known_as(job.model, job.prices))
    source_hash = schemas.source_hash(model, job.extract.schema)
    examples = examples_of(job, model, shaped, template, counter)
    plan, window = _plan(job, shaped, template, counter, source_hash, examples)
    if job.chunks.select:
        plan = replace(plan, select=job.chunks.select, words_asked=words_asked(model.model_json_schema()))
    limits = file_limits(job.model, shaped.shape.mode)
    rules = Rules(job.documents, job.model, limits, _password(job), looked_in(job.extract))
    source = Source(
        job.input,
        template.other_columns,
        job.limit_rows,
        optional=template.optional,
        rules=rules,
    )
    _check_keep(
        job,
        RESULT_COLUMNS
        + (FILE_COLUMNS if source.documents else ())
        + columns_of(job.extract)
        + chunk_columns(job.chunks),
    )
    source.check()
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
    )


def _password(job: Job) -> str | None:
    """Of protected files.

    Raises:
        JobError: the variable that is to hold it is not set, or empty.
    """
    name = job.documents.password_env
    if not name:
        return None
    if not (found := os.environ.get(name)):
        is_so = "not set" if found is None else "empty"
        told = (
            f"documents.password_env = {name!r}: this variable is {is_so}. Set it, or leave documents.password_env out"
        )
        raise JobError(f"{job.file}: {told}")
    return found


def advice_on_reasoning(job: Job, shaped: Shaped) -> Advice | None:
    """What is to be said against model.reasoning in this job."""
    return reasoning_advice(job.model, shaped.shape.mode, summaries=job.chunks.context == "rolling")


def require_affordable(prepared: Prepared) -> None:
    """A cap in USD needs a price; an allowance of output must be able to hold one answer.

    Raises:
        JobError: the budget or a limit cannot be kept.
    """
    job = prepared.job
    if prepared.rate is None and (job.budget.max_usd is not None or job.budget.tenant_max_usd_per_day is not None):
        raise JobError(
            f"{job.file}: budget.max_usd needs a price, and the price table has none for model {job.model.name!r}. "
            f"{how_to_price(job.model.provider, job.model.name)}"
        )
    allowed, wanted = job.limits.output_tokens_per_minute, job.model.max_output_tokens
    if 0 < allowed < wanted:
        raise JobError(
            f"{job.file}: model.max_output_tokens = {wanted} can never fit "
            f"limits.output_tokens_per_minute = {allowed}. Lower the first or raise the second"
        )


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


def _plan(
    job: Job, shaped: Shaped, template: Template, counter: Counter, source_hash: str, examples: Examples
) -> tuple[Plan, int]:
    schema_text = json.dumps(shaped.shape.schema, ensure_ascii=False, separators=(",", ":"))
    literals = "".join(template.literals)
    parts = (job.extract.system, literals, schema_text)
    fixed_tokens = FRAME_TOKENS + sum(counter.count(part) for part in parts) + examples.tokens
    fixed_bytes = planning.FRAME_BYTES + sum(len(part.encode()) for part in parts) + examples.bytes
    limits = limits_of(known_as(job.model, job.prices))
    try:
        room = available_tokens(
            limits.context_tokens, job.model.max_output_tokens, fixed_tokens, max_input_tokens=limits.max_input_tokens
        )
    except ValueError as error:
        told = f"nothing is left of the context window for documents: {error}{_taken_by(examples)}"
        raise JobError(f"{job.file}: {told}") from None
    summary_tokens, window_tokens = tokens_before(job, room)
    room -= summary_tokens + window_tokens
    if job.chunks.max_tokens > room:
        raise JobError(
            f"{job.file}: chunks.max_tokens = {job.chunks.max_tokens} is more than the {room} tokens that "
            f"{job.model.name} leaves (window {limits.context_tokens}, output {job.model.max_output_tokens}, "
            f"prompt and schema {fixed_tokens}){_taken_by(examples)}"
        )
    request = request_hash(job, shaped.shape)
    plan = Plan(
        system=job.extract.system,
        template=template,
        max_output_tokens=job.model.max_output_tokens,
        output_ceiling_tokens=limits.max_output_tokens if limits.known else 2 * job.model.max_output_tokens,
        fixed_tokens=fixed_tokens,
        fixed_bytes=fixed_bytes,
        chunk_tokens=job.chunks.max_tokens or room,
        overlap_tokens=job.chunks.overlap_tokens,
        request_hash=request,
        outcome_salt=outcome_salt(request, job, source_hash),
        two_step=job.extract.mode == "two_step",
        reading_system=f"{job.extract.system}\n\n{planning.READ}\n{schema_text}".strip(),
        summary_tokens=summary_tokens,
        window_chunks=job.chunks.window if job.chunks.context == "window" else 0,
        window_tokens=window_tokens,
        examples=examples,
        page_bounds=_page_bounds(job, file_limits(job.model, shaped.shape.mode), job.chunks.max_tokens or room),
        page_plan=(job.documents.pages_per_call, job.documents.overlap_pages),
        input_most=_input_most(job, limits),
    )
    return plan, limits.context_tokens


def _page_bounds(job: Job, limits: FileLimits, tokens: int) -> PageBounds:
    """What one call takes of a file: what the job says, else as much as the provider and the window do."""
    settings = job.documents
    taken = [limits.pdf_pages if limits.pdf else 0, limits.max_images if limits.images else 0]
    most = min((pages for pages in taken if pages), default=MOST_PAGES)
    if settings.pages_per_call > most:
        told = f"{job.model.name} takes {most} pages or images a request"
        raise JobError(f"{job.file}: documents.pages_per_call = {settings.pages_per_call}: {told}")
    return PageBounds(
        settings.pages_per_call or min(MOST_PAGES, most),
        settings.overlap_pages,
        tokens,
        max(1, limits.request_bytes * 3 // 4 - REQUEST_REST_BYTES),
    )


def _input_most(job: Job, limits: ModelLimits) -> int:
    """0 where it is not sure which model it is. Of two published windows the smaller one is listed: hence the room."""
    sure = limits.known and (bool(job.prices.as_model) or not PROVIDERS[job.model.provider].own_names)
    return limits.context_tokens * 5 // 4 if sure else 0


def _taken_by(examples: Examples) -> str:
    """What of a window that is too small is the examples'."""
    if not examples.turns:
        return ""
    return f". {len(examples.turns) // 2:,} [[extract.examples]] take {examples.tokens:,} of these: fewer would fit"


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
