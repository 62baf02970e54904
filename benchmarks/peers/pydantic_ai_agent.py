"""pydantic-ai: one agent with a native structured output, run once per document."""

import asyncio

from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from shared import KEY, MODEL, MOST_TOKENS, Invoice, arguments, prompts, told


async def main(options):
    gate = asyncio.Semaphore(options.concurrency)
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=options.url, api_key=KEY))
    agent = Agent(model, output_type=NativeOutput(Invoice), model_settings={"max_tokens": MOST_TOKENS})

    async def one(prompt):
        async with gate:
            return (await agent.run(prompt)).output

    told(await asyncio.gather(*map(one, prompts(options.rows)), return_exceptions=True))


asyncio.run(main(arguments()))
