"""The Batch API of an Azure resource: OpenAI's, with a deployment of its own and looser answers. Pure.

learn.microsoft.com, "Getting started with Azure OpenAI batch deployments", its REST examples, and reports, as of
2026-11. The resource's own paths, never those of a deployment: the deployment stands in each line, and has to be of the
kind Global-Batch or DataZone-Batch. A batch is never ended by its age.
"""

import orjson

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers.batches import BatchAsk, BatchLimits, Given
from pipeline.providers.files import Body
from pipeline.providers.hints import shortened
from pipeline.providers.json import string
from pipeline.providers.openai.azure import place_of
from pipeline.providers.openai.batches import OpenAIBatches, quoted, told_in
from pipeline.providers.openai.wire import OpenAIWire
from pipeline.types import HttpAnswer

NOT_READY = {"pending", "running", "notrunning"}
BROKEN = {"error", "failed", "deleting", "deleted", "canceled", "cancelled"}
CHAT, RESPONSES = "/chat/completions", "/v1/responses"  # as its examples have them, one without its version
MEMBER = b'"model":'


class AzureBatches(OpenAIBatches):
    """`batch.deployment` answers the lines that ask `model.name` live."""

    limits = BatchLimits(rows=100_000, size_bytes=200_000_000, life_s=0.0)

    def __init__(self, model: Model, wire: OpenAIWire, given: Given) -> None:
        if not given.batch.deployment:
            told = "model.lane = 'batch' with azure needs batch.deployment: the name of a deployment of the kind"
            raise JobError(f"{told} Global-Batch or DataZone-Batch. One for live calls takes no batches")
        super().__init__(model, wire, given)
        self._live = MEMBER + orjson.dumps(model.name)
        self._deployed = MEMBER + orjson.dumps(given.batch.deployment)

    def line(self, name: str, body: Body) -> bytes:
        """The first `model` in a body is its own: it stands before all that a document says."""
        return super().line(name, bytes(body).replace(self._live, self._deployed, 1))

    def file_look(self, file_ref: str) -> BatchAsk:
        """A batch of a file that is still `pending` fails."""
        return BatchAsk("GET", self._at(f"/files/{quoted(file_ref)}"))

    def file_ready(self, answer: HttpAnswer) -> bool:
        if answer.status == 404:  # for about a second after it went up
            return False
        told = told_in(answer)
        status = string(told.get("status")).lower()
        if status in BROKEN:
            details = shortened(string(told.get("status_details")))
            raise CallFailed(Kind.INVALID_REQUEST, f"the uploaded file is {status}: {details}", answer.status)
        return status not in NOT_READY

    def _place(self, model: Model) -> tuple[str, str]:
        return place_of(model)

    def _asked_at(self, path: str) -> str:
        return CHAT if path == CHAT else RESPONSES
