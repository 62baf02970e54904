"""One request to its answer: found on record, or admitted, sent, journalled, and tried again if it may be.

The one place that spends money. A twin of a request in flight waits for its answer and pays nothing.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.admission.gate import Admitted, Gate
from pipeline.admission.governor import UNSENT, Used
from pipeline.admission.queue import NeverFits, TenantOverBudget
from pipeline.crash_points import crash_point
from pipeline.engine.hedging import SUPERSEDED, Latencies, first_answer
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.policy import KIND_CODES, STOP_CODES, Action, Decision, Policy, decide
from pipeline.extraction.prepare import Prepared
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Answer, Call, Send
from pipeline.money import cost_usd, to_units
from pipeline.providers import Transport, Wire
from pipeline.telemetry.summary import parked_text
from pipeline.telemetry.tally import Tally
from pipeline.types import AnswerFrom, AttemptCode, ErrorCode, Reply, Request, Usage

FATE_UNKNOWN = {Kind.TIMEOUT, Kind.CONNECTION}


class RowFailed(Exception):
    """The row ends here, with this code."""

    def __init__(self, code: ErrorCode, message: str, *, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.finish_reason = reply.finish_reason if reply else None
        self.model_version = reply.model_version if reply else None


class TooLong(Exception):
    """The provider refused the length: smaller chunks may help."""


class Abandoned(Exception):
    """Another chunk of this row failed, so that this request, not yet sent, would be wasted."""


class RowLife(Struct):
    """What the requests of one row share."""

    alive: bool = True
    first_sent_s: float | None = None  # on the loop's clock
    sources: set[AnswerFrom] = field(default_factory=set)


class Caller:
    def __init__(
        self, prepared: Prepared, ledger: Ledger, gate: Gate, wire: Wire, transport: Transport, tally: Tally
    ) -> None:
        self._rate = prepared.rate
        self._policy = Policy(max_attempts=prepared.job.limits.max_attempts)
        self._ledger = ledger
        self._gate = gate
        self._loop = asyncio.get_running_loop()  # asked once: until Python 3.12 each asking is a system call
        self._wire = wire
        self._transport = transport
        self._tally = tally
        self._hedge_after = prepared.job.limits.hedge_after
        self._latencies = Latencies()
        self._asked: dict[bytes, asyncio.Future[Reply]] = {}
        self.prefix = secrets.token_hex(10)  # of the request ids: as good as UUIDs, without their price
        self._ids = map((self.prefix + "%012x").__mod__, count())

    def now_s(self) -> float:
        """On the clock of `RowLife.first_sent_s`."""
        return self._loop.time()

    async def ask(self, request: Request, life: RowLife, reusable: Callable[[Answer], bool]) -> Reply:
        """The answer to `request`, paid for at most once.

        Raises:
            RowFailed, TooLong: as `retrying.decide` says. Stopped: the run ends early. TenantOverBudget: this row is
            left for another day. Abandoned: nobody wants it now.
        """
        while (twin := self._asked.get(request.key)) is not None:
            try:
                reply = await asyncio.shield(twin)
            except (Abandoned, TenantOverBudget):
                continue  # nobody is asking any more: it is this row's own to ask
            life.sources.add(AnswerFrom.DUPLICATE)
            return reply
        found = self._ledger.answer(request.key)
        if found is not None and reusable(found):
            life.sources.add(AnswerFrom.DUPLICATE if found.run == self._ledger.run else AnswerFrom.LEDGER)
            return found.reply
        promise: asyncio.Future[Reply] = self._loop.create_future()
        promise.add_done_callback(_seen)
        self._asked[request.key] = promise
        try:
            reply = await self._until_answered(request, life)
        except BaseException as error:
            del self._asked[request.key]
            promise.set_exception(Abandoned() if isinstance(error, asyncio.CancelledError) else error)
            raise
        life.sources.add(AnswerFrom.CALL)
        promise.set_result(reply)
        return reply

    async def _until_answered(self, request: Request, life: RowLife) -> Reply:
        tries, failed = _Tries(), 0
        while True:
            try:
                if not self._hedge_after:
                    return await self._one_call(request, tries, life)
                return await first_answer(lambda: self._one_call(request, tries, life), lambda: self._overdue(tries))
            except CallFailed as failure:
                decision = decide(failure, failed + 1, self._policy, random.random())
                failed += decision.action is Action.RETRY
                await self._carry_out(decision, failure)

    async def _one_call(self, request: Request, tries: "_Tries", life: RowLife) -> Reply:
        ticket, wait_ms = await self._admitted(request, retry=tries.sent > 0)
        if not life.alive:
            self._gate.settle(ticket, UNSENT)
            raise Abandoned
        tries.sent += 1
        return await self._attempt(request, ticket, _Try(tries.sent, wait_ms, tries), life)

    def _overdue(self, tries: "_Tries") -> bool:
        """Whether a second call is worth its price: only where it takes no slot from a row that waits."""
        most_s = self._latencies.hedge_s(self._hedge_after)
        if most_s is None or tries.sent_s is None or self._gate.waiting or self._gate.stopped:
            return False
        return self._loop.time() - tries.sent_s >= most_s

    async def _admitted(self, request: Request, *, retry: bool) -> tuple[Admitted, int]:
        asked_s = self._loop.time()
        try:
            ticket = await self._gate.admit(request, retry=retry)
        except NeverFits as error:
            raise RowFailed(ErrorCode.CONTEXT_EXCEEDED, str(error)) from None
        return ticket, round((self._loop.time() - asked_s) * 1000)

    async def _attempt(self, request: Request, ticket: Admitted, this: "_Try", life: RowLife) -> Reply:
        """One HTTP attempt, on record before and after. The slot is free once the answer is here, not yet on disk."""
        loop = self._loop
        used: Used | None = UNSENT  # nothing has left yet
        try:
            at_risk = to_units(ticket.usd)
            send = Send(
                next(self._ids), request.row, request.row_id, request.chunk, request.purpose, this.number,
                time.time_ns() // 1000, at_risk, request.tenant,
            )  # fmt: skip
            await self._ledger.intend(send)
            crash_point("call-named")
            used = None  # from here on, what it costs is not known until an answer says so
            started_s = this.tries.sent_s = loop.time()
            if life.first_sent_s is None:
                life.first_sent_s = started_s
            try:
                answered = await self._transport.send(self._wire, request)
                crash_point("answer-received")
                reply = self._wire.reply(answered)
            except CallFailed as failure:
                used = self._used_by(failure)
                self._record_failure(failure, send, this, round((loop.time() - started_s) * 1000))
                self._tell_limits(failure, ticket)
                raise
            except asyncio.CancelledError as cancelled:
                if cancelled.args == (SUPERSEDED,):
                    self._record_superseded(send, this, round((loop.time() - started_s) * 1000))
                raise
            cost = self._cost(reply.usage)
            used = _used(reply.usage, cost)
        finally:
            self._gate.settle(ticket, used)
        self._gate.observe(request, reply.usage.input_tokens)
        if self._hedge_after:
            self._latencies.add(loop.time() - started_s)
        self._gate.limits(ticket, reply.limits)
        self._gate.ok(reply.retry_after_s, ticket)
        call = Call(
            send,
            round((loop.time() - started_s) * 1000),
            this.wait_ms,
            reply.usage,
            None if cost is None else to_units(cost),
            http_status=answered.status,
            provider_request_id=reply.provider_request_id,
            model_version=reply.model_version,
            error_code=STOP_CODES.get(reply.stop),
            finish_reason=reply.finish_reason,
            ttft_ms=answered.ttft_ms,
        )
        durable = self._ledger.record(call, request.key, reply)
        durable.add_done_callback(lambda _: self._asked.pop(request.key, None))
        self._tally.called(call)
        return reply

    def _record_superseded(self, send: Send, this: "_Try", latency_ms: int) -> None:
        call = Call(
            send,
            latency_ms,
            this.wait_ms,
            Usage(),
            None,
            send.at_risk_units,
            error_code=AttemptCode.HEDGED,
            error=SUPERSEDED,
        )
        self._ledger.record(call)
        self._tally.called(call)

    def _record_failure(self, failure: CallFailed, send: Send, this: "_Try", latency_ms: int) -> None:
        unknown = failure.kind in FATE_UNKNOWN and failure.sent and failure.usage is None
        cost = None if unknown else self._cost(failure.usage or Usage())
        call = Call(
            send,
            latency_ms,
            this.wait_ms,
            failure.usage or Usage(),
            None if cost is None else to_units(cost),
            at_risk_units=send.at_risk_units if unknown else 0,
            http_status=failure.status,
            provider_request_id=failure.provider_request_id,
            model_version=failure.model_version,
            error_code=KIND_CODES[failure.kind],
            error=failure.message,
            finish_reason=failure.finish_reason,
        )
        self._ledger.record(call)
        self._tally.called(call)

    def _used_by(self, failure: CallFailed) -> Used | None:
        if failure.kind in FATE_UNKNOWN and failure.sent and failure.usage is None:
            return None
        usage = failure.usage or Usage()
        return replace(_used(usage, self._cost(usage)), rejected=failure.kind is Kind.THROTTLED)

    def _tell_limits(self, failure: CallFailed, ticket: Admitted) -> None:
        self._gate.limits(ticket, failure.limits)
        if failure.kind is Kind.THROTTLED:
            self._gate.throttled(ticket, failure.retry_after_s, random.random())
        elif failure.kind in {Kind.OVERLOADED, Kind.TIMEOUT, Kind.CONNECTION}:
            self._gate.overloaded(failure.retry_after_s, random.random())

    async def _carry_out(self, decision: Decision, failure: CallFailed) -> None:
        """Wait, or end the row or the run."""
        match decision.action:
            case Action.WAIT:
                return
            case Action.RETRY:
                await self._gate.pause(decision.wait_s)
            case Action.SHRINK:
                raise TooLong(str(failure))
            case Action.FAIL if decision.code is not None:
                raise RowFailed(decision.code, str(failure))
            case _ if decision.park is not None:
                self._gate.stop(decision.park, parked_text(failure, datetime.now(UTC)))
                await self._gate.pause(0)  # raises Stopped

    def _cost(self, usage: Usage) -> Decimal | None:
        return None if self._rate is None else cost_usd(usage, self._rate)


class _Tries(Struct):
    """The attempts of one request."""

    sent: int = 0
    sent_s: float | None = None  # the last of them, on the loop's clock


class _Try(Struct, frozen=True):
    number: int  # from 1
    wait_ms: int
    tries: _Tries


def _used(usage: Usage, cost: Decimal | None) -> Used:
    cached = usage.cached_input_tokens  # which some providers count against no limit
    return Used(usage.input_tokens, usage.output_tokens, cost or Decimal(0), cached_input_tokens=cached)


def _seen(promise: "asyncio.Future[Reply]") -> None:
    """Mark the exception as looked at: nobody may have been waiting for it."""
    if not promise.cancelled():
        promise.exception()
