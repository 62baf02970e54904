"""Azure OpenAI's files and batches: OpenAI's at a resource, and looser. Facts: its reference as of 2026-11."""

import math
from typing import Any

from msgspec.structs import replace

from pipeline.sandbox.batches.dialect import Asked
from pipeline.sandbox.batches.http import Ask
from pipeline.sandbox.batches.openai import ENDPOINTS, OpenAIBatches
from pipeline.sandbox.batches.openai_shapes import loose
from pipeline.sandbox.batches.store import Batch, StoredFile
from pipeline.sandbox.exchange import Refused
from pipeline.sandbox.wires.openai import azure_errors
from pipeline.sandbox.wires.openai.azure import Azure, AzureResponses

PENDING_S = 0.1  # until a file can be used
LINE_PATHS = {"azure": "/openai/v1/chat/completions", "azure responses": "/openai/v1/responses"}


class AzureBatches(OpenAIBatches):
    """`root`: of its v1 endpoint, or of the dated versions. It ends no batch by itself."""

    name = "azure"
    endpoints = (*ENDPOINTS, "/chat/completions", "/responses")
    life_s = math.inf
    most_lines = 100_000
    wire = Azure()
    responses = AzureResponses()

    def __init__(self, root: str) -> None:
        self.root = root

    def refusal(self, status: int, message: str) -> Refused:
        return azure_errors.refusal(status, str(status), message)

    def asked(self, batch: Batch, line: bytes) -> Asked:
        asked = super().asked(batch, line)
        return Asked(asked.wire, replace(asked.received, path=LINE_PATHS[asked.wire.name]))

    def _file_status(self, file: StoredFile, now_s: float) -> str:
        return "processed" if now_s >= file.created_s + PENDING_S or file.purpose != "batch" else "pending"

    def _batch(self, ask: Ask, batch: Batch) -> dict[str, Any]:
        shape = super()._batch(ask, batch)
        return loose(shape) if ask.desk.faults.set.azure_loose else shape
