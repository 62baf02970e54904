"""Calls of the official SDKs, as their manuals make them: for each client a name and a function per call."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

INVOICE = "Invoice INV-7 of 2026-03-01, Acme Ltd, total due: 120.50 EUR"
SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "string"}, "total": {"type": "number"}},
    "required": ["number", "total"],
    "additionalProperties": False,
}
NAME = "Invoice"
CHAT = [{"role": "system", "content": "You read invoices."}, {"role": "user", "content": INVOICE}]
CLAUDE, ON_BEDROCK, GEMINI = "claude-sonnet-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "gemini-2.5-flash"
CAP = 500

Calls = dict[str, Callable[[], Awaitable[str]]]


def record(text: str, tokens: int | None = None) -> str:
    """What was extracted, when it is what the invoice says."""
    found = json.loads(text)
    if set(found) != set(SCHEMA["properties"]):
        raise AssertionError(f"not a record of the schema: {text}")
    return json.dumps(found) + (f", {tokens} tokens" if tokens else "")


def chat_calls(client: Any, model: str = "gpt-4o-mini") -> Calls:
    shape = {"type": "json_schema", "json_schema": {"name": NAME, "strict": True, "schema": SCHEMA}}
    tool = {"type": "function", "function": {"name": NAME, "strict": True, "parameters": SCHEMA}}
    forced = {"type": "function", "function": {"name": NAME}}

    async def create(**more: Any) -> Any:
        return await client.chat.completions.create(model=model, messages=CHAT, max_completion_tokens=CAP, **more)

    async def structured() -> str:
        answer = await create(response_format=shape)
        return record(answer.choices[0].message.content, answer.usage.total_tokens)

    async def called() -> str:
        answer = await create(tools=[tool], tool_choice=forced)
        return record(answer.choices[0].message.tool_calls[0].function.arguments, answer.usage.total_tokens)

    async def streamed() -> str:
        text, used = "", 0
        async for chunk in await create(response_format=shape, stream=True, stream_options={"include_usage": True}):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            used = chunk.usage.total_tokens if chunk.usage else used
        return record(text, used)

    async def called_in_a_stream() -> str:
        text = ""
        async for chunk in await create(tools=[tool], tool_choice=forced, stream=True):
            for choice in chunk.choices:
                text += "".join(call.function.arguments or "" for call in choice.delta.tool_calls or [])
        return record(text)

    async def plain() -> str:
        answer = await create()
        return f"{len(answer.choices[0].message.content)} characters, {answer.usage.total_tokens} tokens"

    return {
        "create, json_schema": structured,
        "create, forced tool": called,
        "create, json_schema, stream": streamed,
        "create, forced tool, stream": called_in_a_stream,
        "create, plain text": plain,
    }


async def refused(call: Callable[[], Awaitable[Any]], error: type[Exception], status: int) -> str:
    """The error that the SDK makes of a refusal."""
    try:
        await call()
    except error as raised:
        code = getattr(raised, "status_code", None) or getattr(raised, "code", None)
        if code is None:  # botocore
            code = raised.response["ResponseMetadata"]["HTTPStatusCode"]  # type: ignore[attr-defined]
        if code != status:
            raise
        return f"{type(raised).__name__} {code}"
    raise AssertionError("it was not refused")


@asynccontextmanager
async def openai_calls(url: str) -> AsyncIterator[Calls]:
    from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError

    async with AsyncOpenAI(api_key="sk-any", base_url=f"{url}/v1", max_retries=0) as client:
        ask = client.chat.completions.create
        bad = client.with_options(api_key="invalid").chat.completions.create
        user = CHAT[1:]
        yield chat_calls(client) | {
            "create, bad key": lambda: refused(lambda: bad(model="gpt-4o", messages=user), AuthenticationError, 401),
            "create, no such model": lambda: refused(
                lambda: ask(model="missing-model", messages=user), NotFoundError, 404
            ),
            "create, temperature 3": lambda: refused(
                lambda: ask(model="gpt-4o", messages=user, temperature=3), BadRequestError, 400
            ),
        }


@asynccontextmanager
async def azure_calls(url: str) -> AsyncIterator[Calls]:
    from openai import AsyncAzureOpenAI, AsyncOpenAI, NotFoundError

    dated = AsyncAzureOpenAI(api_key="any", azure_endpoint=url, api_version="2025-01-01-preview", max_retries=0)
    undated = AsyncOpenAI(api_key="any", base_url=f"{url}/openai/v1", max_retries=0)
    async with dated, undated:
        ask = dated.chat.completions.create
        yield {
            **{f"AzureOpenAI.{name}": call for name, call in chat_calls(dated).items()},
            **{f"v1.{name}": call for name, call in chat_calls(undated).items()},
            "AzureOpenAI.create, no such deployment": lambda: refused(
                lambda: ask(model="missing-model", messages=CHAT[1:]), NotFoundError, 404
            ),
        }


@asynccontextmanager
async def anthropic_calls(url: str) -> AsyncIterator[Calls]:
    from anthropic import AsyncAnthropic, AuthenticationError

    client = AsyncAnthropic(api_key="sk-ant-any", base_url=url, max_retries=0, timeout=30)
    asked: dict[str, Any] = {"model": CLAUDE, "system": "You read invoices.", "messages": CHAT[1:]}
    shape = {"format": {"type": "json_schema", "schema": SCHEMA}}
    tool = {"name": NAME, "input_schema": SCHEMA, "strict": True}
    forced = {"type": "tool", "name": NAME}

    async def structured() -> str:
        answer: Any = await client.messages.create(max_tokens=CAP, output_config=shape, **asked)
        return record(answer.content[0].text, answer.usage.input_tokens + answer.usage.output_tokens)

    async def called() -> str:
        answer: Any = await client.messages.create(max_tokens=CAP, tools=[tool], tool_choice=forced, **asked)
        return record(json.dumps(answer.content[0].input), answer.usage.input_tokens + answer.usage.output_tokens)

    async def streamed() -> str:
        async with client.messages.stream(max_tokens=CAP, output_config=shape, **asked) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            whole = await stream.get_final_message()
        return record(text, whole.usage.input_tokens + whole.usage.output_tokens)

    async def counted() -> str:
        return f"{(await client.messages.count_tokens(**asked)).input_tokens} tokens"

    bad = client.with_options(api_key="invalid")
    async with client:
        yield {
            "messages.create, output_config": structured,
            "messages.create, forced tool": called,
            "messages.stream, output_config": streamed,
            "messages.count_tokens": counted,
            "messages.create, bad key": lambda: refused(
                lambda: bad.messages.create(max_tokens=CAP, **asked), AuthenticationError, 401
            ),
        }


def google_calls(models: Any) -> Calls:
    from google.genai import errors, types

    common = {"system_instruction": "You read invoices.", "max_output_tokens": CAP}
    shaped = types.GenerateContentConfig(**common, response_mime_type="application/json", response_json_schema=SCHEMA)
    function = types.FunctionDeclaration(name=NAME, parameters_json_schema=SCHEMA)
    calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=[NAME])
    tooled = types.GenerateContentConfig(
        **common,
        tools=[types.Tool(function_declarations=[function])],
        tool_config=types.ToolConfig(function_calling_config=calling),
    )

    async def structured() -> str:
        answer = await models.generate_content(model=GEMINI, contents=INVOICE, config=shaped)
        return record(answer.text, answer.usage_metadata.total_token_count)

    async def called() -> str:
        answer = await models.generate_content(model=GEMINI, contents=INVOICE, config=tooled)
        return record(json.dumps(answer.function_calls[0].args), answer.usage_metadata.total_token_count)

    async def streamed() -> str:
        text, used = "", 0
        async for piece in await models.generate_content_stream(model=GEMINI, contents=INVOICE, config=shaped):
            text += piece.text or ""
            used = piece.usage_metadata.total_token_count if piece.usage_metadata else used
        return record(text, used)

    async def counted() -> str:
        return f"{(await models.count_tokens(model=GEMINI, contents=INVOICE)).total_tokens} tokens"

    return {
        "generate_content, response_json_schema": structured,
        "generate_content, forced function": called,
        "generate_content_stream, response_json_schema": streamed,
        "count_tokens": counted,
        "generate_content, no such model": lambda: refused(
            lambda: models.generate_content(model="missing-model", contents=INVOICE), errors.ClientError, 404
        ),
    }


@asynccontextmanager
async def gemini_calls(url: str) -> AsyncIterator[Calls]:
    from google import genai

    async with genai.Client(api_key="any", vertexai=False, http_options={"base_url": url}).aio as client:
        yield google_calls(client.models)


@asynccontextmanager
async def vertex_calls(url: str) -> AsyncIterator[Calls]:
    from google import genai
    from google.oauth2.credentials import Credentials

    token = Credentials(token="ya29.any")
    options = {"base_url": url}
    client = genai.Client(vertexai=True, project="p", location="europe-west4", credentials=token, http_options=options)
    async with client.aio as inner:
        yield google_calls(inner.models)


@asynccontextmanager
async def bedrock_calls(url: str) -> AsyncIterator[Calls]:
    from aiobotocore.session import get_session
    from botocore.exceptions import ClientError

    keys = {"aws_access_key_id": "AKIASANDBOX1", "aws_secret_access_key": "sandbox-secret"}
    asked = {
        "modelId": ON_BEDROCK,
        "system": [{"text": "You read invoices."}],
        "messages": [{"role": "user", "content": [{"text": INVOICE}]}],
        "inferenceConfig": {"maxTokens": CAP},
        "toolConfig": {
            "tools": [{"toolSpec": {"name": NAME, "inputSchema": {"json": SCHEMA}}}],
            "toolChoice": {"tool": {"name": NAME}},
        },
    }
    body = json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": CAP,
            "messages": CHAT[1:],
            "tools": [{"name": NAME, "input_schema": SCHEMA}],
            "tool_choice": {"type": "tool", "name": NAME},
        }
    )
    session = get_session()
    place = {"region_name": "eu-west-1", "endpoint_url": url}
    async with session.create_client("bedrock-runtime", **place, **keys) as client:

        async def converse() -> str:
            answer = await client.converse(**asked)
            used = answer["usage"]["totalTokens"]
            return record(json.dumps(answer["output"]["message"]["content"][0]["toolUse"]["input"]), used)

        async def converse_stream() -> str:
            text, used = "", 0
            async for event in (await client.converse_stream(**asked))["stream"]:
                text += event.get("contentBlockDelta", {}).get("delta", {}).get("toolUse", {}).get("input", "")
                used = event.get("metadata", {}).get("usage", {}).get("totalTokens", used)
            return record(text, used)

        async def invoke() -> str:
            answer = await client.invoke_model(modelId=ON_BEDROCK, body=body)
            told = json.loads(await answer["body"].read())
            return record(json.dumps(told["content"][0]["input"]), sum(told["usage"].values()))

        async def invoke_stream() -> str:
            text = ""
            answer = await client.invoke_model_with_response_stream(modelId=ON_BEDROCK, body=body)
            async for event in answer["body"]:
                told = json.loads(event["chunk"]["bytes"])
                text += told.get("delta", {}).get("partial_json", "")
            return record(text)

        async def unsigned() -> str:
            wrong = {**keys, "aws_secret_access_key": "wrong"}
            async with session.create_client("bedrock-runtime", **place, **wrong) as other:
                return await refused(lambda: other.converse(**asked), ClientError, 403)

        yield {
            "converse, forced tool": converse,
            "converse_stream, forced tool": converse_stream,
            "invoke_model, forced tool": invoke,
            "invoke_model_with_response_stream, forced tool": invoke_stream,
            "converse, bad signature": unsigned,
        }


CLIENTS = {
    "openai": openai_calls,
    "azure": azure_calls,
    "anthropic": anthropic_calls,
    "gemini": gemini_calls,
    "vertex": vertex_calls,
    "bedrock": bedrock_calls,
}
