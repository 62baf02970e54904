"""Settings of [model] that not every provider, API or model takes: what every request would be refused for. Pure.

Facts of 2026-11, from the providers' references of their request bodies: developers.openai.com (at most four stop
words; neither stop nor seed in Responses), ai.google.dev (five stop words; `safetySettings`; `serviceTier`),
docs.cloud.google.com (`labels`; flex and priority at the global endpoint), platform.claude.com (no seed; a
service tier is `auto` or `standard_only`), docs.aws.amazon.com (no seed; `requestMetadata` in Converse).
"""

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import fields

from pipeline.catalog.apis import RESPONSES, api_of
from pipeline.catalog.instructor import KEYWORDS, LEFT_ALONE
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.sampling import Advice, stop_advice, top_p_advice
from pipeline.catalog.tiers import FLEX, SOLD
from pipeline.job.instructor import name_in
from pipeline.job.settings import Model
from pipeline.text import did_you_mean

NO_SEED = {"anthropic", "bedrock"}
MOST_STOPS: Mapping[str, int] = {"openai": 4, "azure": 4, "gemini": 5, "vertex": 5}  # at the provider itself
NO_BLANKS = re.compile(r"claude")  # "each stop sequence must contain non-whitespace"
HARM = "HARM_CATEGORY_"
THRESHOLDS = ("BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE", "OFF",
              "HARM_BLOCK_THRESHOLD_UNSPECIFIED")  # fmt: skip
GOOGLE = {"gemini", "vertex"}


def settings_advice(model: Model) -> Iterator[Advice]:
    """What is to be said of the settings of [model], in their order."""
    yield from _by_name(model)
    yield from _seed(model)
    yield from _stop(model)
    yield from _tier(model)
    yield from _safety(model)
    yield from _tenant(model)
    yield from _through_instructor(model)


def _by_name(model: Model) -> Iterator[Advice]:
    """A deployment's name is its owner's, and says nothing for sure."""
    found = [
        None if model.top_p is None else top_p_advice(model.name, model.top_p, model.temperature),
        stop_advice(model.name) if model.stop else None,
    ]
    certain = not PROVIDERS[model.provider].own_names
    yield from (Advice(advice.sure and certain, advice.told) for advice in found if advice is not None)


def _seed(model: Model) -> Iterator[Advice]:
    if model.seed is not None and (model.provider in NO_SEED or api_of(model) == RESPONSES):
        yield Advice(True, f"model.seed: {_whose(model)} has no such field. Leave the key out")


def _stop(model: Model) -> Iterator[Advice]:
    if "" in model.stop or (NO_BLANKS.search(model.name) and not all(word.strip() for word in model.stop)):
        yield Advice(True, f"model.stop names a word that is blank, which {model.name} does not take. Leave it out")
    if model.stop and api_of(model) == RESPONSES:
        yield Advice(True, f"model.stop: {_whose(model)} has no such field. Leave the key out")
    most = 0 if model.base_url and model.provider == "openai" else MOST_STOPS.get(model.provider, 0)
    if 0 < most < len(model.stop):
        yield Advice(True, f"model.stop names {len(model.stop)} words, and {model.provider} takes {most} at the most")


def _tier(model: Model) -> Iterator[Advice]:
    tier, sold = model.service_tier, SOLD.get(model.provider, ())
    if tier != "default" and tier not in sold:
        mend = f"Set it to {' or '.join(map(repr, ('default', *sold)))}, or leave the key out"
        yield Advice(True, f"model.service_tier = {tier!r}: a tier that {model.provider} does not sell. {mend}")
    if tier != "default" and model.provider == "vertex" and model.region not in {"", "global"}:
        yield Advice(False, f"Vertex sells {tier!r} at its global endpoint, and model.region is {model.region!r}")
    if model.flex_fallback and tier != FLEX:
        yield Advice(False, f"model.flex_fallback does nothing with model.service_tier = {tier!r}")


def _safety(model: Model) -> Iterator[Advice]:
    if model.safety and model.provider not in GOOGLE:
        yield Advice(True, f"model.safety is for gemini and vertex: {model.provider} has no such field. Leave it out")
        return
    for category, threshold in model.safety.items():
        if not category.startswith(HARM):
            mend = f"Write {HARM}{category.upper()}"
            yield Advice(True, f"model.safety.{category}: categories begin with {HARM}. {mend}")
        if threshold not in THRESHOLDS:
            hint = did_you_mean(threshold, THRESHOLDS)
            listed = ", ".join(THRESHOLDS)
            yield Advice(True, f"model.safety.{category} = {threshold!r} should be one of {listed}.{hint}")


def _tenant(model: Model) -> Iterator[Advice]:
    if model.send_tenant and (model.provider == "gemini" or model.api == "invoke"):
        mend = "Set it to false" + (", or ask by vertex" if model.provider == "gemini" else ", or api to 'converse'")
        yield Advice(True, f"model.send_tenant: {_whose(model)} has no field for an end user. {mend}")


def _through_instructor(model: Model) -> Iterator[Advice]:
    if not name_in(model.provider):
        return
    usual = {field.name: field.default for field in fields(Model)}
    for key in (key for key in LEFT_ALONE if getattr(model, key) != usual[key]):
        yield Advice(True, f"model.{key}: {model.provider} has no such setting. Leave the key out")
    for key in (key for key in model.extra if key in KEYWORDS):
        yield Advice(True, f"model.extra.{key} is a keyword of instructor's own: {KEYWORDS[key]}. Leave it out")


def _whose(model: Model) -> str:
    return f"{model.provider} (api = {model.api!r})" if model.api != "auto" else model.provider
