"""LangChain: `abatch` of a chat model with structured output."""

import asyncio

from langchain_openai import ChatOpenAI
from shared import KEY, MODEL, MOST_TOKENS, Invoice, arguments, prompts, told


async def main(options):
    model = ChatOpenAI(model=MODEL, base_url=options.url, api_key=KEY, max_completion_tokens=MOST_TOKENS)
    chain = model.with_structured_output(Invoice, method="json_schema")
    limits = {"max_concurrency": options.concurrency}
    told(await chain.abatch(list(prompts(options.rows)), config=limits, return_exceptions=True))


asyncio.run(main(arguments()))
