"""Names of models: which of them are the same model, and which a table means. Pure."""

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")
REGION = re.compile(r"^(?:us-gov|global|regional|apac|us|eu|ap|ca|sa|au|jp|me|af)\.(?=[a-z0-9]+\.)")
MAKER = re.compile(r"^[a-z][a-z0-9]*\.(?=[a-z])")  # Bedrock's `anthropic.`, `amazon.`, `meta.` …
ENDS_NAME = frozenset(":-@")  # what may follow a prefix: gpt-5 is gpt-5-mini's, and not gpt-5.4's


def bare_model(model: str) -> str:
    """The name without what says where it runs: path or ARN, region and maker (`us.anthropic.`). `ft:` stays."""
    name = model.strip().lower().rpartition("/")[2]
    return MAKER.sub("", REGION.sub("", name))


def longest_prefix(table: Mapping[str, T], name: str) -> T | None:
    """The value of the longest key that is `name` or stands before a `-`, `:` or `@` in it."""
    for end in range(len(name), 0, -1):
        if (end == len(name) or name[end] in ENDS_NAME) and name[:end] in table:
            return table[name[:end]]
    return None
