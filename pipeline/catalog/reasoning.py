"""`model.reasoning` in the words of the model that a job names: what is sent, what is refused, what to expect. Pure.

What a model thinks counts inside its cap on output with every provider here, and is billed as output: the worst case of
a call is its cap. Only Nova 2 at its highest effort takes no cap: then the job's has to be the most that it may write.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.catalog.names import bare_model, longest_prefix
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.reasoning_levels import GPT_NEWEST, HIGH, MANY, NONE, O_SERIES, OFF, Takes
from pipeline.catalog.sampling import DEFAULT as USUAL_TEMPERATURE
from pipeline.catalog.sampling import Advice
from pipeline.job.settings import Model

DEFAULT = "default"
NEWER = ((re.compile(r"gpt-(?:[5-9]|[1-9]\d)(?!\d)"), GPT_NEWEST), (re.compile(r"o[5-9](?![\w.])"), O_SERIES))
# openrouter.ai/docs, "Reasoning tokens": what of the cap goes to thinking, where a model counts it in tokens.
SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8}
# Of one answer where nothing is said, and times that at a level. Assumed, 2026-11: no provider publishes figures.
USUAL_TOKENS = 300.0
TIMES_USUAL = {DEFAULT: 1.0, "none": 0.0, "minimal": 0.2, "low": 0.5, "medium": 1.0, "high": 2.5}
NOVA_MOST_TOKENS = 128_000  # of an answer at the highest effort, which takes no cap, temperature or top_p
LEAST_TOP_P = 0.95  # beside thinking
# "Function tools with reasoning_effort are not supported for … in /v1/chat/completions", from gpt-5.4 on; what is offered
# by the Responses API alone is not meant.
NO_TOOLS_WITH_EFFORT = re.compile(r"gpt-(?:5\.[4-9]|[6-9]|[1-9]\d)(?!\d)(?!.*-(?:pro|codex|cyber|rosalind))")


def known_takes(model: Model) -> Takes | None:
    """What is known of what the job's model can be told."""
    table, name = PROVIDERS[model.provider].reasoning, bare_model(model.name).removeprefix("ft:")
    newer = (takes for names, takes in NEWER if "gpt-6" in table and names.match(name))
    return longest_prefix(table, name) or next(newer, None)


def takes_of(model: Model) -> Takes:
    """The same, with a guess for a model that is not known."""
    return known_takes(model) or PROVIDERS[model.provider].reasoning_of_unknown


def effort_of(model: Model) -> str | int | None:
    """The model's own word for how much it is to reason, or a number of tokens; None: nothing is sent."""
    asked, takes = model.reasoning, takes_of(model)
    named_freely = PROVIDERS[model.provider].own_names
    if asked == DEFAULT or not (takes.dialect or named_freely):
        return None
    if isinstance(asked, int) or takes.dialect == "openai" or named_freely:
        return asked
    if asked == NONE:
        return 0 if takes.dialect == "google" else takes.off or None
    if takes.tokens is None or not takes.counts:
        return asked
    least, most = takes.tokens
    return max(least, min(most, int(SHARES[asked] * model.max_output_tokens)))


def members_of(model: Model) -> dict[str, Any]:
    """What a body says of reasoning, as members of it (of generationConfig for Google); empty: nothing."""
    effort, dialect = effort_of(model), takes_of(model).dialect
    if effort is None:
        return {}
    if PROVIDERS[model.provider].openai_frame or dialect == "openai":
        return {"reasoning_effort": model.reasoning} if isinstance(model.reasoning, str) else {}
    if dialect == "google":
        word = {"thinkingBudget": effort} if isinstance(effort, int) else {"thinkingLevel": effort.upper()}
        return {"thinkingConfig": word}
    if dialect == "nova":
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}
    if isinstance(effort, int):
        return {"thinking": {"type": "enabled", "budget_tokens": effort}}
    if effort in OFF:
        return {"thinking": {"type": effort}}
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}


def reasoned(body: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """A body, or a part of one, with what it says of reasoning; what both have under one name is put together."""
    whole = dict(body)
    for name, value in members_of(model).items():
        there = whole.get(name)
        whole[name] = {**there, **value} if isinstance(there, Mapping) else value
    return whole


def thinks(model: Model) -> bool:
    """Whether the job makes a Claude think: no tool can be forced then."""
    return model.reasoning not in (DEFAULT, NONE) and takes_of(model).dialect == "claude"


def uncapped(model: Model) -> bool:
    """Whether the model takes no cap on its output at this level."""
    return model.reasoning == HIGH and takes_of(model).dialect == "nova"


def expected_tokens(model: Model) -> float:
    """Tokens of reasoning in one answer, before any was seen."""
    if isinstance(model.reasoning, int):
        return float(model.reasoning)
    takes = takes_of(model)
    reasons = takes.unasked if model.reasoning == DEFAULT else not takes.never
    return USUAL_TOKENS * TIMES_USUAL[model.reasoning] if reasons else 0.0


def expected_by(model: Model) -> str:
    """Where that is from; "" where nothing is said of it."""
    asked = model.reasoning
    if asked == DEFAULT:
        return ""
    if isinstance(asked, int):
        return f"model.reasoning = {asked}"
    return f"{asked!r} is assumed to be {TIMES_USUAL[asked]:g} times the usual {USUAL_TOKENS:,.0f}"


def said_of(model: Model) -> str:
    """What `check` says of it: `low, as reasoning_effort = low`."""
    said = ", ".join(f"{name} = {value}" for name, value in _flat(members_of(model)))
    return f"{model.reasoning}, as {said}" if said else f"{model.reasoning}: nothing has to be sent for it"


def reasoning_advice(model: Model, mode: str, *, summaries: bool = False) -> Advice | None:
    """What is to be said against model.reasoning; None: nothing is known.

    `mode` as the answer's shape has it. `summaries`: whether short summaries are asked for too.
    """
    if model.reasoning == DEFAULT:
        return None
    takes = takes_of(model)
    if told := _untold(model, takes) or _beside(model, mode, takes, summaries):
        sure = not PROVIDERS[model.provider].own_names or isinstance(model.reasoning, int)  # nobody there takes a number
        return Advice(sure, f"model.reasoning = {model.reasoning!r}: {told}")
    if takes.dialect == "google" and isinstance(model.reasoning, int) and model.reasoning >= model.max_output_tokens:
        return Advice(False, f"model.reasoning = {model.reasoning}: {_no_room(model, model.reasoning)}")
    return None


def _untold(model: Model, takes: Takes) -> str:
    """Why the model cannot be told this; "" where it can."""
    name, asked = model.name, model.reasoning
    if takes.never:
        return "" if asked == NONE else f"{name} does not reason. Leave the key out, or name a model that does"
    if not takes.dialect:
        way_out = "Leave the key out, or say it in the model's own words in model.extra"
        return f"how much {name} reasons cannot be set by it. {way_out}"
    if isinstance(asked, int):
        least, most = takes.tokens or (0, 0)
        return "" if least <= asked <= most else f"{name} takes {_choices(takes)}"
    if asked in takes.levels:
        return ""
    cannot = f"{name} cannot be kept from reasoning: it" if asked == NONE else name
    return f"{cannot} takes {_choices(takes)}"


def _beside(model: Model, mode: str, takes: Takes, summaries: bool) -> str:  # noqa: FBT001 (a fact, not a switch)
    """What in the job does not go together with it; "" for nothing."""
    budget = effort_of(model)
    if uncapped(model):
        return _uncapped_problem(model)
    if takes.dialect == "claude" and thinks(model):
        if isinstance(budget, int) and budget >= model.max_output_tokens:
            return _no_room(model, budget)
        if isinstance(budget, int) and summaries:
            return "the summaries of chunks.context = 'rolling' are too short to think in. Set it to 'none'"
        return _sampling_problem(model)
    chats = model.provider in {"openai", "azure"} and not model.base_url and model.api != "responses"
    if mode == "tool" and chats and model.reasoning != NONE and NO_TOOLS_WITH_EFFORT.match(bare_model(model.name)):
        way_out = "Set extract.mode = 'json_schema', model.api = 'responses', or model.reasoning = 'none'"
        return f"{model.name} takes it beside a tool only through the Responses API. {way_out}"
    return ""


def _no_room(model: Model, budget: int) -> str:
    cap = model.max_output_tokens
    return (
        f"{budget:,} tokens of reasoning count inside model.max_output_tokens = {cap:,}, and leave nothing for the "
        f"answer. Raise that well above {budget:,}"
    )


def _uncapped_problem(model: Model) -> str:
    if model.max_output_tokens < NOVA_MOST_TOKENS:
        return (
            f"{model.name} takes no cap on its output then, and may write {NOVA_MOST_TOKENS:,} tokens. Set "
            f"model.max_output_tokens = {NOVA_MOST_TOKENS} to agree to that, or model.reasoning = 'medium'"
        )
    named = next((name for name in ("temperature", "top_p") if getattr(model, name) is not None), "")
    return f"{model.name} takes no model.{named} then. Leave one of them out" if named else ""


def _sampling_problem(model: Model) -> str:
    if model.temperature not in (None, USUAL_TEMPERATURE):
        return f"{model.name} takes no model.temperature but 1 while it thinks. Leave one of them out"
    if model.top_p is not None and model.top_p < LEAST_TOP_P:
        return f"{model.name} takes no model.top_p below {LEAST_TOP_P} while it thinks. Leave one of them out"
    return ""


def _choices(takes: Takes) -> str:
    *first, last = map(repr, takes.levels)
    words = f"{', '.join(first)} or {last}" if first else last
    if takes.tokens is None:
        return f"{words}, and no number of tokens"
    least, most = takes.tokens
    return f"{words}, or a number of tokens from {least:,}{'' if most == MANY else f' to {most:,}'}"


def _flat(members: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in members.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, value
