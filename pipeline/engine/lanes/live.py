"""The live lane: a request is admitted, named on the ledger, sent, journalled, and tried again if it may be.

The one place that spends money.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, cast

from msgspec.structs import replace

from pipeline.admission.charges import Used, used_by
from pipeline.admission.gate import Admitted, Gate, NeverFits
from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT, CallEnd, Report
from pipeline.codes import AttemptCode, ErrorCode
from pipeline.crash_points import crash_point
from pipeline.engine.ask import Abandoned, Delivered, RowFailed, RowLife, TooLong
from pipeline.engine.hedge import SUPERSEDED, Latencies, first_answer
from pipeline.engine.lanes.attempts import Attempt, Named, NamingGate, Sent
from pipeline.engine.lanes.books import Books
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.files import holds_files, pages_of
from pipeline.engine.lanes.tariff import Tariff
from pipeline.engine.lanes.tries import Tries
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.policy import KIND_CODES, STOP_CODES, Action, Decision, Policy, backoff_s, decide
from pipeline.extraction.refusals import never_fits, refusal
from pipeline.extraction.usage import whole_usage
from pipeline.job.settings import Limits
from pipeline.ledger.records import Call, Send
from pipeline.ledger.remote import CallBooks
from pipeline.money import Rate, to_units
from pipeline.providers import Upload
from pipeline.telemetry.summary import parked_text
from pipeline.telemetry.tally import Tally
from pipeline.types import Answer, HttpAnswer, PartialUsage, Request, Stop, Usage

CALL_ENDS = {
    Kind.THROTTLED: CallEnd.THROTTLED,
    **dict.fromkeys((Kind.OVERLOADED, Kind.TIMEOUT, Kind.CONNECTION), CallEnd.OVERLOADED),
}


class LiveLane:
    """`rate` None: the model has no price. `model`: NAME of the one that is asked, if not the job's [model].

    `naming`: the gate, where that puts a call on the ledger as it lets it in.
    """

    def __init__(  # noqa: PLR0913 (all that a call meets on its way)
        self,
        limits: Limits,
        rate: Rate | None,
        ledger: CallBooks,
        gate: Gate[Any],
        carrier: Carrier,
        tally: Tally,
        *,
        model: str | None = None,
        naming: NamingGate | None = None,
    ) -> None:
        self._naming = naming
        self._model = model
        self._policy = Policy(max_attempts=limits.max_attempts, max_wait_s=limits.max_wait_s or None)
        self._tariff = Tariff(rate)
        self._ledger = ledger
        self._gate = gate
        self._carrier = carrier
        self._books = Books(ledger, rate)
        self._tally = tally
        self._loop = asyncio.get_running_loop()  # asked once: until Python 3.12 each asking is a system call
        self._hedge_after = limits.hedge_after
        self._latencies = Latencies()
        self.prefix = secrets.token_hex(10)  # of the request ids: as good as UUIDs, without their price
        self._ids: Iterator[str] = map((self.prefix + "%012x").__mod__, count())

    async def answer(self, request: Request, life: RowLife) -> Delivered:
        """As `Lane.answer`: as many attempts as it takes, or as are allowed."""
        tries, failed = Tries(), 0
        while True:
            try:
                return await self._try(request, tries, life)
            except CallFailed as failure:
                if self._carrier.falls_back(request, failure):
                    request = replace(request, standard_tier=True)
                    await self._gate.pause(backoff_s(1, random.random()))
                    continue
                decision = decide(failure, failed + 1, self._policy, random.random(), tries.waited_s(self._loop.time()))
                failed += decision.action is Action.RETRY
                await self._carry_out(decision, failure)

    async def _try(self, request: Request, tries: Tries, life: RowLife) -> Delivered:
        tries.sent_s = None  # the last one's time says nothing of a call that has yet to leave
        if not self._hedge_after:
            return await self._call(request, tries, life)
        return await first_answer(lambda: self._call(request, tries, life), lambda: self._overdue(tries))

    def _overdue(self, tries: Tries) -> bool:
        """Whether a second call is worth its price: only where it takes no slot from a row that waits."""
        most_s = self._latencies.hedge_s(self._hedge_after)
        if most_s is None or tries.sent_s is None or self._gate.waiting or self._gate.stopped:
            return False
        return self._loop.time() - tries.sent_s >= most_s

    async def _call(self, request: Request, tries: Tries, life: RowLife) -> Delivered:
        asked_s = self._loop.time()
        ticket = await self._admitted(request, tries)
        if not life.alive:
            self._gate.finish(ticket, NEVER_SENT)
            raise Abandoned
        tries.sent += 1
        named = None if self._naming is None else cast("Named", ticket).named
        attempt = Attempt(request, ticket, tries.sent, round((self._loop.time() - asked_s) * 1000), named=named)
        files = self._carrier.files
        if files is None or not holds_files(request):
            return await self._attempt(attempt, tries, life)
        attempt = replace(attempt, pages=pages_of(request))
        with await files.of_attempt(attempt, self._gate, life) as upload:
            return await self._attempt(attempt, tries, life, upload)

    async def _admitted(self, request: Request, tries: Tries) -> Admitted:
        """Its turn; one that has met a 429 waits no longer than `limits.max_wait_s` after the first."""
        most_s, retry = self._policy.max_wait_s, tries.sent > 0
        deadline_s = None if most_s is None or tries.throttled_s is None else tries.throttled_s + most_s
        ticket: Admitted
        try:
            if deadline_s is None:
                ticket = await self._let_in(request, tries, retry=retry)
            else:
                async with asyncio.timeout_at(deadline_s):
                    ticket = await self._let_in(request, tries, retry=retry)
        except NeverFits as error:
            raise RowFailed(ErrorCode.CONTEXT_EXCEEDED, str(error)) from None
        except TimeoutError:
            told = f"the rate limit did not let it through within limits.max_wait_s = {most_s:g}"
            raise RowFailed(ErrorCode.RATE_LIMITED, told) from None
        return ticket

    async def _let_in(self, request: Request, tries: Tries, *, retry: bool) -> Admitted:
        """Named at the same time where the gate does that; files are loaded first, and may be gone."""
        if self._naming is None or holds_files(request):
            ticket: Admitted = await self._gate.admit(request, retry=retry)
            return ticket
        return await self._naming.admit(request, retry=retry, draft=self._draft(request, tries.sent + 1))

    # ── one attempt ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _attempt(self, attempt: Attempt, tries: Tries, life: RowLife, upload: Upload | None = None) -> Delivered:
        """One HTTP attempt, on record before and after. The slot is free once the answer is here, not yet on disk."""
        report = NEVER_SENT
        try:
            send = await self._named(attempt)
            report = FATE_UNKNOWN  # from here on, until an answer says what it cost
            sent = Sent(send, attempt.wait_ms, self._loop.time())
            tries.sent_s = sent.at_s
            if life.first_sent_s is None:
                life.first_sent_s = sent.at_s
            try:
                answered, told = await self._carrier.exchange(attempt.request, upload, fresh=tries.fresh)
            except CallFailed as failure:
                if never_fits(failure, attempt.request.input_tokens):
                    failure.kind = Kind.CONTEXT_EXCEEDED
                if not self._carrier.falls_back(attempt.request, failure):
                    tries.met(failure, self._loop.time())
                    self._park(failure)
                report = self._failure_report(attempt.request, failure)
                self._book(self._failed_call(sent, attempt.request, failure), attempt.request)
                raise
            except asyncio.CancelledError as cancelled:
                if cancelled.args == (SUPERSEDED,):
                    self._book(self._superseded_call(sent), attempt.request)
                raise
            usage = self._whole(attempt.request, told.usage, told.text, told.stop)
            reply = told if usage is told.usage else replace(told, usage=usage)
            cost = self._tariff.cost_usd(usage, told.tier, attempt.request)
            report = self._answer_report(attempt.request, told, used_by(usage, cost))
        finally:
            self._gate.finish(attempt.ticket, report)
        if self._hedge_after:
            self._latencies.add(self._loop.time() - sent.at_s)
        call = self._answered_call(sent, answered, reply, cost)
        delivered = self._books.answered(call, attempt.request, reply)
        self._tally.called(call)
        return delivered

    def _park(self, failure: CallFailed) -> None:
        """What ends the run ends it before the slot is free: nobody else leaves for the same refusal."""
        decision = decide(failure, 1, self._policy, 0.0)
        if decision.park is not None:
            self._gate.stop(decision.park, parked_text(failure, datetime.now(UTC)))

    async def _named(self, attempt: Attempt) -> Send:
        """On the ledger before it leaves, with the most that it may cost."""
        if attempt.named is not None:
            return attempt.named
        request = attempt.request
        send = self._draft(request, attempt.number, time.time_ns() // 1000, to_units(attempt.ticket.usd), attempt.pages)
        try:
            await self._books.named(send, request)
        except asyncio.CancelledError:  # called off before it could leave
            self._ledger.withdraw(send)
            raise
        crash_point("call-named")
        return send

    def _draft(
        self, request: Request, number: int, sent_us: int = 0, at_risk_units: int = 0, pages: str | None = None
    ) -> Send:
        """A new name. Whoever puts it on the ledger knows its time and its price."""
        return Send(
            next(self._ids), request.row, request.row_id, request.chunk, request.purpose, number, sent_us,
            at_risk_units, request.tenant, self._model, pages,
        )  # fmt: skip

    # ── what admission is told ──────────────────────────────────────────────────────────────────────────────────

    def _answer_report(self, request: Request, told: Answer, used: Used) -> Report:
        untold = isinstance(told.usage, PartialUsage)
        counted = None if untold else (request.input_tokens, told.usage.input_tokens)
        service = self._tariff.unasked(told.tier, request)
        return Report(
            used, CallEnd.ANSWERED, told.limits, told.retry_after_s, counted=counted, untold=untold, service=service
        )

    def _failure_report(self, request: Request, failure: CallFailed) -> Report:
        used, untold = None, isinstance(failure.usage, PartialUsage)
        falls_back = self._carrier.falls_back(request, failure)  # no limit, nor the provider's health
        if not failure.fate_unknown:
            usage = failure.usage = self._whole(request, failure.usage or Usage(), failure.said, None)
            cost = self._tariff.cost_usd(usage, failure.tier, request)
            used = replace(used_by(usage, cost), rejected=failure.kind is Kind.THROTTLED)
        return Report(
            used,
            CallEnd.OTHER if failure.stale or falls_back else CALL_ENDS.get(failure.kind, CallEnd.OTHER),
            failure.limits,
            failure.retry_after_s,
            random.random(),
            failure.short,
            untold=untold,
            refusal=refusal(failure, self._carrier.wire.url),
            service=self._tariff.unasked(failure.tier, request),
        )

    def _whole(self, request: Request, told: Usage, text: str, stop: Stop | None) -> Usage:
        return whole_usage(told, request, text, stop, self._carrier.counter)

    # ── what is booked ──────────────────────────────────────────────────────────────────────────────────────────

    def _book(self, call: Call, request: Request) -> None:
        self._books.ended(call, request)
        self._tally.called(call)

    def _answered_call(self, sent: Sent, answered: HttpAnswer, reply: Answer, cost: Decimal | None) -> Call:
        return Call(
            sent.send,
            self._latency_ms(sent),
            sent.wait_ms,
            reply.usage,
            None if cost is None else to_units(cost),
            http_status=answered.status,
            provider_request_id=reply.provider_request_id,
            model_version=reply.model_version,
            error_code=STOP_CODES.get(reply.stop),
            finish_reason=reply.finish_reason,
            ttft_ms=answered.ttft_ms,
        )

    def _failed_call(self, sent: Sent, request: Request, failure: CallFailed) -> Call:
        unknown, usage = failure.fate_unknown, failure.usage or Usage()
        cost = None if unknown else self._tariff.cost_usd(usage, failure.tier, request)
        return Call(
            sent.send,
            self._latency_ms(sent),
            sent.wait_ms,
            usage,
            None if cost is None else to_units(cost),
            at_risk_units=sent.send.at_risk_units if unknown else 0,
            http_status=failure.status,
            provider_request_id=failure.provider_request_id,
            model_version=failure.model_version,
            error_code=KIND_CODES[failure.kind],
            error=failure.message,
            finish_reason=failure.finish_reason,
            ttft_ms=failure.ttft_ms,
        )

    def _superseded_call(self, sent: Sent) -> Call:
        """One that was called off: what it cost nobody says, so all of it is at risk."""
        at_risk = sent.send.at_risk_units
        return Call(
            sent.send, self._latency_ms(sent), sent.wait_ms, Usage(), None, at_risk,
            error_code=AttemptCode.HEDGED, error=SUPERSEDED,
        )  # fmt: skip

    def _latency_ms(self, sent: Sent) -> int:
        return round((self._loop.time() - sent.at_s) * 1000)

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
            case _:
                await self._gate.pause(0)  # raises Stopped
