"""Whether a model's name means one version for ever, or whatever its maker puts behind it. Pure.

As of 2026-11, from the makers' pages on versions: OpenAI's dated names are snapshots, the others move; Claude's have a
date, from 4.6 on the name alone is the version; Gemini's up to 2.0 have a number, later stable names do not move; on
Bedrock every name is a version. A deployment of Azure is what its owner set it to, which the name does not say.
"""

import re

from msgspec import Struct

from pipeline.catalog.names import bare_model

LATEST = re.compile(r"(?:^|[-:@/])latest$|^openrouter/auto$", re.IGNORECASE)
OPENAI = re.compile(r"^(?:gpt-(?!oss)|chatgpt|o\d)")
OPENAI_DATED = re.compile(r"-(?:20\d\d-\d\d-\d\d|\d{4})(?:$|-)")
CLAUDE = re.compile(r"^claude-")
CLAUDE_PINNED = re.compile(r"[-@]20\d{6}(?:$|-)|^claude-[a-z]+-(?:4-(?:[6-9]|\d\d)|[5-9])(?!\d)")
OLD_GEMINI = re.compile(r"^gemini-(?:1|2\.0|pro)")
GEMINI_NUMBERED = re.compile(r"-\d{3}$|-\d\d-\d{2,4}$")


class Pin(Struct, frozen=True):
    """`sure` False: the name does not say. `instead`: what a pinned name looks like, for one that moves."""

    pinned: bool
    sure: bool = True
    instead: str = ""


def pin_of(provider: str, model: str) -> Pin:
    """Whether `model` stays what it is."""
    bare = bare_model(model)
    if LATEST.search(model.strip()):
        return Pin(pinned=False, instead="the name of one version")
    if provider == "azure":
        return Pin(pinned=True, sure=False)
    if provider == "bedrock" or bare.startswith("ft:"):
        return Pin(pinned=True)
    if OPENAI.match(bare):
        return Pin(bool(OPENAI_DATED.search(bare)), instead=f"a dated one, {bare}-YYYY-MM-DD")
    if CLAUDE.match(bare):
        return Pin(bool(CLAUDE_PINNED.search(bare)), instead=f"a dated one, {bare}-YYYYMMDD")
    if OLD_GEMINI.match(bare):
        return Pin(bool(GEMINI_NUMBERED.search(bare)), instead=f"a numbered one, {bare}-001")
    return Pin(pinned=True)
