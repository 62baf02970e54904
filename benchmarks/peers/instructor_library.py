"""instructor over the official SDK, in its mode for strict JSON schemas."""

import asyncio

import instructor
from openai import AsyncOpenAI
from shared import KEY, MODEL, MOST_TOKENS, Invoice, arguments, prompts, told


async def main(options):
    gate = asyncio.Semaphore(options.concurrency)
    plain = AsyncOpenAI(base_url=options.url, api_key=KEY)
    client = instructor.from_openai(plain, mode=instructor.Mode.JSON_SCHEMA)

    async def one(prompt):
        async with gate:
            return await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": prompt}],
                response_model=Invoice,
                max_completion_tokens=MOST_TOKENS,
            )

    async with plain:
        told(await asyncio.gather(*map(one, prompts(options.rows)), return_exceptions=True))


asyncio.run(main(arguments()))
