"""A row that may go in a call with others: whether it does, and what its answer is worth."""

from pipeline.codes import ErrorCode
from pipeline.engine.ask import Together
from pipeline.engine.row_end import ChunkAnswer, failed
from pipeline.engine.row_state import RowState
from pipeline.extraction.judge import judge_of
from pipeline.extraction.packs import item_of
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.validate import Valid
from pipeline.schema.arrow import RecordColumn
from pipeline.types import Answer, Chunk, Request


class InPacks:
    """Of a job that packs."""

    def __init__(self, prepared: Prepared, together: Together, column: RecordColumn) -> None:
        assert prepared.packed is not None  # noqa: S101 (the job packs)
        job, self._plan, self._pack = prepared.job, prepared.plan, prepared.packed.plan
        self._together = together
        self._judge = judge_of(
            prepared.model, prepared.packed.item, column, job.model.provider, job.model.base_url, job.extract.mode
        )

    async def answer(
        self, state: RowState, chunk: Chunk, request: Request
    ) -> ChunkAnswer | tuple[Answer, tuple[str, ...]] | None:
        """What came back for the row, judged good, or with what is wrong with it; None: it is to be asked about alone.

        So is a row whose document was cut, and one that a retry is to mend: what it got in a pack did not do.

        Raises:
            RowFailed: what came back is not good, and no other answer would be. Stopped: the run ends before it.
        """
        if len(state.task.chunks) > 1 or state.task.skipped or state.stale_session or chunk.number:
            return None
        item = item_of(self._plan, self._pack, state.row, chunk, request)
        reply = None if item is None else await self._together.answer(item, state.life)
        if reply is None:
            return None
        verdict = self._judge.verdict(reply.text)
        if isinstance(verdict, Valid):
            return ChunkAnswer(chunk, request, verdict.record, verdict.record_json, reply, repaired=False)
        if not verdict.repairable:
            raise failed(ErrorCode.INVALID_OUTPUT, request, reply, verdict)
        return reply, verdict.errors
