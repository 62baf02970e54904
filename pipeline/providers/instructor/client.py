"""instructor's client of one vendor: made by its own factory, called by its own `create`, in its own words for a form.

What it does beside that is not used: it validates nothing, repairs nothing and retries nothing.
"""

import logging
from collections.abc import Iterator
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any

import instructor
import orjson
from instructor.core.exceptions import InstructorError
from instructor.processing.response import handle_response_model
from pydantic import BaseModel

from pipeline.errors import JobError
from pipeline.job.instructor import name_in
from pipeline.job.settings import Model
from pipeline.providers.instructor.exchange import KEY, HttpClient, hook

MODES = {"tool": instructor.Mode.TOOLS, "json_schema": instructor.Mode.JSON_SCHEMA}
DEEPEST = 4  # attributes from a vendor's client to its HTTP client
KINDS_OF_ONE = str | bytes | int | float | type | None

logging.getLogger("instructor").addHandler(logging.NullHandler())  # its errors are ours to tell


class InstructorClient:
    """Through this, one vendor is asked. `moves_by_itself`: it has a base URL of its own, which is set."""

    def __init__(self, model: Model) -> None:
        """Raises JobError: instructor cannot make it, with its words."""
        try:
            name = f"{name_in(model.provider)}/{model.name}"
            self._client: Any = instructor.from_provider(name, async_client=True, api_key=KEY)
        except (InstructorError, ImportError, ValueError) as error:
            raise JobError(f"model.provider = {model.provider!r}: instructor makes no client: {error}") from None
        vendor = self._client.client
        self._http = list(dict.fromkeys(_http_clients(vendor, DEEPEST)))
        if not self._http:
            told = "its client sends by other ways than HTTP, so that its attempts cannot be counted"
            raise JobError(f"model.provider = {model.provider!r} cannot be used: {told}")
        for client in self._http:
            hook(client)
        if hasattr(vendor, "max_retries"):
            vendor.max_retries = 0
        self.moves_by_itself = isinstance(getattr(type(vendor), "base_url", None), property)
        if self.moves_by_itself and model.base_url:
            vendor.base_url = model.base_url

    async def ask(self, keywords: dict[str, Any]) -> None:
        """One call of `create`. Its answer is caught on its way: see `exchange`."""
        form = keywords.pop("response_model", None)
        if form is not None:
            _, keywords = handle_response_model(
                _stand_in(form["name"], orjson.dumps(form["schema"])),
                mode=MODES[form["mode"]],
                provider=self._client.provider,
                **keywords,
            )
        await self._client.create(response_model=None, max_retries=0, **keywords)

    async def aclose(self) -> None:
        for client in self._http:
            await client.aclose()


@lru_cache(maxsize=8)
def _stand_in(name: str, schema_json: bytes) -> type[BaseModel]:
    """A class that has our schema, and is good for nothing but to be asked for it."""

    def model_json_schema(_cls: type[Any], /, *_: object, **__: object) -> dict[str, Any]:
        return {"title": name, "properties": {}, **orjson.loads(schema_json)}  # anew: clients write into it

    return type(name, (BaseModel,), {"model_json_schema": classmethod(model_json_schema), "__module__": __name__})


def _http_clients(thing: object, depth: int) -> Iterator[HttpClient]:
    """The asynchronous HTTP clients within a vendor's client, wherever it keeps them."""
    if hasattr(type(thing), "event_hooks"):
        if iscoroutinefunction(getattr(thing, "send", None)):
            yield thing  # type: ignore[misc]  # by what it can do
        return
    for inner in getattr(thing, "__dict__", {}).values() if depth else ():
        if not isinstance(inner, KINDS_OF_ONE):
            yield from _http_clients(inner, depth - 1)
