"""Anthropic's `GET /v1/models/{id}`, which knows aliases too, and says what a model takes (as of 2026-11). Pure."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from pipeline.errors import CallFailed, Finding
from pipeline.job.settings import Model
from pipeline.providers import listing
from pipeline.providers.anthropic.errors import failure_of
from pipeline.providers.anthropic.wire import BASE_URL, VERSION
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import shortened
from pipeline.providers.json import count, parsed, string
from pipeline.providers.listing import Asking, Body
from pipeline.types import HttpAnswer


class AnthropicListing:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._url = (model.base_url or BASE_URL).rstrip("/").removesuffix("/v1") + "/v1/models"
        self._place = listing.place_of(self._url, model, "model.base_url", failure)

    def headers(self, url: str, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        key = {"Authorization": f"Bearer {secret.value}"} if secret.bearer else {"x-api-key": secret.value}
        return {**key, "anthropic-version": VERSION}

    def look(self) -> Asking[list[Finding]]:
        name, place = self._model.name, self._place
        told = yield from listing.thing_at(f"{self._url}/{quote(name, safe=':@')}", place)
        if not isinstance(told, CallFailed):
            return [listing.key_is_good(place), *self._found(told)]
        names = listing.named((yield from listing.more_at(f"{self._url}?limit=1000")))
        if name in names:
            return [listing.key_is_good(place), *self._found(names[name])]
        return listing.absent("model", name, names, told, place, elsewhere=bool(self._model.base_url))

    def _found(self, entry: Body) -> Iterator[Finding]:
        name, real = self._model.name, shortened(string(entry.get("id")))
        if real and real != name:
            yield Finding("model", "ok", f"{name} is {real}", {"model": real})
        else:
            yield Finding("model", "ok", f"{self._place.host} has {name}")
        yield from listing.windows(self._model, count(entry.get("max_input_tokens")), count(entry.get("max_tokens")))


def failure(answer: HttpAnswer) -> CallFailed:
    return failure_of(answer, parsed(answer.body))
