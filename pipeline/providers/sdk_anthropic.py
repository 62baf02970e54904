"""The `anthropic` SDK: `AsyncAnthropic.post` with raw bytes and a raw answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from anthropic import AnthropicError, APIStatusError, AsyncAnthropic, AsyncStream, DefaultAsyncHttpxClient, Omit

from pipeline.job import Limits, Model
from pipeline.providers.sdk import Incoming, Outgoing
from pipeline.providers.sdk_httpx import NO_LIMITS, failures, lowered, opened, timeout_of

LEFT_OUT = {"authorization": Omit(), "x-api-key": Omit()}  # the key is where the wire has it, and nowhere else


class AnthropicCarrier:
    def __init__(self, model: Model, limits: Limits) -> None:
        self._client: Any = AsyncAnthropic(
            api_key="in the headers of each call",
            base_url="http://in.the.url.of.each.call",
            max_retries=0,
            timeout=timeout_of(limits, stream=model.stream),
            http_client=DefaultAsyncHttpxClient(limits=NO_LIMITS, follow_redirects=False),
        )

    async def ready(self, outgoing: Outgoing) -> None:
        pass

    @asynccontextmanager
    async def exchange(self, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        headers = {**LEFT_OUT, **lowered(outgoing.headers)}
        with failures(AnthropicError):
            try:
                response = await self._client.post(
                    outgoing.url,
                    content=outgoing.body,
                    cast_to=httpx2.Response,
                    options={"headers": headers},
                    stream=True,
                    stream_cls=AsyncStream[object],
                )
            except APIStatusError as error:
                response = error.response
            async with opened(response) as incoming:
                yield incoming

    async def aclose(self) -> None:
        await self._client.close()


def carrier(model: Model, limits: Limits) -> AnthropicCarrier:
    return AnthropicCarrier(model, limits)
