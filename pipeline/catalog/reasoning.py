"""`model.reasoning` in the words of the model that a job names: what is sent, what is refused, what to expect. Pure.

What a model thinks counts inside its cap on output with every provider here, and is billed as output: the worst case of
a call is its cap. Only Nova 2 at its highest effort takes no cap, and is refused below the most that it may write.
"""

import re
from typing import Any

from pipeline.catalog.names import bare_model, longest_prefix
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.reasoning_levels import GPT_NEWEST, NONE, O_SERIES, OFF, Takes
from pipeline.job.settings import Model

DEFAULT = "default"
NEWER = ((re.compile(r"gpt-(?:[5-9]|[1-9]\d)(?!\d)"), GPT_NEWEST), (re.compile(r"o[5-9](?![\w.])"), O_SERIES))
# openrouter.ai/docs, "Reasoning tokens": what of the cap goes to thinking, where a model counts it in tokens.
SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8}


def takes_of(model: Model) -> Takes:
    """What the job's model can be told."""
    entry, name = PROVIDERS[model.provider], bare_model(model.name).removeprefix("ft:")
    found = longest_prefix(entry.reasoning, name)
    if found is None and entry.openai_frame:
        found = next((takes for names, takes in NEWER if names.match(name)), None)
    return found or entry.reasoning_of_unknown


def effort_of(model: Model) -> str | int | None:
    """The model's own word for how much it is to reason, or a number of tokens; None: nothing is sent."""
    asked, takes = model.reasoning, takes_of(model)
    if asked == DEFAULT or not takes.dialect:
        return None
    if isinstance(asked, int) or takes.dialect == "openai":
        return asked
    if asked == NONE:
        return 0 if takes.dialect == "google" else takes.off or None
    return _counted(asked, takes, model.max_output_tokens) if takes.counts else asked


def members_of(model: Model) -> dict[str, Any]:
    """What a body says of reasoning, as members of it (of generationConfig for Google); empty: nothing."""
    effort, dialect = effort_of(model), takes_of(model).dialect
    if effort is None:
        return {}
    if PROVIDERS[model.provider].openai_frame or dialect == "openai":
        return {"reasoning_effort": model.reasoning}
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


def _counted(level: str, takes: Takes, cap: int) -> int:
    least, most = takes.tokens or (0, cap)
    return max(least, min(most, int(SHARES[level] * cap)))
