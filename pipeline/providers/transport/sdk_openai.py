"""The `openai` SDK, for OpenAI, compatible servers and Azure: `AsyncOpenAI.post` with raw bytes and a raw answer."""

from openai import APIStatusError, AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient, Omit, OpenAIError

from pipeline.job.settings import Limits, Model
from pipeline.providers.transport.sdk_httpx import NO_LIMITS, PostCarrier, timeout_of

LEFT_OUT = {"authorization": Omit()}  # the key is where the wire has it, and nowhere else
OF_OPENAI_ONLY = {"openai-organization": Omit(), "openai-project": Omit()}  # set from the environment otherwise


def carrier(model: Model, limits: Limits) -> PostCarrier:
    client = AsyncOpenAI(
        api_key="in the headers of each call",
        base_url="http://in.the.url.of.each.call",
        max_retries=0,
        timeout=timeout_of(limits, stream=model.stream),
        http_client=DefaultAsyncHttpxClient(limits=NO_LIMITS, follow_redirects=False),
    )
    left_out = LEFT_OUT | OF_OPENAI_ONLY if model.provider == "azure" else LEFT_OUT
    return PostCarrier(client, OpenAIError, APIStatusError, AsyncStream[object], left_out)
