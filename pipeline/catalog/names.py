"""Names of models: which of them are the same model, and which a table means. Pure."""

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")
REGION = re.compile(r"^(?:us-gov|global|regional|apac|us|eu|ap|ca|sa|au|jp|me|af|in)\.(?=[a-z0-9]+\.)")
MAKER = re.compile(r"^[a-z][a-z0-9]*\.(?=[a-z])")  # Bedrock's `anthropic.`, `amazon.`, `meta.` …
ENDS_NAME = frozenset(":-@")  # what may follow a prefix: gpt-5 is gpt-5-mini's, and not gpt-5.4's
CLAUDE_VERSION = re.compile(r"(?<=\d)\.(?=\d)")  # gateways write claude-sonnet-4.5
NAMING_ARN = re.compile(r"^arn:[^/]*:(?:foundation-model|inference-profile)/")
PATH = re.compile(r"^(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/)?models/(?=[^/]+$)")
IDS = re.compile(r"^(?:arn:|projects/|endpoints/|tunedmodels/|[./~])", re.IGNORECASE)  # of an account, or a file's path
DATE = re.compile(r"[-@]20\d\d-?[01]\d-?[0-3]\d$")
DEFAULT_VERSION = re.compile(r"@(?:default|latest)$")  # of Vertex


def bare_model(model: str) -> str:
    """The name without what says where it runs: path or ARN, region and maker (`us.anthropic.`). `ft:` stays."""
    name = model.strip().lower().rpartition("/")[2]
    return MAKER.sub("", REGION.sub("", name))


def undated(model: str) -> str:
    """The name without the date of its version: `gpt-4o-mini-2024-07-18` has the limits of `gpt-4o-mini`."""
    return DATE.sub("", model.strip())


def family_name(model: str) -> str:
    """The bare name as tables of families have it: without `ft:`, and a Claude's version with dashes."""
    name = bare_model(model).removeprefix("ft:")
    return CLAUDE_VERSION.sub("-", name) if name.startswith("claude") else name


def listed_name(model: str) -> str:
    """The name as a price list has it: without path or ARN, with region and maker, for these have prices of their own.

    "" where it is an id that the user's account gave, and names no model: of an application's inference profile,
    provisioned throughput, a custom or tuned model, an endpoint, a folder of weights.
    """
    name = DEFAULT_VERSION.sub("", PATH.sub("", NAMING_ARN.sub("", model.strip().rstrip("/"))))
    return "" if IDS.match(name) else name


def longest_prefix(table: Mapping[str, T], name: str) -> T | None:
    """The value of the longest key that is `name` or stands before a `-`, `:` or `@` in it."""
    for end in range(len(name), 0, -1):
        if (end == len(name) or name[end] in ENDS_NAME) and name[:end] in table:
            return table[name[:end]]
    return None
