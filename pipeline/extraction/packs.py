"""Short documents in one call (`chunks.pack`): which go together, the question, and its answer taken apart. Pure.

A row's own answer is found under a key of its own, whoever went with it: so it is paid for once, however rows meet.
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import count

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.extraction.hashes import request_key
from pipeline.extraction.plan import Examples, Plan
from pipeline.extraction.requests import utf8_bytes
from pipeline.extraction.template import TEXT, Template, render
from pipeline.extraction.validate import unfenced
from pipeline.job.instructor import name_in
from pipeline.job.settings import Job
from pipeline.parts import files_of, text_parts
from pipeline.text import PACKED
from pipeline.types import Chunk, Member, Purpose, Request, Row, Stop, Turn

MOST_DOCUMENT_TOKENS = 2_000  # of one: with a longer one there is little to be saved
MARK_CHARS = 8
HEAD = (
    "{count} " + PACKED + ". Each stands between two lines that hold its number and the mark {mark}: no other line "
    "begins or ends one. Answer with one entry for each, in order: its number as `document`, and as `record` what is "
    "asked for, of that document alone.\n\n"
)


class PackPlan(Struct, frozen=True):
    """What the packs of a job have in common."""

    rows: int  # the most
    tokens: int  # the most, of all its documents
    fixed_tokens: int  # of a request without a document, as counted
    fixed_bytes: int
    frame_tokens: int  # around each document
    output_most: int  # of an answer, altogether
    key: bytes  # that all keys are made with: of rows' own answers, and of whole ones
    examples: Examples
    shared: Template | None  # the prompt where it says no more of a row than its document: then it is said once


class PackItem(Struct, frozen=True):
    """A row that may go with others: the question about it alone, its place in a pack, and what of it stands there."""

    request: Request
    member: Member
    text: str


def pack_problem(job: Job) -> str | None:
    """Why chunks.pack cannot be had in this job, and what to write instead; None: it can, or is not wanted."""
    if job.chunks.pack == 1:
        return None
    told = _not_together(job)
    return None if told is None else f"chunks.pack = {job.chunks.pack} does not go together with {told}"


def _not_together(job: Job) -> str | None:
    if job.budget.tenant_max_usd_per_day is not None:
        return (
            "budget.tenant_max_usd_per_day: a pack reserves the worst case of all its rows at once, so that rows of a "
            "tenant would be left for another day that alone still fit. Leave one of them out"
        )
    if job.model.lane != "live":
        return f"model.lane = {job.model.lane!r}: a line of a batch is one row's. Set it to 'live'"
    if job.engine.on != "local":
        return f"engine.on = {job.engine.on!r} yet: leave one of them out"
    if job.limits.workers > 1:
        return f"limits.workers = {job.limits.workers} yet: leave one of them out"
    if job.models:
        return "[models.NAME] yet: leave one of them out"
    if job.extract.tools:
        return "extract.tools: what is looked up is for one document. Leave one of them out"
    if job.extract.mode == "two_step":
        return "extract.mode = 'two_step', which reads one document at a time. Set it to 'auto'"
    if name_in(job.model.provider):
        return f"{job.model.provider}, which is reached through a client with one schema. Name another provider"
    return None


def shared_template(template: Template) -> Template | None:
    """The prompt with all documents in its one place for text; None where it says more of each row."""
    return template if template.columns == (TEXT,) else None


def item_of(plan: Plan, pack: PackPlan, row: Row, chunk: Chunk, request: Request) -> PackItem | None:
    """A row's only chunk as one of several; None: it goes alone. `request`: the question about it alone."""
    tokens = request.input_tokens - plan.fixed_tokens + pack.frame_tokens
    if (
        files_of(chunk.parts)
        or request.purpose is not Purpose.EXTRACT
        or tokens > min(pack.tokens, MOST_DOCUMENT_TOKENS)
    ):
        return None
    text = chunk.text if pack.shared is not None else render(plan.template, chunk.text, row.values)
    key = request_key(
        replace(plan, request_hash=pack.key), request.turns[request.shared_turns :], request.max_output_tokens
    )
    return PackItem(request, Member(key, request.row, request.row_id, request.chunk, tokens), text)


def takes(pack: PackPlan, inside: Sequence[PackItem], item: PackItem) -> bool:
    """Whether one more fits to those that are together already."""
    if len(inside) >= pack.rows:
        return False
    return sum(one.member.tokens for one in inside) + item.member.tokens <= pack.tokens


def pack_request(plan: Plan, pack: PackPlan, items: Sequence[PackItem]) -> Request:
    """The question about all of these, two at least, in this order."""
    said = words(pack.shared, [item.text for item in items], pack.key)
    turn, first = Turn("user", text_parts(said)), items[0].request
    cap = min(len(items) * plan.max_output_tokens, pack.output_most)
    return replace(
        first,
        key=request_key(replace(plan, request_hash=pack.key), (turn,), cap),
        turns=(*pack.examples.turns, turn),
        shared_turns=len(pack.examples.turns),
        max_output_tokens=cap,
        input_tokens=pack.fixed_tokens + sum(item.member.tokens for item in items),
        input_tokens_ceiling=pack.fixed_bytes + utf8_bytes(said),
        pack=tuple(item.member for item in items),
    )


def words(shared: Template | None, texts: Sequence[str], key: bytes) -> str:
    """The documents between lines that none of them can forge: they hold a mark that is in no document."""
    mark = _mark(texts, key)
    documents = (between(number, mark, text) for number, text in enumerate(texts, 1))
    whole = HEAD.format(count=len(texts), mark=mark) + "".join(documents)
    return whole if shared is None else render(shared, whole, {})


def between(number: int, mark: str, text: str) -> str:
    """One document, and the lines around it."""
    return f"<document {number} {mark}>\n{text}\n</document {number} {mark}>\n\n"


def _mark(texts: Sequence[str], key: bytes) -> str:
    """The same for the same documents, so that the same question has the same words."""
    digest = blake2b(digest_size=16, key=key)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    for number in count():
        mark = blake2b(number.to_bytes(8, "big"), digest_size=16, key=digest.digest()).hexdigest()[:MARK_CHARS]
        if not any(mark in text for text in texts):
            return mark
    raise AssertionError  # documents are finite


class _Entry(Struct):
    document: int
    record: msgspec.Raw


class _Answers(Struct):
    answers: list[_Entry]


_DECODE = msgspec.json.Decoder(_Answers, strict=False).decode


def apart(text: str, stop: Stop, members: int) -> tuple[str, ...] | None:
    """The JSON of each document's record, as the model wrote it, by number; None: it is not one for each.

    >>> apart('{"answers": [{"document": 2, "record": {"n": 1.50}}, {"document": 1, "record": {}}]}', Stop.DONE, 2)
    ('{}', '{"n": 1.50}')
    """
    if stop is not Stop.DONE:
        return None
    try:
        found = _DECODE(unfenced(text))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    by_number = {one.document: bytes(one.record).decode() for one in found.answers}
    if len(found.answers) != members or sorted(by_number) != list(range(1, members + 1)):
        return None
    return tuple(by_number[number] for number in range(1, members + 1))
