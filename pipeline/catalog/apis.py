"""Which of a provider's APIs a job speaks, where it has several, and what that one does not take. Pure.

Names as of 2026-11-30: what the types of OpenAI's SDK 3.57 list for Responses alone, and the pro, codex, computer-use
and deep-research models of any version, to which chat completions answer 404, "This model is only supported in
v1/responses". The search, audio and first small reasoning models are the other way round, by their pages at
developers.openai.com/api/docs/models. That Responses take a cap of 16 at the least is what they answer to a lower one.
"""

import re
from urllib.parse import urlsplit

from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.sampling import Advice
from pipeline.job.settings import Model

AUTO, CHAT, RESPONSES, CONVERSE, INVOKE = "auto", "chat", "responses", "converse", "invoke"
RESPONSES_ALONE = re.compile(
    r"(?:o\d+-pro|gpt-\d+(?:\.\d+)?-(?:pro|codex|cyber|rosalind)|codex|computer-use|o\d+(?:-mini)?-deep-research"
    r"|gpt-daybreak-(?:blue|red)|gpt-rosalind|gpt-6\.2-astra-law)(?![a-z0-9.])"
)
CHAT_ALONE = re.compile(
    r"(?:gpt-[\w.-]+-search-(?:preview|api)|gpt-audio|gpt-4o(?:-mini)?-audio-preview|o1-mini)(?![a-z0-9.])"
)
CHAT_PARAMETERS = ("seed", "stop")  # keys of [model] that Responses have no parameter for
LEAST_OUTPUT_TOKENS = 16
OWN_HOST = "openai.com"
NAMES = {CHAT: "chat completions", RESPONSES: "the Responses API"}


def apis_of(provider: str) -> tuple[str, ...]:
    """What `model.api` may be beside `auto`, the usual one first; nothing where a provider has one API only."""
    entry = PROVIDERS[provider]
    if entry.invoke_wire:
        return (CONVERSE, INVOKE)
    return (CHAT, RESPONSES) if entry.responses_wire else ()


def api_of(model: Model) -> str:
    """What a job speaks: what it asks for, else what the model has; "" where its provider has one API only."""
    apis = apis_of(model.provider)
    if model.api in apis or not apis:
        return model.api if apis else ""
    only = only_api(model.name)
    return only if only in apis else apis[0]


def only_api(name: str) -> str:
    """The one API that has a model of OpenAI's; "" where both have it, or nothing is known.

    A name with a path (openai/o3-pro) is a gateway's, which has APIs of its own.
    """
    bare = name.strip().lower().removeprefix("ft:")
    if RESPONSES_ALONE.match(bare):
        return RESPONSES
    return CHAT if CHAT_ALONE.match(bare) else ""


def api_advice(model: Model) -> Advice | None:
    """What is to be said of [model] with this API; None: nothing is known against it."""
    return _of_another(model) or _without_the_model(model) or _not_taken(model)


def _of_another(model: Model) -> Advice | None:
    """A word that its provider does not know. The sandbox rehearses the jobs of all."""
    apis = apis_of(model.provider)
    if model.api in {AUTO, *apis} or model.provider == "sandbox":
        return None
    if not apis:
        mend = f"{model.provider} has one API only. Leave the key out"
    else:
        mend = f"{model.provider} has {' and '.join(map(repr, apis))}. Write one of them, or leave the key out"
    return Advice(True, f"model.api = {model.api!r}: {mend}")


def _without_the_model(model: Model) -> Advice | None:
    """Sure at OpenAI's own host: a gateway may bring one API to the other, a deployment's name may mean anything."""
    only = only_api(model.name)
    if not only or model.api not in NAMES or model.api == only:
        return None
    sure = not PROVIDERS[model.provider].own_names and _at_openai(model.base_url)
    every = "Every request would be a 404. " if sure else ""
    told = f"model.api = {model.api!r}: OpenAI has {model.name} in {NAMES[only]} only. {every}"
    return Advice(sure, f"{told}Write api = {only!r}, or leave the key out")


def _not_taken(model: Model) -> Advice | None:
    if api_of(model) != RESPONSES:
        return None
    other = "" if only_api(model.name) else ", or set model.api = 'chat'"
    for key in CHAT_PARAMETERS:
        if getattr(model, key) not in (None, ()):
            return Advice(True, f"model.{key}: the Responses API has no such parameter. Leave the key out{other}")
    if model.max_output_tokens < LEAST_OUTPUT_TOKENS:
        asked = f"model.max_output_tokens = {model.max_output_tokens}"
        return Advice(True, f"{asked}: the Responses API takes {LEAST_OUTPUT_TOKENS} at the least. Raise it{other}")
    return None


def _at_openai(base_url: str) -> bool:
    try:
        host = urlsplit(base_url).hostname or ""
    except ValueError:
        return False
    return not base_url or f".{host}".endswith(f".{OWN_HOST}")
