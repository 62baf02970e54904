"""What an Azure resource tells of its deployments and its key. Pure.

Deployments belong to the management plane, which takes no key. The data plane listed them until its version 2022-12-01,
which some resources and gateways still answer; later versions list what a resource could deploy, which is enough to
know a key by (learn.microsoft.com and the published specifications, as of 2026-11).
"""

import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from pipeline.errors import CallFailed, Finding
from pipeline.job.settings import Model
from pipeline.providers import listing, require
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import shortened
from pipeline.providers.json import mapping, string
from pipeline.providers.listing import Asking, Body
from pipeline.providers.openai.azure import DATED, SUFFIX
from pipeline.providers.openai.listing import failure

TOLD_BY = "2022-12-01"
NO_DEPLOYMENT = re.compile(r"deployment", re.IGNORECASE)
BATCH = re.compile(r"batch", re.IGNORECASE)
KEYS = "Put a key of this resource into AZURE_OPENAI_API_KEY, or sign in to Entra (az login, a managed identity)"
BY_HAND = "az cognitiveservices account deployment list shows them"


class AzureListing:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._base = SUFFIX.sub("", require(model.base_url, "base_url", model).rstrip("/")) + "/openai"
        self._place = listing.place_of(self._base, model, "model.base_url (or AZURE_OPENAI_ENDPOINT)", failure, KEYS)

    def headers(self, url: str, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        return {"Authorization": f"Bearer {secret.value}"} if secret.bearer else {"api-key": secret.value}

    def look(self) -> Asking[list[Finding]]:
        name, place = self._model.name, self._place
        all_of_them = f"{self._base}/deployments"
        told = yield from listing.thing_at(f"{all_of_them}/{quote(name, safe='')}?api-version={TOLD_BY}", place)
        if not isinstance(told, CallFailed):
            return [listing.key_is_good(place), *self._deployed(told)]
        if NO_DEPLOYMENT.search(told.message):
            names = listing.named((yield from listing.more_at(f"{all_of_them}?api-version={TOLD_BY}")))
            return [listing.key_is_good(place), listing.missing("deployment", name, names, place)]
        version = self._model.api_version
        models = f"models?api-version={quote(version)}" if DATED.match(version) else "v1/models"
        key = yield from listing.thing_at(f"{self._base}/{models}", place)
        if isinstance(key, CallFailed):
            return [listing.not_told("deployment", name, key, place)]
        told_not = f"{place.host} does not tell a key of its deployments: whether {name!r} is one, and of what model"
        return [listing.key_is_good(place), Finding("deployment", "warning", f"{told_not}, is not known. {BY_HAND}")]

    def _deployed(self, told: Body) -> Iterator[Finding]:
        model, status = shortened(string(told.get("model"))), shortened(string(told.get("status")))
        scale = shortened(string(mapping(told.get("scale_settings")).get("scale_type")))
        name = self._model.name
        wrong = list(listing.wrong_kind(model, self._place))
        if status and status != "succeeded":
            why = f"{name!r} is not ready: {status}. Wait for it, or deploy it anew"
            wrong.append(Finding("deployment", "problem", why))
        if BATCH.search(scale):
            why = f"{name!r} is a {scale} deployment, which answers no live call. Set model.name to another one"
            wrong.append(Finding("deployment", "problem", why))
        resolved = {"deployment": name, "model": model}
        yield from wrong or [Finding("deployment", "ok", f"{name!r} is {model or 'there'}", resolved)]
