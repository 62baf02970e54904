"""What every request of a job has in common, worked out once: from its settings, its schema and its model's window."""

import json

from msgspec import to_builtins

from pipeline.catalog.file_limits import FileLimits, file_limits
from pipeline.catalog.known_as import known_as
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.windows import ModelLimits, limits_of
from pipeline.documents.chunks import Counter, available_tokens
from pipeline.documents.page_chunks import PageBounds
from pipeline.errors import JobError
from pipeline.extraction import requests as planning
from pipeline.extraction.context import tokens_before
from pipeline.extraction.hashes import outcome_salt, request_hash
from pipeline.extraction.plan import Examples, Plan
from pipeline.extraction.routing import route_columns
from pipeline.extraction.template import Template
from pipeline.job.settings import MOST_PAGES, Job
from pipeline.schema.shape import Shaped

REQUEST_REST_BYTES = 100_000  # of a body beside its files: prompt, schema, parameters
FRAME_TOKENS = 12  # role markers and reply priming of a system and a user message (3 + 3 + 3), and some slack


def plan_of(
    job: Job, shaped: Shaped, template: Template, counter: Counter, source_hashes: tuple[str, str], examples: Examples
) -> tuple[Plan, int]:
    """The plan, and the tokens of the model's window; `source_hashes`: of the schema's source, and of the look-ups'.

    Raises:
        JobError: nothing is left of the window for documents, or less than the job asks for.
    """
    schema_text = json.dumps(shaped.shape.schema, ensure_ascii=False, separators=(",", ":"))
    literals = "".join(template.literals)
    lookups = shaped.shape.lookups
    offered = [json.dumps(to_builtins(one), ensure_ascii=False) for one in lookups]
    parts = (job.extract.system, literals, schema_text, *offered)
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
        outcome_salt=outcome_salt(request, job, *source_hashes),
        two_step=job.extract.mode == "two_step",
        reading_system=f"{job.extract.system}\n\n{planning.READ}\n{schema_text}".strip(),
        summary_tokens=summary_tokens,
        window_chunks=job.chunks.window if job.chunks.context == "window" else 0,
        window_tokens=window_tokens,
        examples=examples,
        page_bounds=_page_bounds(job, file_limits(job.model, shaped.shape.mode), job.chunks.max_tokens or room),
        page_plan=(job.documents.pages_per_call, job.documents.overlap_pages),
        key_columns=tuple(name for name in route_columns(job) if name not in template.columns),
        lookups=lookups,
        rounds=job.extract.max_tool_rounds if lookups else 0,
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
