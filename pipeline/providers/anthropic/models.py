"""What Claude models differ in on this wire, by name. Pure.

Names of tomorrow count as the newest family: what that refuses is not sent, or is known to be refused.
"""

import re

from pipeline.catalog.reasoning import thinks
from pipeline.job.settings import Model

NO_FORCING = re.compile(r"claude-(?:(?:opus|sonnet|haiku)-(?:5-[5-9]|[6-9]|[1-9]\d)(?!\d)|fable|mythos)")


def refuses_forcing(model: str) -> bool:
    """Whether a `tool_choice` that leaves the model no choice is a 400."""
    return NO_FORCING.search(model.lower()) is not None


def chooses(model: Model) -> bool:
    """Whether a job's model can only be told to call its tool: the newest, and all that think."""
    return thinks(model) or refuses_forcing(model.name)
