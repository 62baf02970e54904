"""What Bedrock's control plane tells of a model: whether it is there, how it is called, and by whom. Pure.

`GetFoundationModel`, `GetInferenceProfile`, `GetFoundationModelAvailability` and their lists (AWS's API reference, as
of 2026-11). They need permissions of their own (bedrock:GetFoundationModel and so on), which a run does not.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from pipeline.errors import CallFailed, Finding
from pipeline.job.settings import Model
from pipeline.providers import listing
from pipeline.providers.bedrock.endpoint import ARN_REGION, Endpoint
from pipeline.providers.bedrock.errors import failure
from pipeline.providers.bedrock.models import bare_id
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import shortened
from pipeline.providers.json import items, mapping, parsed, string
from pipeline.providers.listing import Asking, Body
from pipeline.types import HttpAnswer

KEYS = "Set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to good ones"
PROFILE = re.compile(r"^(?:us-gov|global|apac|us|eu|ap|ca|sa|au|jp|me|af)\.|inference-profile/")
PROFILES, MODELS = "inference-profiles?maxResults=1000", "foundation-models"
OWN = re.compile(
    r":(provisioned-model|imported-model|default-prompt-router|prompt-router|custom-model-deployment|custom-model)/"
)
OWN_KINDS = {  # of an ARN → (path of the control plane, the status of one that answers)
    "provisioned-model": ("provisioned-model-throughput", "InService"),
    "imported-model": ("imported-models", ""),
    "default-prompt-router": ("prompt-routers", "AVAILABLE"),
    "prompt-router": ("prompt-routers", "AVAILABLE"),
    "custom-model-deployment": ("model-customization/custom-model-deployments", "Active"),
}
GRANTED = {  # of a model's availability → (what it should be, what to do about it)
    "authorizationStatus": ("AUTHORIZED", "let the account in to it"),
    "entitlementAvailability": ("AVAILABLE", "ask for access to it on the console's page Model access"),
    "regionAvailability": ("AVAILABLE", "set model.region to one that has it, or use an inference profile"),
}


class BedrockListing:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._endpoint = Endpoint(model)
        where = f"model.region = {self._endpoint.region!r}" if not model.base_url else "model.base_url"
        self._place = listing.place_of(self._endpoint.control_url(""), model, where, failure_of, KEYS)

    def headers(self, url: str, secret: Secret, now: datetime) -> dict[str, str]:
        return self._endpoint.headers(url, b"", secret, now, method="GET")

    def look(self) -> Asking[list[Finding]]:
        name = self._model.name.strip()
        if PROFILE.search(name):
            return (yield from self._profile(name))
        if (own := OWN.search(name)) is not None:
            return (yield from self._own(name, *OWN_KINDS.get(own.group(1), ("", ""))))
        return (yield from self._foundation_model(bare_id(name)))

    def _own(self, name: str, path: str, ready: str) -> Asking[list[Finding]]:
        """What is of the account's own: a throughput that it bought, a model that it brought."""
        if not path:
            return [Finding("model", "warning", f"whether {name!r} answers is told by no listing that is asked here")]
        place = self._place
        told = yield from listing.thing_at(self._url(f"{path}/{_path(name)}"), place)
        if isinstance(told, CallFailed):
            return listing.absent("model", name, (), told, place, elsewhere=bool(self._model.base_url))
        status = shortened(string(told.get("status")))
        if ready and status not in {"", ready}:
            return [Finding("model", "problem", f"{name} is not ready: {status}. Wait until it is {ready}")]
        return [listing.key_is_good(place), Finding("model", "ok", f"{name} is there", {"model": name})]

    def _profile(self, name: str) -> Asking[list[Finding]]:
        place = self._place
        told = yield from listing.thing_at(self._url(f"inference-profiles/{_path(name)}"), place)
        if isinstance(told, CallFailed):
            names = yield from self._profiles()
            elsewhere = bool(self._model.base_url)
            return listing.absent("inference profile", name, names, told, place, elsewhere=elsewhere)
        arns = [string(one.get("modelArn")) for one in items(told.get("models"))]
        models = sorted({shortened(arn.rpartition("/")[2]) for arn in arns})
        regions = sorted({found.group(1) for arn in arns if (found := ARN_REGION.match(arn))})
        resolved = {"profile": name, "models": models, "regions": regions}
        status = shortened(string(told.get("status")))
        words = f"{name} is {', '.join(models)} in {', '.join(regions)}"
        if status not in {"", "ACTIVE"}:
            return [Finding("inference profile", "problem", f"{words}, and not ready: {status}", resolved)]
        access = (yield from self._access(models[0])) if models else []
        return [listing.key_is_good(place), Finding("inference profile", "ok", words, resolved), *access]

    def _foundation_model(self, name: str) -> Asking[list[Finding]]:
        place = self._place
        told = yield from listing.thing_at(self._url(f"{MODELS}/{_path(name)}"), place)
        if isinstance(told, CallFailed):
            listed = yield from listing.more_at(self._url(MODELS))
            names = [*listing.named(listed, "modelSummaries"), *(yield from self._profiles())]
            return listing.absent("model", name, names, told, place, elsewhere=bool(self._model.base_url))
        details = mapping(told.get("modelDetails"))
        found = [listing.key_is_good(place), *_model(details, self._model)]
        if any(one.level == "problem" for one in found):
            return found
        ways = details.get("inferenceTypesSupported")
        if not isinstance(ways, list) or not ways or "ON_DEMAND" in ways:
            where = f"{name} is there in {self._endpoint.region}, on demand"
            access = yield from self._access(name)
            return [*found, Finding("model", "ok", where, {"model": name, "region": self._endpoint.region}), *access]
        profiles = [one for one in (yield from self._profiles()) if one.endswith(f".{name}")]
        use = " or ".join(map(repr, map(shortened, profiles))) or f"{self._endpoint.region[:2]}.{name}"
        told_how = f"{name} is not to be had on demand in {self._endpoint.region}. Use the inference profile {use}"
        return [*found, Finding("model", "problem", f"{told_how}: set model.name to it")]

    def _access(self, name: str) -> Asking[list[Finding]]:
        """Whether the account may use it; nothing where that is not told."""
        told = yield from listing.more_at(self._url(f"foundation-model-availability/{_path(name)}"))
        return list(_access(name, told))

    def _profiles(self) -> Asking[list[str]]:
        told = yield from listing.more_at(self._url(PROFILES))
        return [string(one.get("inferenceProfileId")) for one in items(told.get("inferenceProfileSummaries"))]

    def _url(self, path: str) -> str:
        return self._endpoint.control_url(path)


def _path(name: str) -> str:
    return quote(name, safe=":")


def _model(details: Body, model: Model) -> Iterator[Finding]:
    outputs, name = details.get("outputModalities"), model.name
    if isinstance(outputs, list) and outputs and "TEXT" not in outputs:
        yield Finding("model", "problem", f"{name} does not answer with text. Set model.name to one that does")
    if model.stream and details.get("responseStreamingSupported") is False:
        yield Finding("model", "problem", f"{name} does not stream. Set model.stream = false")
    if string(mapping(details.get("modelLifecycle")).get("status")) == "LEGACY":
        yield Finding("model", "warning", f"{name} is marked LEGACY: it will be taken away. Plan for its successor")


def _access(name: str, told: Body) -> Iterator[Finding]:
    agreement = string(mapping(told.get("agreementAvailability")).get("status"))
    if agreement in {"NOT_AVAILABLE", "ERROR"}:
        yield Finding("access", "warning", f"{name}: its agreement is not accepted yet. Accept it on the console")
    for key, (good, mend) in GRANTED.items():
        said = string(told.get(key))
        if said and said != good:
            yield Finding("access", "problem", f"{name}: {key} is {shortened(said)}. To mend it, {mend}")


def failure_of(answer: HttpAnswer) -> CallFailed:
    return failure(answer, mapping(parsed(answer.body)))
