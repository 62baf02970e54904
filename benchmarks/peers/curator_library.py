"""Bespoke curator: an LLM class with a response format, over a dataset; nothing is taken from its cache."""

import os
import tempfile

os.environ |= {"CURATOR_DISABLE_CACHE": "1", "TELEMETRY_ENABLED": "0", "CURATOR_VIEWER": "0"}

from bespokelabs import curator
from shared import KEY, MODEL, MOST_TOKENS, Invoice, arguments, prompts, told


class Extractor(curator.LLM):
    response_format = Invoice

    def prompt(self, row):
        return row["prompt"]

    def parse(self, row, response):  # noqa: ARG002 (as curator calls it)
        return {"record": response.model_dump_json()}


def main(options):
    limits = {"max_requests_per_minute": 10_000_000, "max_tokens_per_minute": 10_000_000_000}
    limits["max_concurrent_requests"] = options.concurrency
    os.environ["OPENAI_BASE_URL"] = options.url  # as a parameter it would be probed with a schema of curator's own
    with tempfile.TemporaryDirectory() as cache:
        extractor = Extractor(
            model_name=MODEL,
            backend="openai",
            backend_params={"api_key": KEY, **limits},
            generation_params={"max_completion_tokens": MOST_TOKENS},
        )
        rows = [{"prompt": prompt} for prompt in prompts(options.rows)]
        found = extractor(rows, working_dir=cache)
        found = getattr(found, "dataset", found)
        told([Invoice.model_validate_json(row["record"]) for row in found])


if __name__ == "__main__":
    main(arguments())
