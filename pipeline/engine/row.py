"""One row to its outcome: its chunks are asked for side by side, judged, repaired once, and merged.

The order of a row's life stands here and nowhere else; each step is decided by a pure function and done by the caller.
"""

import asyncio
from collections.abc import Sequence
from itertools import chain
from typing import Any

from msgspec.structs import replace

from pipeline.admission.gate import TenantOverBudget
from pipeline.admission.stop import Stopped
from pipeline.codes import AnswerFrom, ErrorCode, Status
from pipeline.documents.chunks import rough_tokens
from pipeline.engine.ask import Ask, RowFailed, RowLife, Together, TooLong
from pipeline.engine.context import records_before
from pipeline.engine.evidence import grounding_of
from pipeline.engine.feed import RowTask
from pipeline.engine.in_packs import InPacks
from pipeline.engine.lookups import Rounds, Run
from pipeline.engine.row_end import ChunkAnswer, RowEnds, failed
from pipeline.engine.row_state import RowState
from pipeline.extraction import requests as planning
from pipeline.extraction.cutting import smaller
from pipeline.extraction.evidence.asked import SYSTEM
from pipeline.extraction.judge import judge_of
from pipeline.extraction.policy import Next, Tried, after_reply, row_code
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.validate import Invalid, Valid, repair_turns
from pipeline.ledger.records import StoredAnswer
from pipeline.schema.arrow import RecordColumn
from pipeline.text import COMPLAINT, DOUBT
from pipeline.types import Answer, Chunk, Outcome, Request, Row, Stop


class Extraction:
    """What all rows of a run share on their way from text to record."""

    def __init__(
        self,
        prepared: Prepared,
        ask: Ask,
        column: RecordColumn,
        run: Run | None = None,
        together: Together | None = None,
    ) -> None:
        """`together`: for rows that may go in a call with others; None: each goes alone."""
        self._prepared = prepared
        self._plan = prepared.plan
        self._ask = ask
        self._rounds = Rounds(prepared, ask, run)
        job = prepared.job
        self._ends = RowEnds(prepared, column)
        self._grounding = grounding_of(prepared, self._ends)
        self._judge = judge_of(
            prepared.model, prepared.shaped, column, job.model.provider, job.model.base_url, job.extract.mode
        )
        self._packed = None if together is None else InPacks(prepared, together, column)

    async def outcome(self, task: RowTask) -> Outcome:
        """Where the row ends.

        Raises:
            Stopped: the run ends before it. TenantOverBudget: its tenant has nothing left for today.
        """
        life = RowLife()
        state = RowState(task, life, next_number=len(task.chunks) + task.skipped)
        end: dict[str, Any]
        try:
            end = await self._end(state)
        except RowFailed as failure:
            end = {
                "status": Status.FAILED,
                "error_code": failure.code,
                "error": str(failure),
                "finish_reason": failure.finish_reason,
                "model_version": failure.model_version,
                "chunks": len(task.chunks),
            }
        latency_ms = None if life.first_sent_s is None else round((self._ask.now_s() - life.first_sent_s) * 1000)
        by = next((source for source in AnswerFrom if source in life.sources), AnswerFrom.CALL)
        reused = tuple(sorted(life.reused_runs))
        return Outcome(
            doc=task.doc,
            row=task.row.index,
            latency_ms=latency_ms,
            answer_from=by,
            reused_runs=reused,
            text=self._text_of(task.row),
            chunks_skipped=task.skipped,
            **end,
        )

    def _text_of(self, row: Row) -> str | None:
        """Where it is to be kept."""
        if not self._prepared.job.extract.keep_text:
            return None
        return row.text if row.reading is None else row.reading.text

    async def _end(self, state: RowState) -> dict[str, Any]:
        answers = await self._every_chunk(state)
        end = self._ends.merged(answers)
        if self._grounding is not None and end["status"] is Status.OK:
            end = await self._grounding.grounded(state.row, answers, end, _Second(self, state))
        return self._ends.compared(state.row, end)

    async def _every_chunk(self, state: RowState) -> list[ChunkAnswer]:
        """Side by side; one after the other where each chunk is to know of those before."""
        chunks = state.task.chunks
        if not self._plan.in_turn or len(chunks) == 1:
            return await self._side_by_side(state, chunks, shrunk=False)
        groups: list[list[ChunkAnswer]] = []
        for chunk in chunks:
            groups.append(await self._one_chunk(state, chunk, shrunk=False))
            if self._plan.window_chunks:
                state.before = records_before(self._plan, self._prepared.counter, groups)
            elif chunk is not chunks[-1]:
                state.before = await self._summary(state, chunk)
        return list(chain.from_iterable(groups))

    async def _summary(self, state: RowState, chunk: Chunk) -> str:
        request = planning.extract_request(self._plan, state.row, chunk)
        asked = planning.summary_request(self._plan, request, state.before, chunk)
        try:
            reply = await self._free_text(asked, state)
        except TooLong as error:  # its chunk may have fitted in halves, but the next one is not read without it
            raise RowFailed(ErrorCode.CONTEXT_EXCEEDED, f"the summary of a chunk: {error}") from None
        if reply.stop in {Stop.REFUSED, Stop.BLOCKED}:
            raise failed(row_code(reply.stop), request, reply, None)
        return reply.text.strip()  # one that its cap cut off is still a summary

    async def _read(self, state: RowState, request: Request) -> Request:
        """The first of two steps; returns the second's request.

        Raises:
            TooLong: the document is to be cut smaller. RowFailed: it was not read to its end.
        """
        reading, tried = planning.reading_request(self._plan, request), Tried()
        while True:
            reply = await self._free_text(reading, state)
            if reply.stop is Stop.DONE:
                tokens = self._prepared.counter.count(reply.text)
                return planning.normalising_request(self._plan, request, reply.text, tokens)
            step = after_reply(reply.stop, False, tried)
            raised = planning.raised_request(self._plan, reading) if step.next is Next.RAISE_CAP else None
            if raised is None:
                raise failed(step.code or ErrorCode.TRUNCATED, reading, reply, None)
            reading, tried = raised, replace(tried, raised_cap=True)

    async def _free_text(self, request: Request, state: RowState) -> Answer:
        return await self._ask.ask(
            request,
            state.life,
            lambda answer: answer.session > state.stale_session or answer.reply.stop is Stop.DONE,
        )

    async def _side_by_side(self, state: RowState, chunks: Sequence[Chunk], *, shrunk: bool) -> list[ChunkAnswer]:
        """Every chunk's answers, in order; the first failure, in order, is the row's."""
        if len(chunks) == 1:
            return await self._one_chunk(state, chunks[0], shrunk=shrunk)
        results = await asyncio.gather(
            *(self._or_abandon(state, chunk, shrunk=shrunk) for chunk in chunks), return_exceptions=True
        )
        for kind in (RowFailed, Stopped, TenantOverBudget, Exception):
            for result in results:
                if isinstance(result, kind):
                    raise result
        return list(chain.from_iterable(result for result in results if not isinstance(result, BaseException)))

    async def _or_abandon(self, state: RowState, chunk: Chunk, *, shrunk: bool) -> list[ChunkAnswer]:
        try:
            return await self._one_chunk(state, chunk, shrunk=shrunk)
        except RowFailed:
            state.life.alive = False  # what the row's other chunks have not yet sent would be wasted
            raise

    async def _one_chunk(self, state: RowState, chunk: Chunk, *, shrunk: bool) -> list[ChunkAnswer]:
        """With other rows where that may be; what that brings and does not fit is repaired alone."""
        request, tried = planning.extract_request(self._plan, state.row, chunk, state.before), Tried(shrunk=shrunk)
        found = None if self._packed is None else await self._packed.answer(state, chunk, request)
        if isinstance(found, ChunkAnswer):
            return [found]
        if found is not None:
            request, tried = self._repair(request, *found), replace(tried, repaired=True)
        return await self._asked(state, chunk, request, tried)

    async def _asked(self, state: RowState, chunk: Chunk, request: Request, tried: Tried) -> list[ChunkAnswer]:
        """Ask, judge, and do what `after_reply` says until it accepts or gives up."""
        read = not self._plan.two_step
        part = self._merges and (tried.shrunk or len(state.task.chunks) > 1)
        while True:
            try:
                if not read:
                    request, read = await self._read(state, request), True
                request, reply = await self._rounds.ask(
                    request, state.life, lambda answer: self._reusable(state, answer, part, chunk)
                )
            except TooLong as error:
                if tried.shrunk or tried.repaired:
                    raise RowFailed(ErrorCode.CONTEXT_EXCEEDED, str(error)) from None
                return await self._smaller(state, request, chunk, error)
            verdict = self._judged(reply, part)
            step = after_reply(reply.stop, isinstance(verdict, Valid), _now(tried, verdict))
            if step.next is Next.ACCEPT and isinstance(verdict, Valid):
                return [ChunkAnswer(chunk, request, verdict.record, verdict.record_json, reply, tried.repaired)]
            if step.next is Next.REPAIR and isinstance(verdict, Invalid):
                request, tried = self._repair(request, reply, verdict.errors), replace(tried, repaired=True)
                continue
            if step.next is Next.RAISE_CAP and (raised := planning.raised_request(self._plan, request)) is not None:
                request, tried = raised, replace(tried, raised_cap=True)
                continue
            raise failed(step.code or ErrorCode.TRUNCATED, request, reply, verdict)

    async def _smaller(self, state: RowState, request: Request, chunk: Chunk, error: TooLong) -> list[ChunkAnswer]:
        """The one retry of a chunk that was too long."""
        cap, number = request.max_output_tokens, state.next_number
        pieces = smaller(self._plan, self._prepared.counter, chunk, str(error), cap, number)
        if len(pieces) < 2:
            raise RowFailed(ErrorCode.CONTEXT_EXCEEDED, str(error)) from None
        state.next_number += len(pieces)
        return await self._side_by_side(state, pieces, shrunk=True)

    async def ask_where(self, state: RowState, request: Request, question: str) -> str:
        try:
            asked = planning.evidence_request(self._plan, request, SYSTEM, question)
            return (await self._free_text(asked, state)).text
        except (TooLong, RowFailed):  # the record is as good without
            return ""

    async def repair_doubted(self, state: RowState, one: ChunkAnswer, doubts: Sequence[str]) -> ChunkAnswer | None:
        if one.repaired:
            return None
        request = self._repair(one.request, one.reply, doubts, DOUBT)
        part = self._merges and len(state.task.chunks) > 1
        try:
            reply = await self._ask.ask(
                request, state.life, lambda answer: self._reusable(state, answer, part, one.chunk)
            )
        except TooLong:
            return None
        verdict = self._judged(reply, part)
        if not isinstance(verdict, Valid):
            return None
        return ChunkAnswer(one.chunk, request, verdict.record, verdict.record_json, reply, repaired=True)

    def _repair(self, request: Request, reply: Answer, errors: Sequence[str], complaint: str = COMPLAINT) -> Request:
        turns = repair_turns(request.turns, reply.text, errors, complaint)
        added = sum(rough_tokens(turn.text) for turn in turns[len(request.turns) :])
        return planning.repair_request(self._plan, request, turns, added)

    @property
    def _merges(self) -> bool:
        return self._prepared.job.extract.merge in {"auto", "concat"}

    def _judged(self, reply: Answer, part: bool) -> Valid | Invalid | None:  # noqa: FBT001 (a fact, not a switch)
        """The record in an answer that ended by itself, or what is wrong with it. `part`: of one that is merged."""
        return self._judge.verdict(reply.text, part=part) if reply.stop is Stop.DONE else None

    def _reusable(self, state: RowState, answer: StoredAnswer, part: bool, chunk: Chunk) -> bool:  # noqa: FBT001 (a fact)
        """A retry asks again for what was bad when the row failed; everything else on record is taken as it is."""
        if answer.session > state.stale_session:
            return True
        verdict = self._judged(answer.reply, part)
        if not isinstance(verdict, Valid):
            return False
        return self._grounding is None or self._grounding.is_grounded(state.row, chunk, verdict.record_json)


def _now(tried: Tried, verdict: Valid | Invalid | None) -> Tried:
    """A repair that cannot help is not asked for: as if it had been."""
    helpless = isinstance(verdict, Invalid) and not verdict.repairable
    return replace(tried, repaired=True) if helpless else tried


class _Second:
    """A row's second questions."""

    def __init__(self, extraction: Extraction, state: RowState) -> None:
        self._extraction = extraction
        self._state = state

    async def where(self, request: Request, question: str) -> str:
        return await self._extraction.ask_where(self._state, request, question)

    async def doubted(self, one: ChunkAnswer, doubts: Sequence[str]) -> ChunkAnswer | None:
        return await self._extraction.repair_doubted(self._state, one, doubts)
