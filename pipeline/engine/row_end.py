"""The answers to a row's chunks → how the row ends."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct
from pydantic import BaseModel

from pipeline.codes import ErrorCode, Status
from pipeline.engine.ask import RowFailed
from pipeline.extraction.merge import Merged, merge
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.usage import all_reasoning
from pipeline.extraction.validate import Invalid, Valid
from pipeline.parts import files_of
from pipeline.schema.arrow import RecordColumn
from pipeline.types import Answer, Chunk, Request, Row

MESSAGES = {
    ErrorCode.TRUNCATED: "the answer hit its cap of {cap} output tokens, and a higher cap did not help. "
    "Raise model.max_output_tokens, or lower chunks.max_tokens",
    ErrorCode.REFUSED: "the model declined: {text}",
    ErrorCode.BLOCKED: "a content filter stopped the answer ({finish})",
}


ALL_REASONING = "{:,} tokens of reasoning, no answer: lower model.reasoning or raise model.max_output_tokens"

PART_REASONING = ". {:,} tokens of it were reasoning: a lower model.reasoning leaves more"


class ChunkAnswer(Struct, frozen=True):
    """One chunk's answer, judged good, and the request that got it."""

    chunk: Chunk
    request: Request
    record: BaseModel
    record_json: str
    reply: Answer
    repaired: bool


class RowEnds:
    """How rows of a job end, as fields of their outcomes."""

    def __init__(self, prepared: Prepared, column: RecordColumn) -> None:
        self._prepared = prepared
        self._column = column

    def merged(self, answers: Sequence[ChunkAnswer]) -> dict[str, Any]:
        last = answers[-1].reply
        ended: dict[str, Any] = {
            "status": Status.OK,
            "chunks": len(answers),
            "repaired": any(one.repaired for one in answers),
            "finish_reason": last.finish_reason,
            "model_version": last.model_version,
        }
        rule, plan = self._prepared.job.extract.merge, self._prepared.plan
        if rule == "none" and plan.select:
            ended["chunk_numbers"] = tuple(one.chunk.number for one in answers)
        if rule == "none" or len(answers) == 1:
            return {**ended, "records": tuple(one.record_json for one in answers)}
        of_files = any(files_of(one.chunk.parts) for one in answers)
        overlapping = (plan.page_bounds.overlap_pages if of_files else plan.overlap_tokens) > 0
        merged = merge(self._prepared.model, rule, [one.record for one in answers], overlapping=overlapping)
        if isinstance(merged, Merged) and (problem := self._column.problem_of(merged.record_json)) is None:
            return {**ended, "records": (merged.record_json,), "conflicts": merged.conflicts}
        errors = merged.errors if isinstance(merged, Invalid) else (f"merged record: {problem}",)
        failed = {"status": Status.FAILED, "error_code": ErrorCode.INVALID_OUTPUT, "error": "; ".join(errors)}
        return {**ended, **failed}

    @cached_property
    def _schema(self) -> dict[str, Any]:
        return self._prepared.model.model_json_schema()

    def compared(self, row: Row, end: dict[str, Any]) -> dict[str, Any]:
        """With the fields that the XML in an e-invoice contradicts."""
        if row.witness is None or len(end.get("records", ())) != 1:
            return end
        from pipeline.extraction.xml_compare import conflicts  # noqa: PLC0415 (few jobs have e-invoices)

        record = json.loads(end["records"][0])
        return {**end, "xml_conflicts": conflicts(record, self._schema, row.witness)}


def failed(code: ErrorCode, request: Request, reply: Answer, verdict: Valid | Invalid | None) -> RowFailed:
    """The end of a row whose chunk got no answer that counts, in words."""
    if isinstance(verdict, Invalid):
        return RowFailed(code, "; ".join(verdict.errors), reply=reply)
    if code is ErrorCode.TRUNCATED and (thought := all_reasoning(reply)):
        return RowFailed(code, ALL_REASONING.format(thought), reply=reply)
    text = MESSAGES[code].format(cap=request.max_output_tokens, text=reply.text[:300], finish=reply.finish_reason)
    if code is ErrorCode.TRUNCATED and reply.usage.reasoning_tokens:
        text += PART_REASONING.format(reply.usage.reasoning_tokens)
    return RowFailed(code, text, reply=reply)
