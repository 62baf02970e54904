"""Which models take a temperature, top_p and stop words, by name. Data of 2026-11; what providers answered is told.

OpenAI's reasoning models refuse every value but 1 ("Only the default (1) value is supported"); of gpt-5.1 to 5.4 they
take others only while they do not reason. The same models refuse top_p ("Unsupported parameter: 'top_p' is not
supported with this model"); o-series and gpt-5 refuse stop in the same words, and of later ones reports differ. Claude
4.1, 4.5 and 4.6 take a temperature or top_p: "cannot both be specified for this model". Names of tomorrow count as the
newest family.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from pipeline.catalog.names import family_name, longest_prefix

DEFAULT = 1.0
NO_SAMPLING = re.compile(r"claude-(?:opus-4-[7-9]|(?:opus|sonnet|haiku)-(?:[5-9]|[1-9]\d)(?!\d)|fable|mythos)")
ONE_OF_BOTH = re.compile(r"claude-(?:opus-4-1|(?:opus|sonnet|haiku)-4-[56])(?!\d)")
NO_STOP = re.compile(r"o[134](?![\w.])|codex-mini|computer-use|gpt-5(?:-(?:mini|nano|pro|codex))?(?![\w.]|-chat)")
NEWER_GPT = re.compile(r"gpt-(?:[7-9]|[1-9]\d)(?!\d)|o[5-9](?![\w.])")
ANY, ONLY_DEFAULT, UNREASONED, NONE = "any", "only 1", "any while it does not reason", "none"


def _family(taken: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), taken)


TAKEN: Mapping[str, str] = {
    **_family(ONLY_DEFAULT, "o1 o3 o4-mini codex-mini computer-use gpt-5 gpt-5.5 gpt-5.6 gpt-6 gpt-6.1"),
    **_family(
        ONLY_DEFAULT, "gpt-5-codex gpt-5.1-codex gpt-5.2-codex gpt-5.3-codex gpt-5.2-pro gpt-5.4-pro gpt-5.5-pro"
    ),
    **_family(UNREASONED, "gpt-5.1 gpt-5.2 gpt-5.3 gpt-5.4"),
    **_family(ANY, "gpt-5-chat gpt-5.1-chat gpt-5.2-chat gpt-5.3-chat"),
    **_family(NONE, "gpt-4o-search-preview gpt-4o-mini-search-preview gpt-5-search-api"),
}


class Advice(Struct, frozen=True):
    """`sure`: every request would be a 400."""

    sure: bool
    told: str


def refuses_temperature(model: str) -> bool:
    """Whether a Claude refuses a request with any temperature, whatever the API version."""
    return NO_SAMPLING.search(family_name(model)) is not None


def temperature_advice(model: str, temperature: float) -> Advice | None:
    """What is to be said of [model] with this temperature; None: nothing is known against it."""
    name, taken = _known(model)
    if refuses_temperature(model) or taken == NONE:
        return Advice(True, f"{model} refuses model.temperature: every request would be a 400. Leave the key out")
    if name.startswith("claude") and temperature > DEFAULT:
        return Advice(True, f"{model} takes a model.temperature of 0 to 1: every request would be a 400")
    if temperature == DEFAULT or taken == ANY:
        return None
    if taken == ONLY_DEFAULT:
        told = f"{model} takes no model.temperature but 1: every request would be a 400. Leave the key out"
        return Advice(True, told)
    return Advice(
        False, f"{model} takes a model.temperature only while it does not reason. Leave the key out if unsure"
    )


def top_p_advice(model: str, top_p: float, temperature: float | None = None) -> Advice | None:
    """The same of model.top_p, beside that temperature."""
    name, taken = _known(model)
    told = f"{model} refuses model.top_p: every request would be a 400. Leave the key out"
    if refuses_temperature(model) or taken == NONE or (taken == ONLY_DEFAULT and top_p != DEFAULT):
        return Advice(True, told)
    if temperature is not None and ONE_OF_BOTH.search(name):
        both = f"{model} takes one of model.temperature and model.top_p: every request would be a 400"
        return Advice(True, f"{both}. Leave one of them out")
    if taken in {ONLY_DEFAULT, UNREASONED}:
        return Advice(False, f"{model} may refuse model.top_p while it reasons. Leave the key out if unsure")
    return None


def stop_advice(model: str) -> Advice | None:
    """The same of model.stop."""
    name, taken = _known(model)
    if NO_STOP.match(name) and taken != ANY:
        return Advice(True, f"{model} refuses model.stop: every request would be a 400. Leave the key out")
    if taken in {ONLY_DEFAULT, UNREASONED}:
        return Advice(False, f"{model} may refuse model.stop while it reasons. Leave the key out if unsure")
    return None


def _known(model: str) -> tuple[str, str]:
    """The bare name, and what of a temperature is taken."""
    name = family_name(model)
    return name, longest_prefix(TAKEN, name) or (ONLY_DEFAULT if NEWER_GPT.match(name) else ANY)
