"""LiteLLM's `acompletion`; its answer is text, which is validated as its users do."""

import asyncio

import litellm
from shared import KEY, MODEL, MOST_TOKENS, Invoice, arguments, prompts, told


async def main(options):
    gate = asyncio.Semaphore(options.concurrency)

    async def one(prompt):
        async with gate:
            answer = await litellm.acompletion(
                model=f"openai/{MODEL}",
                messages=[{"role": "user", "content": prompt}],
                response_format=Invoice,
                max_completion_tokens=MOST_TOKENS,
                base_url=options.url,
                api_key=KEY,
            )
        return Invoice.model_validate_json(answer.choices[0].message.content)

    told(await asyncio.gather(*map(one, prompts(options.rows)), return_exceptions=True))


asyncio.run(main(arguments()))
