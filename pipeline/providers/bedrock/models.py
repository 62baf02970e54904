"""What is known of Bedrock's models by their names: the maker, and how they take tools. Pure.

Facts as of 2026-11, from AWS's pages on structured outputs and tool choice, recorded answers and reports of refusals:
Bedrock keeps its own copy of what Claude takes. Versions 4.5 and 4.6 have structured outputs; later ones refuse them,
and strict tools with them ("Extra inputs are not permitted"); from 5.5 on no tool can be forced. A name that is in no
list counts as its maker's newest.
"""

import re

from pipeline.catalog.names import REGION, bare_model
from pipeline.catalog.reasoning import thinks
from pipeline.job.settings import Model

CLAUDE_WITH_SCHEMA = re.compile(r"claude-(?:opus|sonnet|haiku)-4-[56](?!\d)")
CLAUDE_FORCED = re.compile(
    r"claude-(?:instant|v?[1-4](?!\d)|\w+-4(?!\d)|(?:opus|sonnet|haiku|fable|mythos)-5(?!-\d(?!\d)))"
)
CLAUDE_3 = re.compile(r"claude-(?:instant|v?[123](?!\d))")
OLD_MISTRAL = re.compile(r"mistral-7b|mixtral|mistral-(?:large|small)-24|pixtral")
NO_SCHEMA = re.compile(r"nova|titan|llama|command|jamba|palmyra|r1(?:-|$)")
ANY_TOOL = re.compile(r"mistral|mixtral|ministral|pixtral|v3(?:-|$)|command")  # "any" forces the only tool there is
OWN = ("application-inference-profile", "provisioned-model", "imported-model", "custom-model", "prompt-router")


def maker(name: str) -> str:
    """`anthropic` of us.anthropic.claude-…, also in an ARN; "" where the name tells none (a profile of one's own)."""
    if any(f":{kind}" in name for kind in OWN):
        return ""
    found = REGION.sub("", name.strip().lower().rpartition("/")[2])
    first, dot, _ = found.partition(".")
    return first if dot else ""


def is_claude(name: str) -> bool:
    return maker(name) == "anthropic"


def takes_strict_tools(name: str) -> bool:
    """Whether Bedrock holds a model to a tool's schema; it does so by the same means as for an output format."""
    bare = bare_model(name)
    if is_claude(name):
        return CLAUDE_WITH_SCHEMA.match(bare) is not None
    return bool(maker(name)) and not (NO_SCHEMA.match(bare) or OLD_MISTRAL.match(bare))


def forced_choice(name: str) -> str:
    """How a model is made to call its one tool: `tool`, by its name; `any`; or `auto`, where it is only told to."""
    bare = bare_model(name)
    if is_claude(name) and not CLAUDE_FORCED.match(bare):
        return "auto"
    return "any" if ANY_TOOL.match(bare) else "tool"


def choice_for(model: Model) -> str:
    """The same for a job's model: one that thinks can only be told to."""
    return "auto" if thinks(model) else forced_choice(model.name)


def takes_one_call_only(name: str) -> bool:
    """Whether parallel calls can be switched off."""
    return CLAUDE_3.match(bare_model(name)) is None


def bare_id(name: str) -> str:
    """The foundation model's own id, without region prefix and ARN: what counting endpoints want."""
    return REGION.sub("", name.strip().rpartition("/")[2])
