"""The `anthropic` SDK: `AsyncAnthropic.post` with raw bytes and a raw answer."""

from anthropic import AnthropicError, APIStatusError, AsyncAnthropic, AsyncStream, DefaultAsyncHttpxClient, Omit

from pipeline.job.settings import Limits, Model
from pipeline.providers.transport.sdk_httpx import NO_LIMITS, PostCarrier, timeout_of

LEFT_OUT = {"authorization": Omit(), "x-api-key": Omit()}  # the key is where the wire has it, and nowhere else


def carrier(model: Model, limits: Limits) -> PostCarrier:
    client = AsyncAnthropic(
        api_key="in the headers of each call",
        base_url="http://in.the.url.of.each.call",
        max_retries=0,
        timeout=timeout_of(limits, stream=model.stream),
        http_client=DefaultAsyncHttpxClient(limits=NO_LIMITS, follow_redirects=False),
    )
    return PostCarrier(client, AnthropicError, APIStatusError, AsyncStream[object], LEFT_OUT)
