"""The official SDK by hand: a semaphore around `chat.completions.parse`."""

import asyncio

from openai import AsyncOpenAI
from shared import KEY, MODEL, MOST_TOKENS, Invoice, arguments, prompts, told


async def main(options):
    gate = asyncio.Semaphore(options.concurrency)
    async with AsyncOpenAI(base_url=options.url, api_key=KEY) as client:

        async def one(prompt):
            async with gate:
                answer = await client.chat.completions.parse(
                    model=MODEL,
                    messages=[{"role": "user", "content": prompt}],
                    response_format=Invoice,
                    max_completion_tokens=MOST_TOKENS,
                )
            return answer.choices[0].message.parsed

        told(await asyncio.gather(*map(one, prompts(options.rows)), return_exceptions=True))


asyncio.run(main(arguments()))
