"""What Claude models differ in on this wire, by name. Pure.

Names of tomorrow count as the newest family: what that refuses is not sent, or is known to be refused.
"""

import re

NO_FORCING = re.compile(r"claude-(?:(?:opus|sonnet|haiku)-(?:5-[5-9]|[6-9]|[1-9]\d)(?!\d)|fable|mythos)")


def refuses_forcing(model: str) -> bool:
    """Whether a `tool_choice` that leaves the model no choice is a 400."""
    return NO_FORCING.search(model.lower()) is not None
