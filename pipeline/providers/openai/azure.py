"""Azure OpenAI and Foundry: OpenAI's dialect at a resource of one's own. Pure.

`model.name` is the deployment. Without `model.api_version` the calls go to the resource's v1 endpoint, which needs no
version, is the same for all deployments and gets new parameters first; with one, to the deployment's dated endpoint.
"""

import re
from datetime import datetime
from urllib.parse import quote

from pipeline.job.settings import Model
from pipeline.providers import require
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.openai.wire import NEW_CAP, OLD_CAP, OpenAIWire

DATED = re.compile(r"^\d{4}-\d{2}-\d{2}")
NEW_CAP_SINCE = "2024-12-01"  # older versions take it from reasoning models only
REASONING = re.compile(r"\b(?:o\d|gpt-[5-9])", re.IGNORECASE)
OF_OTHERS = re.compile(
    r"gpt-oss|grok|llama|mi(?:s|nis)tral|mixtral|codestral|deepseek|phi-|cohere|command|jamba|qwen|kimi", re.IGNORECASE
)
SUFFIX = re.compile(r"/openai(?:/v1)?$")


class AzureWire(OpenAIWire):
    """`model.base_url` is the resource's endpoint: https://NAME.openai.azure.com, or what a gateway puts before it."""

    name = "azure"

    def headers(self, body: bytes, secret: Secret, now: datetime) -> dict[str, str]:
        if secret.bearer:
            return super().headers(body, secret, now)
        return {"api-key": secret.value, "Content-Type": "application/json"}

    def _url(self, model: Model) -> str:
        endpoint = SUFFIX.sub("", require(model.base_url, "base_url", model).rstrip("/")) + "/openai"
        version = model.api_version
        if DATED.match(version):
            return f"{endpoint}/deployments/{quote(model.name, safe='')}/chat/completions?api-version={quote(version)}"
        query = f"?api-version={quote(version)}" if version and version != "v1" else ""
        return f"{endpoint}/v1/chat/completions{query}"

    def _end_user(self, model: Model) -> str:
        """The dated endpoints know the older word."""
        return '"user":"%s"' if DATED.match(model.api_version) else super()._end_user(model)

    def _cap_name(self, model: Model) -> str:
        """A deployment may have any name: all that is known is which names and versions surely want the old word."""
        if REASONING.search(model.name):
            return NEW_CAP
        old = DATED.match(model.api_version) and model.api_version < NEW_CAP_SINCE
        return OLD_CAP if old or OF_OTHERS.search(model.name) else NEW_CAP
