"""Look-ups by the job's own functions (`extract.tools`): which jobs can have them, and what comes of results. Pure.

A round is a request that offers them. An answer that asks for some is followed by a request that holds it and what they
found; the last round that may be leaves the model only the record.
"""

from collections.abc import Sequence

from msgspec import Struct

from pipeline.catalog.abilities import NO_TOOLS, TOOL, WORDS
from pipeline.catalog.apis import INVOKE, api_of
from pipeline.catalog.modes import ability_of
from pipeline.documents.chunks import rough_tokens
from pipeline.extraction.plan import Plan
from pipeline.extraction.requests import round_request
from pipeline.job.instructor import name_in
from pipeline.job.settings import Job
from pipeline.parts import ResultPart, SaidPart, ToolCall
from pipeline.providers.tool_calls import Asked
from pipeline.types import Request, Turn

MOST_BYTES = 20_000  # of one result
MOST_CALLS = 16  # of one round
CUT = " [cut: {:,} of {:,} bytes are left out]"
APART = frozenset({"gemini", "vertex", "bedrock"})  # functions and a form for the answer are not taken together


class Found(Struct, frozen=True):
    """What a look-up found, as JSON. `failed`: it is why there is nothing; `fault`: which is the function's own."""

    text: str
    failed: bool = False
    fault: bool = False


def lookups_problem(job: Job) -> str | None:
    """Why extract.tools cannot be had in this job, and what to write instead; None: it can, or wants none."""
    if not job.extract.tools:
        return None
    model, mode = job.model, job.extract.mode
    if name_in(model.provider):
        return f"extract.tools: {model.provider} is reached through a client that takes none. Name another provider"
    if model.lane != "live":
        return (
            f"extract.tools: each round would wait for a batch of its own. Set model.lane = 'live', not {model.lane!r}"
        )
    if mode == "two_step":
        return "extract.tools: extract.mode = 'two_step' reads before anything is looked up. Set it to 'auto'"
    if api_of(model) == INVOKE:
        return "extract.tools: model.api = 'invoke' speaks each maker's own form. Set it to 'converse'"
    if (ability_of(model.provider, model.name, model.api).lacks or {}).get(TOOL) == NO_TOOLS:
        return f"extract.tools: {model.name} {NO_TOOLS}. Name another model"
    if model.provider in APART and mode not in {"auto", TOOL} and not (mode == WORDS and model.provider == "bedrock"):
        return f"extract.tools: {model.provider} takes no functions beside extract.mode = {mode!r}. Set it to 'auto'"
    return None


def mode_asked(job: Job) -> str:
    """extract.mode, where look-ups leave a choice: as one more function, where no form stands beside functions."""
    model, asked = job.model, job.extract.mode
    if not job.extract.tools or asked != "auto" or model.provider not in APART:
        return asked
    modes = ability_of(model.provider, model.name, model.api).modes
    return TOOL if TOOL in modes or model.provider != "bedrock" else WORDS


def rounds_in(request: Request) -> int:
    """How often something was looked up for it."""
    return sum(isinstance(part, SaidPart) for turn in request.turns for part in turn.parts)


def next_request(plan: Plan, request: Request, asked: Asked, found: Sequence[tuple[ToolCall, Found]]) -> Request:
    """The question again, with what was asked for and what was found."""
    results = tuple(ResultPart(call.id, call.name, one.text, one.failed) for call, one in found)
    turns = (*request.turns, Turn("assistant", (SaidPart(asked.own),)), Turn("user", results))
    added = rough_tokens(asked.own) + sum(rough_tokens(one.text) for one in results)
    closed = rounds_in(request) + 1 >= plan.rounds
    return round_request(plan, request, turns, added, closed=closed)


def within(json: bytes) -> str:
    """A result as it goes to the model: cut to size, with a note."""
    if len(json) <= MOST_BYTES:
        return json.decode("utf-8", "replace")
    kept = json[:MOST_BYTES].decode("utf-8", "ignore")
    return kept + CUT.format(len(json) - MOST_BYTES, len(json))
