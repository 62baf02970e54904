"""How short documents go together (`chunks.pack`): worked out once for a job, from its schema and window."""

import json

from msgspec import Struct
from pydantic import BaseModel

from pipeline.catalog.known_as import known_as
from pipeline.catalog.windows import limits_of
from pipeline.documents.chunks import Counter, available_tokens
from pipeline.errors import JobError
from pipeline.extraction.examples import examples_of
from pipeline.extraction.hashes import pack_hash
from pipeline.extraction.overhead import MESSAGE_TOKENS
from pipeline.extraction.packs import HEAD, PackPlan, between, shared_template, words
from pipeline.extraction.plan import Examples, Plan
from pipeline.extraction.planned import FRAME_TOKENS
from pipeline.extraction.requests import FRAME_BYTES, utf8_bytes
from pipeline.extraction.template import render
from pipeline.job.settings import Job
from pipeline.parts import text_parts
from pipeline.schema.listed import ANSWERS, NUMBER, RECORD, item_of, listed_shape
from pipeline.schema.shape import Shaped
from pipeline.types import AnswerShape, Turn


class Packed(Struct, frozen=True):
    """`shape` is of a whole answer, `item` of one document's record in it."""

    plan: PackPlan
    shape: AnswerShape
    item: Shaped


def packed_of(job: Job, model: type[BaseModel], single: Shaped, plan: Plan, counter: Counter) -> Packed:
    """How the documents of a job go together.

    Raises:
        JobError: the provider cannot be asked for a list of the schema, or so many answers leave no room for documents.
    """
    asked = job.model
    whole = listed_shape(single, asked.provider, job.extract.mode, model_name=asked.name, api=asked.api)
    if whole.problems:
        raise JobError(
            f"{job.file}: chunks.pack = {job.chunks.pack}: a list of {job.extract.schema} cannot be asked for: "
            f"{'; '.join(whole.problems)}. Set chunks.pack = 1"
        )
    item = item_of(whole, single)
    shared = shared_template(plan.template)
    literals = "".join(plan.template.literals)
    key = pack_hash(job, whole.shape, HEAD + literals + between(1, "", ""))
    examples = _examples(job, model, item, plan, counter, key)
    schema = json.dumps(whole.shape.schema, ensure_ascii=False, separators=(",", ":"))
    once = (plan.system, schema, HEAD, literals if shared is not None else "")
    frame = between(job.chunks.pack, "0" * 8, "" if shared is not None else literals)
    fixed_tokens = FRAME_TOKENS + sum(map(counter.count, once)) + examples.tokens
    output_most, tokens = _room(job, plan, fixed_tokens)
    made = PackPlan(
        rows=job.chunks.pack,
        tokens=tokens,
        fixed_tokens=fixed_tokens,
        fixed_bytes=FRAME_BYTES + sum(map(utf8_bytes, once)) + examples.bytes,
        frame_tokens=counter.count(frame),
        output_most=output_most,
        key=key,
        examples=examples,
        shared=shared,
    )
    return Packed(made, whole.shape, item)


def _room(job: Job, plan: Plan, fixed_tokens: int) -> tuple[int, int]:
    """The most output of a pack, and the most tokens of its documents."""
    limits, each = limits_of(known_as(job.model, job.prices)), job.model.max_output_tokens
    every = min(job.chunks.pack * each, job.limits.output_tokens_per_minute or job.chunks.pack * each)
    output_most = max(each, min(every, limits.max_output_tokens)) if limits.known else every
    try:
        room = available_tokens(
            limits.context_tokens, output_most, fixed_tokens, max_input_tokens=limits.max_input_tokens
        )
    except ValueError as error:
        told = f"chunks.pack = {job.chunks.pack}: so many answers leave no room for documents: {error}"
        raise JobError(f"{job.file}: {told}. Lower chunks.pack or model.max_output_tokens") from None
    return output_most, min(room, job.chunks.max_tokens or room, plan.chunk_tokens)


def _examples(job: Job, model: type[BaseModel], item: Shaped, plan: Plan, counter: Counter, key: bytes) -> Examples:
    """The job's examples, each as a pack of one."""
    found = examples_of(job, model, item, plan.template, counter)
    shared = shared_template(plan.template)
    turns: list[Turn] = []
    for one, answer in zip(job.extract.examples, found.turns[1::2], strict=True):
        text = one.text if shared is not None else render(plan.template, one.text, {})
        asked = words(shared, [text], key)
        said = f'{{"{ANSWERS}":[{{"{NUMBER}":1,"{RECORD}":{answer.text}}}]}}'
        turns += [Turn("user", text_parts(asked)), Turn("assistant", text_parts(said))]
    added = "".join(turn.text for turn in turns)
    tokens = MESSAGE_TOKENS * len(turns) + counter.count(added)
    return Examples(tuple(turns), tokens, utf8_bytes(added))
