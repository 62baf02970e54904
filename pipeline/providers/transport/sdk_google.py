"""The `google-genai` SDK, for Gemini and Vertex AI, over an HTTP client of ours: its public option for that.

The SDK has no call that takes a body or gives back an answer as it came. So it is asked for a call with next to nothing
in it, which makes it build the request; its HTTP client then puts in the wire's bytes and key, sends, and hands the
answer past the SDK's parser by raising it. On aiohttp, its default, the SDK would retry broken connections by itself.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

import httpx2
from google import genai
from google.auth.credentials import Credentials
from google.genai import types

from pipeline.job.settings import Limits, Model
from pipeline.providers.transport.sdk import Incoming, Outgoing
from pipeline.providers.transport.sdk_httpx import NO_LIMITS, failures, opened, timeout_of

URL = re.compile(
    r"^(?P<base>.+?)/(?P<version>v\d\w*)/(?P<name>[^?]+):(?:generateContent|streamGenerateContent)(?:\?|$)"
)
KEYS = ("authorization", "x-goog-api-key")
NOTHING = "-"

current: ContextVar[Outgoing] = ContextVar("current")


class GoogleAnswerCaught(Exception):
    """An answer, on its way past the SDK's parser."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__()
        self.response = response


class CapturingClient(httpx2.AsyncClient):
    """Sends the call in `current` where the SDK wants to send its own."""

    async def send(self, request: httpx2.Request, **_: Any) -> NoReturn:  # noqa: ANN401 (as it is called)
        outgoing = current.get()
        headers = httpx2.Headers(
            [item for item in request.headers.multi_items() if item[0] not in (*KEYS, "content-length")]
        )
        headers.update(outgoing.headers)
        times = {"timeout": self.timeout.as_dict()}
        own = httpx2.Request(request.method, request.url, headers=headers, content=outgoing.body, extensions=times)
        raise GoogleAnswerCaught(await super().send(own, stream=True, follow_redirects=False))


class Elsewhere(Credentials):
    """The token is in the wire's headers; the SDK only wants to see that there is one."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = NOTHING

    def refresh(self, request: object) -> None:
        pass


class GoogleCarrier:
    def __init__(self, model: Model, limits: Limits) -> None:
        self._stream = model.stream
        self._timeout = timeout_of(limits, stream=model.stream)
        self._http = CapturingClient(limits=NO_LIMITS, timeout=self._timeout)
        options = types.HttpOptions(httpx_async_client=self._http, retry_options=types.HttpRetryOptions(attempts=1))
        if model.provider == "vertex" and not model.api_key_env:
            self._client = genai.Client(
                vertexai=True, project=NOTHING, location=NOTHING, credentials=Elsewhere(), http_options=options
            )
        else:
            self._client = genai.Client(vertexai=model.provider == "vertex", api_key=NOTHING, http_options=options)

    async def ready(self, outgoing: Outgoing) -> None:
        pass

    @asynccontextmanager
    async def exchange(self, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        with failures():
            async with opened(await self._answered(outgoing)) as incoming:
                yield incoming

    async def aclose(self) -> None:
        await self._client.aio.aclose()
        await self._http.aclose()

    async def _answered(self, outgoing: Outgoing) -> httpx2.Response:
        _, base, version, name, _ = URL.split(outgoing.url)
        where = types.HttpOptions(base_url=base, api_version=version)
        config = types.GenerateContentConfig(http_options=where)
        current.set(outgoing)
        try:
            if self._stream:
                async for _ in await self._client.aio.models.generate_content_stream(
                    model=name, contents=NOTHING, config=config
                ):
                    pass
            else:
                await self._client.aio.models.generate_content(model=name, contents=NOTHING, config=config)
        except GoogleAnswerCaught as past:
            return past.response
        raise RuntimeError("the SDK of Google has sent by other ways than its HTTP client")


def carrier(model: Model, limits: Limits) -> GoogleCarrier:
    return GoogleCarrier(model, limits)
