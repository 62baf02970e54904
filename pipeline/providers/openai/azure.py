"""Azure OpenAI and Foundry: OpenAI's dialect at a resource of one's own. Pure.

`model.name` is the deployment. Without `model.api_version` the calls go to the resource's v1 endpoint, which needs no
version, is the same for all deployments and gets new parameters first; with one, to the deployment's dated endpoint.
"""

import re
from datetime import datetime
from urllib.parse import quote

from pipeline.job.settings import Model
from pipeline.parts import FilePart
from pipeline.providers import require
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import IMAGES, Block, Body, refused
from pipeline.providers.openai.responses import ResponsesWire
from pipeline.providers.openai.wire import NEW_CAP, OLD_CAP, OpenAIWire

DATED = re.compile(r"^\d{4}-\d{2}-\d{2}")
NEW_CAP_SINCE = "2024-12-01"  # older versions take it from reasoning models only
REASONING = re.compile(r"\b(?:o\d|gpt-[5-9])", re.IGNORECASE)
OF_OTHERS = re.compile(
    r"gpt-oss|grok|llama|mi(?:s|nis)tral|mixtral|codestral|deepseek|phi-|cohere|command|jamba|qwen|kimi", re.IGNORECASE
)
NO_PDF = ': set model.api = "responses", or documents.read = "image"'
SUFFIX = re.compile(r"/openai(?:/v1)?$")


def place_of(model: Model) -> tuple[str, str]:
    """What all paths of a resource stand behind, and the query that all have.

    Raises:
        JobError: nobody says which resource.
    """
    endpoint = SUFFIX.sub("", require(model.base_url, "base_url", model).rstrip("/")) + "/openai"
    version = model.api_version
    query = f"api-version={quote(version)}" if version and version != "v1" else ""
    return endpoint if DATED.match(version) else f"{endpoint}/v1", query


class AtAzure(OpenAIWire):
    """`model.base_url` is the resource's endpoint: https://NAME.openai.azure.com, or what a gateway puts before it."""

    name = "azure"

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:
        if secret.bearer:
            return super().headers(body, secret, now)
        return {"api-key": secret.value, "Content-Type": "application/json"}

    def _url(self, model: Model) -> str:
        base, query = place_of(model)
        path = self._dated(model) if DATED.match(model.api_version) else self.path
        return f"{base}{path}" + (f"?{query}" if query else "")

    def _end_user(self, model: Model) -> str:
        """The dated endpoints know the older word."""
        return '"user":"%s"' if DATED.match(model.api_version) else super()._end_user(model)

    def _dated(self, model: Model) -> str:  # noqa: ARG002 (for those that have the deployment in it)
        """The path at a dated endpoint."""
        return self.path


class AzureWire(AtAzure):
    """Chat completions. Images they take; a PDF is a 400 for every deployment (as of 2026-11): Responses take those."""

    def _file(self, part: FilePart) -> Block:
        if part.media_type not in IMAGES:
            raise refused(part, NO_PDF)
        return super()._file(part)

    def _dated(self, model: Model) -> str:
        return f"/deployments/{quote(model.name, safe='')}{self.path}"

    def _cap_name(self, model: Model) -> str:
        """A deployment may have any name: all that is known is which names and versions surely want the old word."""
        if REASONING.search(model.name):
            return NEW_CAP
        old = DATED.match(model.api_version) and model.api_version < NEW_CAP_SINCE
        return OLD_CAP if old or OF_OTHERS.search(model.name) else NEW_CAP


class AzureResponsesWire(AtAzure, ResponsesWire):
    """Responses: their deployment stands in the body alone, at a dated endpoint too."""
