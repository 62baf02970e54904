"""OpenAI's `GET /models/{name}`, and the listing of every server that speaks its dialect. Pure.

Of servers of others some have the list alone, some nothing, and some say how much a model takes (vLLM, OpenRouter,
Groq, Mistral, each in a word of its own; their documentation as of 2026-11).
"""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from pipeline.errors import CallFailed, Finding
from pipeline.job.settings import Model
from pipeline.providers import listing
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.json import count, parsed
from pipeline.providers.listing import Asking, Body
from pipeline.providers.openai.errors import failure_of
from pipeline.providers.openai.wire import BASE_URL
from pipeline.types import HttpAnswer

WINDOW_WORDS = ("max_model_len", "context_window", "context_length", "max_context_length")
LATEST = ":latest"  # what Ollama puts behind a name that has no tag


class OpenAIListing:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._url = (model.base_url or BASE_URL).rstrip("/") + "/models"
        self._place = listing.place_of(self._url, model, "model.base_url", failure)

    def headers(self, url: str, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        return {"Authorization": f"Bearer {secret.value}"}

    def look(self) -> Asking[list[Finding]]:
        name, place = self._model.name, self._place
        told = yield from listing.thing_at(f"{self._url}/{quote(name, safe=':@')}", place)
        if not isinstance(told, CallFailed):
            return [listing.key_is_good(place), *self._found(told)]
        names = listing.named((yield from listing.more_at(self._url)))
        entry = names.get(name) or names.get(name + LATEST)
        if entry is not None:
            return [listing.key_is_good(place), *self._found(entry)]
        return listing.absent("model", name, names, told, place, elsewhere=bool(self._model.base_url))

    def _found(self, entry: Body) -> Iterator[Finding]:
        name, place = self._model.name, self._place
        if wrong := list(listing.wrong_kind(name, place)):
            yield from wrong
            return
        yield Finding("model", "ok", f"{place.host} has {name}")
        window = next((count(entry[word]) for word in WINDOW_WORDS if entry.get(word)), 0)
        yield from listing.windows(self._model, window, 0)


def failure(answer: HttpAnswer) -> CallFailed:
    return failure_of(answer, parsed(answer.body))
