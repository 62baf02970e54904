"""Google's `models.get`, of AI Studio (Gemini) and of Vertex AI. Pure.

Gemini says what a model takes and how it can be called. Vertex tells of a publisher's model that there is one, and of
an endpoint whether a model is deployed to it; whether a project may call it, nothing tells (as of 2026-11, from the
discovery documents of v1beta and v1).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipeline.errors import CallFailed, Finding
from pipeline.job.settings import Model
from pipeline.providers import listing, require
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.gemini.answers import reply_in
from pipeline.providers.gemini.wire import (
    ANYWHERE,
    BASE_URL,
    REGION_IN,
    VERSION,
    VERTEX_VERSION,
    host_of,
    quoted,
    versioned,
)
from pipeline.providers.json import count, items
from pipeline.providers.listing import Asking, Body
from pipeline.types import HttpAnswer

METHOD = "generateContent"
ADC = "Sign in (gcloud auth application-default login), or set GOOGLE_APPLICATION_CREDENTIALS"
NO_KEYS = "API keys are not supported"
UNKNOWN_PROJECT = "whether this project may call it, nothing tells but a call"
LIST_VERSION = "v1beta1"  # v1 has no list of a publisher's models


class GeminiListing:
    def __init__(self, model: Model) -> None:
        self._model = model
        name = model.name.strip().strip("/")
        self._resource = name if "/" in name else f"models/{name}"
        self._url = versioned(model.base_url or BASE_URL, VERSION)
        self._place = listing.place_of(self._url, model, "model.base_url", failure)

    def headers(self, url: str, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        return {"Authorization": f"Bearer {secret.value}"} if secret.bearer else {"x-goog-api-key": secret.value}

    def look(self) -> Asking[list[Finding]]:
        name, place = self._resource, self._place
        told = yield from listing.thing_at(f"{self._url}/{quoted(name)}", place)
        if not isinstance(told, CallFailed):
            return [listing.key_is_good(place), *self._found(told)]
        names = listing.named((yield from listing.more_at(f"{self._url}/models?pageSize=1000")))
        bare = [one.removeprefix("models/") for one in names]
        name = name.removeprefix("models/")
        return listing.absent("model", name, bare, told, place, elsewhere=bool(self._model.base_url))

    def _found(self, entry: Body) -> Iterator[Finding]:
        name, methods = self._model.name, entry.get("supportedGenerationMethods")
        if isinstance(methods, list) and METHOD not in methods:
            told = f"{name!r} takes no {METHOD}: it is no model that answers with text. Set model.name to one that does"
            yield Finding("model", "problem", told)
            return
        yield Finding("model", "ok", f"{self._place.host} has {name}")
        tokens = count(entry.get("inputTokenLimit")), count(entry.get("outputTokenLimit"))
        yield from listing.windows(self._model, *tokens)


class VertexListing:
    def __init__(self, model: Model) -> None:
        self._model = model
        name = model.name.strip().strip("/").removeprefix("models/")
        own = REGION_IN.match(name)
        self._region = own.group(1) if own else (ANYWHERE if model.api_key_env else model.region or ANYWHERE)
        if "/" not in name:
            name = f"publishers/google/models/{name}"
        elif name.startswith("endpoints/"):
            name = f"projects/{require(model.project, 'project', model)}/locations/{self._region}/{name}"
        self._name = name[name.index("publishers/") :] if "publishers/" in name else name
        self._base = (model.base_url or host_of(self._region)).rstrip("/").removesuffix(f"/{VERTEX_VERSION}")
        where = "model.region" if not model.base_url else "model.base_url"
        self._place = listing.place_of(self._base, model, where, failure, ADC)

    def headers(self, url: str, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        if self._model.api_key_env and not secret.bearer:
            return {"x-goog-api-key": secret.value}
        project = {"x-goog-user-project": self._model.project} if self._model.project else {}
        return {"Authorization": f"Bearer {secret.value}", **project}

    def look(self) -> Asking[list[Finding]]:
        name, place = self._name, self._place
        try:
            told = yield from listing.thing_at(f"{self._base}/{VERTEX_VERSION}/{quoted(name)}", place)
        except listing.Shut as shut:
            if NO_KEYS not in shut.finding.detail:
                raise
            return [Finding("model", "warning", f"{place.host} tells nothing of models to an API key, only to a token")]
        if not isinstance(told, CallFailed):
            return [listing.key_is_good(place), *self._found(told)]
        parent, _, last = name.rpartition("/")
        listed = yield from listing.more_at(f"{self._base}/{LIST_VERSION}/{quoted(parent)}?pageSize=1000")
        bare = [one.rpartition("/")[2] for one in listing.named(listed, "publisherModels")]
        return listing.absent("model", last, bare, told, place, elsewhere=bool(self._model.base_url))

    def _found(self, entry: Body) -> Iterator[Finding]:
        resolved: dict[str, Any] = {"region": self._region, "model": self._name}
        if "/endpoints/" in self._name:
            if not items(entry.get("deployedModels")):
                told = f"no model is deployed to {self._name}. Deploy one, or set model.name to another endpoint"
                yield Finding("model", "problem", told)
                return
            yield Finding("model", "ok", f"a model is deployed to {self._name}", resolved)
            return
        if wrong := list(listing.wrong_kind(self._name, self._place)):
            yield from wrong
            return
        told = f"{self._place.host} has {self._name} (asked in {self._region}); {UNKNOWN_PROJECT}"
        yield Finding("model", "ok", told, resolved)


def failure(answer: HttpAnswer) -> CallFailed:
    """Of a status other than 200."""
    try:
        reply_in(answer)
    except CallFailed as failed:
        return failed
    raise AssertionError(answer.status)
