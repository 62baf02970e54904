"""The listing endpoints of all the providers that the sandbox plays: what `check --online` asks. Pure.

Whatever name a call may have is listed, as the sandbox answers for all of them; `missing-model` is not there. A GET is
in no counter: nothing is asked of a model by it.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from pipeline.catalog.names import REGION, bare_model
from pipeline.catalog.windows import LIMITS, limits_of
from pipeline.sandbox.exchange import Received
from pipeline.sandbox.wires.anthropic.errors import refusal as anthropic_refusal
from pipeline.sandbox.wires.bedrock.errors import refusal as bedrock_refusal
from pipeline.sandbox.wires.gemini.errors import refusal as gemini_refusal
from pipeline.sandbox.wires.openai.azure_errors import no_deployment
from pipeline.sandbox.wires.openai.errors import refusal as openai_refusal
from pipeline.sandbox.wires.table import WIRES

MISSING = "missing-model"
Listed = Mapping[str, Any]
NAMED = {wire.name: wire for wire in WIRES}
OPENAI, CLAUDE, GEMINI = ("gpt-", "o1", "o3", "o4"), ("claude-",), ("gemini-", "gemma-")
AWS_REGIONS = ("us-east-1", "us-west-2")


def listed(name: str, received: Received) -> bytes:
    """The answer to a GET of a listing; `name` is the pattern's in PATHS.

    Raises:
        Refused: as the provider would.
    """
    dialect, tell = PATHS[name]
    if dialect == "openai" and "anthropic-version" in received.headers:
        dialect, tell = "anthropic", _anthropic
    NAMED[dialect].authorise(received)
    return orjson.dumps(tell(_last(received, whole=name.count("{") == 0)))


def _last(received: Received, *, whole: bool) -> str:
    """The name that is asked for; "" where all are."""
    return "" if whole else unquote(received.path.rpartition("/")[2])


def _all(starts: tuple[str, ...]) -> list[str]:
    return [name for name in LIMITS if name.startswith(starts)]


def _openai(name: str) -> Listed:
    if name == MISSING:
        raise openai_refusal(404, f"The model '{name}' does not exist", "model", "model_not_found")
    if not name:
        return {"object": "list", "data": [_openai(one) for one in _all(OPENAI)]}
    return {"id": name, "object": "model", "created": 0, "owned_by": "sandbox"}


def _anthropic(name: str) -> Listed:
    if name == MISSING:
        raise anthropic_refusal(404, f"model: {name}", "not_found_error")
    if not name:
        return {"data": [_anthropic(one) for one in _all(CLAUDE)], "has_more": False}
    limits = limits_of(name)
    told = {"max_input_tokens": limits.max_input_tokens, "max_tokens": limits.max_output_tokens} if limits.known else {}
    return {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z", **told}


def _azure(name: str) -> Listed:
    if name == MISSING:
        raise no_deployment()
    if not name:
        return {"object": "list", "data": [_azure(one) for one in _all(OPENAI)]}
    return {"object": "deployment", "id": name, "model": name, "status": "succeeded", "owner": "sandbox"}


def _gemini(name: str) -> Listed:
    if name == MISSING:
        raise gemini_refusal(404, f"models/{name} is not found for API version v1beta.")
    if not name:
        return {"models": [_gemini(one) for one in _all(GEMINI)]}
    limits = limits_of(name)
    known = {"inputTokenLimit": limits.max_input_tokens, "outputTokenLimit": limits.max_output_tokens}
    methods = ["generateContent", "countTokens"]
    return {"name": f"models/{name}", "supportedGenerationMethods": methods, **(known if limits.known else {})}


def _vertex(name: str) -> Listed:
    if name == MISSING:
        raise gemini_refusal(404, f"Publisher Model publishers/google/models/{name} is not found.")
    if not name:
        return {"publisherModels": [_vertex(one) for one in _all(GEMINI)]}
    return {"name": f"publishers/google/models/{name}", "versionId": "default", "launchStage": "GA"}


def _endpoint(name: str) -> Listed:
    return {"name": f"endpoints/{name}", "deployedModels": [{"id": "1", "model": "models/1"}]}


def _foundation_model(name: str) -> Listed:
    if name == MISSING:
        raise bedrock_refusal(404, "ResourceNotFoundException", "The provided model identifier is invalid.")
    if not name:
        return {"modelSummaries": [{"modelId": f"anthropic.{one}"} for one in _all(CLAUDE)]}
    details = {"modelId": name, "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["TEXT"]}
    return {"modelDetails": {**details, "responseStreamingSupported": True, "modelLifecycle": {"status": "ACTIVE"}}}


def _profile(name: str) -> Listed:
    if bare_model(name) == MISSING:
        raise bedrock_refusal(404, "ResourceNotFoundException", "The provided inference profile does not exist.")
    if not name:
        names = [f"us.anthropic.{one}" for one in _all(CLAUDE)]
        return {"inferenceProfileSummaries": [{"inferenceProfileId": one, "status": "ACTIVE"} for one in names]}
    model = REGION.sub("", name.rpartition("/")[2])
    arns = [f"arn:aws:bedrock:{region}::foundation-model/{model}" for region in AWS_REGIONS]
    return {"inferenceProfileId": name, "status": "ACTIVE", "models": [{"modelArn": arn} for arn in arns]}


def _availability(name: str) -> Listed:
    told = {"authorizationStatus": "AUTHORIZED", "entitlementAvailability": "AVAILABLE"}
    agreed = {"agreementAvailability": {"status": "AVAILABLE"}, "regionAvailability": "AVAILABLE"}
    return {"modelId": name, **told, **agreed}


Tell = Callable[[str], Listed]
PATHS: Mapping[str, tuple[str, Tell]] = {  # route pattern of aiohttp → (dialect, what is told)
    "/v1/models": ("openai", _openai),
    "/v1/models/{name}": ("openai", _openai),
    "/openai/deployments": ("azure", _azure),
    "/openai/deployments/{name}": ("azure", _azure),
    "/openai/models": ("azure", _azure),
    "/openai/v1/models": ("azure", _azure),
    "/v1beta/models": ("gemini", _gemini),
    "/v1beta/models/{name}": ("gemini", _gemini),
    "/v1beta/tunedModels/{name}": ("gemini", _gemini),
    "/v1/publishers/google/models/{name}": ("vertex", _vertex),
    "/v1beta1/publishers/google/models": ("vertex", _vertex),
    "/v1/projects/{project}/locations/{region}/endpoints/{name}": ("vertex", _endpoint),
    "/foundation-models": ("bedrock", _foundation_model),
    "/foundation-models/{name}": ("bedrock", _foundation_model),
    "/inference-profiles": ("bedrock", _profile),
    "/inference-profiles/{name}": ("bedrock", _profile),
    "/foundation-model-availability/{name}": ("bedrock", _availability),
}
