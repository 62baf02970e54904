"""The live lane in virtual time: what leaves, when, how often, and that every unit of money is on the books once.

Admission, its needs and the lane are the real ones; the ledger keeps what it is told in memory, and the provider
answers by a script.
"""

import asyncio
import random
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace

import pytest
from each_case import each_case
from msgspec.structs import replace
from virtual_time import run as in_virtual_time

from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.needs import Needs
from pipeline.admission.queue import Admission
from pipeline.admission.stop import Stopped
from pipeline.codes import AttemptCode, ErrorCode, ParkReason
from pipeline.documents.tokens import counter_for
from pipeline.engine.ask import Abandoned, RowFailed, RowLife, TooLong
from pipeline.engine.hedge import ENOUGH, SUPERSEDED
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.files import FileLoader
from pipeline.engine.lanes.live import LiveLane
from pipeline.errors import FATE_UNKNOWN, CallFailed, Kind
from pipeline.extraction.policy import BASE_S
from pipeline.job.settings import Limits
from pipeline.money import Rate, to_units
from pipeline.parts import FilePart, text_parts
from pipeline.reader.read import CHANGED, CRASHED, Unreadable
from pipeline.telemetry.tally import Tally
from pipeline.types import Answer, Dimension, HttpAnswer, LimitSeen, PartialUsage, Purpose, Request, Stop, Turn, Usage

RATE = Rate(
    input=Decimal("0.15"), cached_input=Decimal("0.075"), cache_write=Decimal("0.15"), output=Decimal("0.60"), source=""
)
CAP, CEILING = 1000, 2000
WORST = 2000 * 1500 + 1000 * 6000  # in units of 1e-10 USD, of which a token costs 1,500 in and 6,000 out
USED = Usage(input_tokens=1000, output_tokens=100)
COST = 1000 * 1500 + 100 * 6000
NAMED_S = 0.01  # until a send is safe on disk


def request_of(number):
    return Request(
        key=number.to_bytes(16, "big"),
        row=number,
        row_id=f"r{number}",
        chunk=0,
        purpose=Purpose.EXTRACT,
        system="",
        turns=(Turn("user", text_parts("")),),
        max_output_tokens=CAP,
        input_tokens=1000,
        input_tokens_ceiling=CEILING,
    )


@dataclass(frozen=True)
class After:
    """What comes of a call after its seconds; others take one."""

    seconds: float
    what: object


def ok(usage=USED, stop=Stop.DONE):
    return Answer("{}", stop, str(stop), usage, "m-1")


def failed(kind, **more):
    told = {"status": None if kind in FATE_UNKNOWN else 429 if kind is Kind.THROTTLED else 503}
    return CallFailed(kind, "no", **{**told, **more})


def throttled(hint=None):
    return failed(Kind.THROTTLED, retry_after_s=hint)


def of_limit(per_minute):
    """A 429 that names a limit; what is left of it is not told."""
    return failed(Kind.THROTTLED, limits=(LimitSeen(Dimension.INPUT_TOKENS, float(per_minute), None, None),))


BUSY = failed(Kind.OVERLOADED)
NEVER = After(1000, ok())


class Ledger:
    """In memory. `sends` are named; one may leave once its name is safe on disk, which takes its time."""

    run = 1

    def __init__(self, named_s):
        self.named_s = named_s
        self.sends = {}
        self.may_leave = Counter()  # by row
        self.kept_back = set()  # named, and called off before they could leave
        self.withdrawn = set()  # of these, the names that were taken back
        self.calls = []
        self.answers = {}

    async def intend(self, send):
        assert send.request_id not in self.sends
        self.sends[send.request_id] = send
        try:
            await asyncio.sleep(self.named_s)
        except asyncio.CancelledError:
            self.kept_back.add(send.request_id)
            raise
        self.may_leave[send.row] += 1

    def withdraw(self, send):
        self.withdrawn.add(send.request_id)

    def record(self, call, key=None, reply=None):
        self.calls.append(call)
        if key is not None:
            self.answers[key] = reply
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Books(Governor):
    """Counts how often each ticket is given back, and keeps what it is said to have used."""

    def __init__(self, rules):
        super().__init__(rules)
        self.tickets = []
        self.settled = Counter()
        self.used = []

    def offer(self, need, now_s):
        found = super().offer(need, now_s)
        if hasattr(found, "held"):
            self.tickets.append(found)
        return found

    def finish(self, ticket, report, now_s):
        super().finish(ticket, report, now_s)
        self.settled[id(ticket)] += 1
        self.used.append(report.used)


class Bed:
    """A lane and all around it. `script`: what comes of each call of a row, in the order of leaving; then `ok()`.

    It is transport and wire in one: what nobody knows the fate of fails on its way, all else when it is read.
    """

    url = "http://127.0.0.1:1/v1/chat/completions"

    def __init__(self, script=(), *, rate=RATE, named_s=NAMED_S, rules=None, falls_back=False, files=None, **limits):
        self.loop = asyncio.get_running_loop()
        self.ledger = Ledger(named_s)
        self.books = Books(LimitRules(concurrency=limits.get("concurrency", 4), **(rules or {})))
        self.admission = Admission(self.books, Needs(rate, self.books), self.loop.time)
        self.tally = Tally()
        self.standard = SimpleNamespace(reply=self.reply) if falls_back else None
        carrier = Carrier(self, self, counter_for("openai", "gpt-4o-mini"), self.standard, files)
        self.lane = LiveLane(Limits(**limits), rate, self.ledger, self.admission, carrier, self.tally)
        self.script = {0: script} if not isinstance(script, dict) else script
        self.left = []  # rows, in order, with the time
        self.fresh = []  # of each of them
        self.uploads, self.holds = [], False  # whether a file's bytes stay until the end of its attempt
        self._answered = {}

    async def send(self, wire, request, *, fresh=False, upload=None):
        if upload is not None:
            self.uploads.append(upload.request)
            if not self.holds:
                upload.sent()
        assert wire is (self.standard if request.standard_tier else self)
        nth = sum(row == request.row for row, _ in self.left)
        self.fresh.append(fresh)
        self.left.append((request.row, self.loop.time()))
        assert self.ledger.may_leave[request.row] == nth + 1, "a call left before its name was safe"
        plan = self.script.get(request.row, ())
        found = plan[nth] if nth < len(plan) else ok()
        seconds, what = (found.seconds, found.what) if isinstance(found, After) else (1.0, found)
        await asyncio.sleep(seconds)
        if isinstance(what, CallFailed) and what.kind in FATE_UNKNOWN:
            raise what
        answered = HttpAnswer(what.status if isinstance(what, CallFailed) else 200, {}, b"", 7)
        self._answered[id(answered)] = (answered, what)
        return answered

    def reply(self, answered):
        _, what = self._answered.pop(id(answered))
        if isinstance(what, CallFailed):
            raise what
        return what

    async def answer(self, number=0, life=None, parts=()):
        """The reply, or what was raised."""
        request = request_of(number)
        if parts:
            request = replace(request, turns=(Turn("user", (*parts, *text_parts("Read it."))),))
        try:
            delivered = await self.lane.answer(request, life or RowLife())
        except (Abandoned, RowFailed, Stopped, TooLong) as error:
            return error
        return delivered.reply

    async def warm_up(self):
        """So many answers of a second each, after which a call that is out for long is known to be."""
        for number in range(ENOUGH):
            await self.answer(1000 + number)

    @property
    def left_s(self):
        """When the calls of the first row left."""
        return [at_s for row, at_s in self.left if row == 0]

    def calls(self, row=0):
        return [call for call in self.ledger.calls if call.send.row == row]

    def booked(self, row=0):
        """Of each call on record: its number, its code, what it cost, and what is at risk."""
        return [(call.send.attempt, call.error_code, call.cost_units, call.at_risk_units) for call in self.calls(row)]

    def check(self, cut_off=0):
        """Nothing is held, each ticket was given back once, and what has left has one record but what was cut off."""
        sends, calls, run = dict(self.ledger.sends), self.ledger.calls, self.books.money.run
        for kept_back in self.ledger.kept_back:
            del sends[kept_back]
        assert self.ledger.withdrawn == self.ledger.kept_back
        assert len(sends) == len(self.left)
        recorded = Counter(call.send.request_id for call in calls)
        assert set(recorded) <= set(sends)
        assert set(recorded.values()) <= {1}
        open_units = [send.at_risk_units for key, send in sends.items() if key not in recorded]
        assert len(open_units) == cut_off
        assert (self.books.in_flight, run.reserved_usd, self.admission.waiting) == (0, 0, 0)
        assert [self.books.settled[id(ticket)] for ticket in self.books.tickets] == [1] * len(self.books.tickets)
        assert to_units(run.spent_usd) == sum(call.cost_units or 0 for call in calls) == self.tally.usd_units
        assert to_units(run.at_risk_usd) == sum(call.at_risk_units for call in calls) + sum(open_units)
        assert self.tally.calls == len(calls)
        rejected = sum(used is not None and used.rejected and used.sent for used in self.books.used)
        assert rejected == sum(call.error_code is AttemptCode.RATE_LIMITED for call in calls)
        assert all(call.send.at_risk_units >= (call.cost_units or 0) for call in calls)


def answered(script, **limits):
    """What became of one row, and the bed, checked."""

    async def scenario():
        bed = Bed(script, **limits)
        return await bed.answer(), bed

    found, bed = in_virtual_time(scenario())
    bed.check()
    return found, bed


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────

FILE = FilePart("application/pdf", "d" * 64, "document", 1500, path="a.pdf")


class Disk(FileLoader):
    """Reads a file in a second of virtual time. `what`: its bytes, or an error; of each reading, then the last."""

    def __init__(self, *what, **bounds):
        super().__init__(self.read, **bounds)
        self.what, self.read_parts = list(what), []

    def read(self, part):
        self.read_parts.append(part)
        found = self.what.pop(0) if len(self.what) > 1 else self.what[0]
        if isinstance(found, Exception):
            raise found
        return found

    async def _ready(self, part):
        await asyncio.sleep(1.0)
        return self._made(part)


def with_files(disk, script=(), **limits):
    async def scenario():
        bed = Bed(script, files=disk, **limits)
        found = await bed.answer(parts=(FILE, FILE))
        assert disk.room.bytes == 0
        return found, bed

    found, bed = in_virtual_time(scenario())
    bed.check()
    return found, bed


def test_a_file_is_read_once_for_each_attempt_and_goes_out_with_it():
    disk = Disk(b"%PDF")
    found, bed = with_files(disk, (BUSY, ok()))
    assert isinstance(found, Answer)
    assert len(disk.read_parts) == len(bed.uploads) == 2
    for request in bed.uploads:
        first, second, text = request.turns[0].parts
        assert first == second
        assert (first.base64, first.path, text.text) == (b64encode(b"%PDF"), "a.pdf", "Read it.")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unreadable(CHANGED, "its bytes are others"), "changed while it was read: its bytes are others"),
        (Unreadable(CRASHED), "the reader crashed"),
        (FileNotFoundError(2, "No such file or directory"), "changed while it was read: a.pdf: No such file"),
        (PermissionError(13, "Permission denied"), "changed while it was read: a.pdf: Permission denied"),
    ],
)
def test_a_file_that_cannot_be_read_ends_its_row_and_nothing_was_named_sent_or_paid(error, told):
    found, bed = with_files(Disk(error))
    assert (found.code, str(found)[: len(told)]) == (ErrorCode.BAD_ROW, told)
    assert (bed.ledger.sends, bed.ledger.calls, bed.left) == ({}, [], [])


def test_one_that_changes_before_a_retry_leaves_what_was_paid_on_the_books():
    found, bed = with_files(Disk(b"%PDF", Unreadable(CHANGED)), (TIMEOUT,))
    assert found.code is ErrorCode.BAD_ROW
    assert bed.booked() == [(1, *LOST)]


def test_what_the_machine_does_not_give_is_no_fault_of_the_row():
    with pytest.raises(OSError, match="Too many open files"):
        with_files(Disk(OSError(24, "Too many open files")))


def test_called_off_while_its_file_is_read_nothing_has_left():
    async def scenario():
        bed = Bed(files=Disk(b"%PDF"))
        row = asyncio.create_task(bed.answer(parts=(FILE,)))
        await asyncio.sleep(0.5)
        row.cancel()
        await asyncio.gather(row, return_exceptions=True)
        return bed

    bed = in_virtual_time(scenario())
    assert bed.ledger.sends == {}
    bed.check()


def test_a_run_that_stops_while_files_are_read_sends_none_of_them():
    """The first call's refusal is that of all."""

    async def scenario():
        disk = Disk(b"x" * 3000, most_bytes=4000)
        bed = Bed({0: (After(5.0, failed(Kind.AUTH, status=401)),)}, files=disk)
        bed.holds = True
        ends = await asyncio.gather(*(bed.answer(number, parts=(FILE,)) for number in range(4)))
        return ends, bed

    ends, bed = in_virtual_time(scenario())
    assert {type(end) for end in ends} == {Stopped}
    assert [row for row, _ in bed.left] == [0]
    bed.check()


def test_a_row_that_ended_while_its_file_was_read_asks_no_more():
    async def scenario():
        bed, life = Bed(files=Disk(b"%PDF")), RowLife()
        row = asyncio.create_task(bed.answer(life=life, parts=(FILE,)))
        await asyncio.sleep(0.5)
        life.alive = False
        return await row, bed

    found, bed = in_virtual_time(scenario())
    assert isinstance(found, Abandoned)
    assert bed.left == []
    bed.check()


def test_a_request_of_text_alone_reads_nothing():
    async def scenario():
        bed = Bed(files=Disk(OSError()))
        return await bed.answer(), bed

    found, bed = in_virtual_time(scenario())
    assert isinstance(found, Answer)
    assert bed.uploads == []


# ── a service tier without room ─────────────────────────────────────────────────────────────────────────────────────

HALF = {name: getattr(RATE, name) / 2 for name in ("input", "cached_input", "cache_write", "output")}
FLEX = replace(RATE, services=(("flex", replace(RATE, **HALF)),), asked="flex")
NO_ROOM = failed(Kind.THROTTLED, no_room=True, retry_after_s=7200.0)


@pytest.mark.parametrize("limits", [{}, {"max_wait_s": 1}], ids=["no-patience", "a-second"])
def test_a_tier_without_room_is_left_for_the_standard_one_and_keeps_nobody_waiting(limits):
    """It spends no attempt, parks no run however long it is told to wait, and closes the gate to nobody."""

    async def scenario():
        bed = Bed({0: (NO_ROOM, ok()), 1: (ok(),)}, rate=FLEX, falls_back=True, max_attempts=1, **limits)
        found = await bed.answer(0)
        fell_back_s = bed.left_s[1] - bed.left_s[0]
        return found, await bed.answer(1), fell_back_s, bed

    found, other, fell_back_s, bed = in_virtual_time(scenario())
    assert isinstance(found, Answer)
    assert isinstance(other, Answer)
    assert fell_back_s <= 1.0 + BASE_S + 2 * NAMED_S
    assert bed.booked(0) == [(1, *LIMITED), (2, *PAID)]
    assert bed.booked(1) == [(1, None, COST // 2, 0)]
    at_risk = [send.at_risk_units for send in bed.ledger.sends.values()]
    assert at_risk[0] * 2 == at_risk[1] > at_risk[2]
    bed.check()


def test_without_the_setting_it_is_a_429_as_any():
    found, bed = answered((failed(Kind.THROTTLED, no_room=True, retry_after_s=5.0), ok()), rate=FLEX, max_attempts=1)
    assert isinstance(found, Answer)
    assert bed.left_s[1] - bed.left_s[0] >= 5.0
    assert bed.booked() == [(1, *LIMITED), (2, None, COST // 2, 0)]


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Case:
    """`ends`: a reply, or an exception's class or code. `booked`: of each call its code, cost and what is at risk."""

    name: str
    script: tuple
    ends: object
    booked: tuple
    limits: dict = None


LOST = (AttemptCode.TIMEOUT, None, WORST)
FREE = (AttemptCode.PROVIDER_ERROR, 0, 0)
LIMITED = (AttemptCode.RATE_LIMITED, 0, 0)
PAID = (None, COST, 0)
UNTOLD = (None, 1000 * 1500 + 1 * 6000, 0)  # the request as estimated, and an answer of one token
ONCE, TWICE = {"max_attempts": 1}, {"max_attempts": 2}
TIMEOUT, CUT, STALE = failed(Kind.TIMEOUT), failed(Kind.CONNECTION), failed(Kind.CONNECTION, stale=True)
CASES = [
    Case("ok", (ok(),), Answer, (PAID,)),
    Case("truncated", (ok(stop=Stop.TRUNCATED),), Answer, ((AttemptCode.TRUNCATED, COST, 0),)),
    Case("refused", (ok(stop=Stop.REFUSED),), Answer, ((AttemptCode.REFUSED, COST, 0),)),
    Case("blocked-answer", (ok(stop=Stop.BLOCKED),), Answer, ((AttemptCode.BLOCKED, COST, 0),)),
    Case("overloaded-then-ok", (BUSY, BUSY, ok()), Answer, (FREE, FREE, PAID)),
    Case("attempts-used-up", (BUSY, BUSY), ErrorCode.PROVIDER_ERROR, (FREE, FREE), TWICE),
    Case("one-attempt", (BUSY,), ErrorCode.PROVIDER_ERROR, (FREE,), ONCE),
    Case("six-attempts", (BUSY,) * 6, ErrorCode.PROVIDER_ERROR, (FREE,) * 6),
    Case("no-answer", (failed(Kind.NO_ANSWER, status=200),), ErrorCode.PROVIDER_ERROR, (FREE,), ONCE),
    Case(
        "no-answer-but-billed",
        (failed(Kind.NO_ANSWER, status=200, usage=USED),),
        ErrorCode.PROVIDER_ERROR,
        ((AttemptCode.PROVIDER_ERROR, COST, 0),),
        ONCE,
    ),
    Case("usage-untold", (ok(PartialUsage()),), Answer, (UNTOLD,)),
    Case("usage-untold-refused", (ok(PartialUsage(), Stop.REFUSED),), Answer, ((AttemptCode.REFUSED, *UNTOLD[1:]),)),
    Case("input-untold", (ok(PartialUsage(0, 0, 0, 100, output_told=True)),), Answer, (PAID,)),
    Case(
        "no-answer-and-usage-untold",
        (failed(Kind.NO_ANSWER, status=200, usage=PartialUsage(), said="{}"),),
        ErrorCode.PROVIDER_ERROR,
        ((AttemptCode.PROVIDER_ERROR, *UNTOLD[1:]),),
        ONCE,
    ),
    Case("timeout", (TIMEOUT, TIMEOUT), ErrorCode.TIMEOUT, (LOST, LOST), TWICE),
    Case("timeout-then-ok", (TIMEOUT, ok()), Answer, (LOST, PAID)),
    Case("cut-off", (CUT,), ErrorCode.TIMEOUT, (LOST,), ONCE),
    Case("stale-then-ok", (STALE, ok()), Answer, (LOST, PAID), ONCE),
    Case("stale-then-busy", (STALE, BUSY, ok()), ErrorCode.PROVIDER_ERROR, (LOST, FREE), ONCE),
    Case(
        "cut-off-with-its-usage",
        (failed(Kind.CONNECTION, usage=USED),),
        ErrorCode.TIMEOUT,
        ((AttemptCode.TIMEOUT, COST, 0),),
        ONCE,
    ),
    Case(
        "never-sent",
        (failed(Kind.CONNECTION, sent=False), ok()),
        Answer,
        ((AttemptCode.TIMEOUT, 0, 0), PAID),
    ),
    Case("throttled-then-ok", (throttled(), throttled(0.5), throttled(), ok()), Answer, (LIMITED,) * 3 + (PAID,), ONCE),
    Case(
        "throttled-between-attempts",
        (throttled(1), BUSY, throttled(1), BUSY),
        ErrorCode.PROVIDER_ERROR,
        (LIMITED, FREE, LIMITED, FREE),
        TWICE,
    ),
    Case(
        "context-exceeded",
        (failed(Kind.CONTEXT_EXCEEDED, status=400),),
        TooLong,
        ((AttemptCode.CONTEXT_EXCEEDED, 0, 0),),
    ),
    Case("larger-than-the-limit", (of_limit(999),), TooLong, ((AttemptCode.CONTEXT_EXCEEDED, 0, 0),)),
    Case("as-large-as-the-limit", (of_limit(1000), ok()), Answer, (LIMITED, PAID)),
    Case(
        "invalid-request",
        (failed(Kind.INVALID_REQUEST, status=400),),
        ErrorCode.INVALID_REQUEST,
        ((AttemptCode.INVALID_REQUEST, 0, 0),),
    ),
    Case("blocked", (failed(Kind.BLOCKED, status=400),), ErrorCode.BLOCKED, ((AttemptCode.BLOCKED, 0, 0),)),
    Case("auth", (failed(Kind.AUTH, status=401),), ParkReason.AUTH, ((AttemptCode.AUTH, 0, 0),)),
    Case("quota", (failed(Kind.QUOTA, status=429),), ParkReason.QUOTA, ((AttemptCode.QUOTA, 0, 0),)),
    Case(
        "no-such-model",
        (failed(Kind.MODEL_UNAVAILABLE, status=404),),
        ParkReason.MODEL_UNAVAILABLE,
        ((AttemptCode.MODEL_UNAVAILABLE, 0, 0),),
    ),
    Case("throttled-for-hours", (throttled(7200),), ParkReason.QUOTA, (LIMITED,)),
    Case("throttled-for-too-long", (throttled(11),), ErrorCode.RATE_LIMITED, (LIMITED,), {"max_wait_s": 10}),
]


def test_a_usage_that_is_not_told_is_said_once_and_teaches_nothing():
    """By our own count our count would look exact, and the bound on the input too tight."""

    async def scenario():
        script = {0: (ok(PartialUsage()),), 1: (failed(Kind.NO_ANSWER, status=200, usage=PartialUsage()),)}
        bed, said, worst = Bed(script), [], []
        bed.admission.on_untold = lambda: said.append(1)
        for number in range(2):
            await bed.answer(number)
            worst.append(bed.books.tickets[-1].need.usd)
        return said, worst, bed

    said, worst, bed = in_virtual_time(scenario())
    bed.check()
    assert len(said) == 1
    assert {to_units(usd) for usd in worst} == {WORST}
    assert [call.usage for call in bed.calls(0)] == [Usage(1000, output_tokens=1)]


@each_case("case", CASES, ids=lambda case: case.name)
@each_case("hedge_after", [0.0, 0.9], ids=["once", "may-hedge"])
def test_each_call_is_booked_once_to_the_unit_and_ends_as_its_kind_says(case, hedge_after):
    """Attempts are numbered as they leave; what nobody knows the fate of is at risk with its worst case."""
    random.seed(1)
    found, bed = answered(case.script, hedge_after=hedge_after, **(case.limits or {}))
    assert ended(found, case.ends) == case.ends
    assert [booked[1:] for booked in bed.booked()] == list(case.booked)
    assert [booked[0] for booked in bed.booked()] == list(range(1, len(case.booked) + 1))
    assert len(bed.left_s) == len(case.booked)
    answers = [call for call in bed.calls() if call.model_version is not None]
    assert len(answers) == len(bed.ledger.answers) == isinstance(found, Answer)
    assert bed.admission.stopped == (case.ends if isinstance(case.ends, ParkReason) else None)


def ended(found, kind):
    """What an end is known by."""
    if isinstance(kind, ErrorCode) and isinstance(found, RowFailed):
        return found.code
    if isinstance(kind, ParkReason) and isinstance(found, Stopped):
        return found.reason
    return type(found)


def test_after_a_stale_connection_a_request_has_connections_of_its_own_and_asks_at_once():
    """What may have been billed is on the books; the provider is not taken for one in trouble."""
    found, bed = answered((STALE, BUSY, ok()))
    assert isinstance(found, Answer)
    assert bed.fresh == [False, True, True]
    assert bed.left_s[1] - bed.left_s[0] == pytest.approx(1.0 + NAMED_S)
    assert bed.books.open_since_s is None


def test_what_is_on_record_of_an_answer_is_what_the_provider_said():
    """Usage, status, version, time to the first token, and the seconds from leaving to the answer."""
    found, bed = answered((After(2.5, ok()),))
    (call,) = bed.calls()
    assert (call.usage, call.http_status, call.model_version, call.ttft_ms) == (USED, 200, "m-1", 7)
    assert (call.latency_ms, call.wait_ms, call.finish_reason) == (2500, 0, "done")
    assert bed.ledger.answers == {request_of(0).key: found}
    assert call.send.at_risk_units == WORST


def test_a_model_without_a_price_costs_nothing_that_anybody_knows():
    """None is not nothing."""
    _, bed = answered((TIMEOUT, ok()), rate=None)
    assert [booked[2:] for booked in bed.booked()] == [(None, 0), (None, 0)]


def test_a_row_s_latency_begins_when_its_first_call_leaves():
    """Not when it was named, and not again with the next attempt."""

    async def scenario():
        bed, life = Bed((BUSY, ok())), RowLife()
        await bed.answer(life=life)
        assert (len(bed.left_s), life.first_sent_s) == (2, bed.left_s[0])

    in_virtual_time(scenario())


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_attempts_wait_with_full_jitter_under_a_doubling_cap():
    """Over many rows the waits fill the whole of 0 to 0.5, 1 and 2 s, and never more."""
    waits = []
    for seed in range(40):
        random.seed(seed)
        _, bed = answered((BUSY, BUSY, BUSY, ok()))
        left_s = bed.left_s
        waits.append([later - sooner - 1 - NAMED_S for sooner, later in pairwise(left_s)])
    for nth, of_nth in enumerate(zip(*waits, strict=True)):
        most_s = BASE_S * 2**nth
        assert min(of_nth) >= -1e-9
        assert max(of_nth) <= most_s + 1e-9
        assert min(of_nth) < most_s / 5
        assert max(of_nth) > most_s * 4 / 5


@pytest.mark.parametrize("hint_s", [0.5, 20.0, 3600.0])
@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.OVERLOADED])
def test_nothing_leaves_before_a_hint_has_passed(kind, hint_s):
    """Not the call that was told, and no other: the provider speaks to the account."""

    async def scenario():
        bed = Bed((failed(kind, retry_after_s=hint_s), ok()), concurrency=8)
        opens_s = bed.loop.time() + NAMED_S + 1 + hint_s
        first = asyncio.create_task(bed.answer())
        await asyncio.sleep(1 + NAMED_S + 0.1)
        await asyncio.gather(first, *(bed.answer(number) for number in range(1, 4)))
        bed.check()
        assert sorted(row for row, _ in bed.left) == [0, 0, 1, 2, 3]
        assert all(opens_s <= at_s < opens_s + 5 for _, at_s in bed.left[1:])

    random.seed(1)
    in_virtual_time(scenario())


def test_who_backs_off_holds_no_slot_and_is_the_next_when_it_comes_back():
    """One slot: the others work meanwhile, and a retry goes before them."""

    async def scenario():
        bed = Bed((BUSY, ok()), concurrency=1)
        await asyncio.gather(*(bed.answer(number) for number in range(4)))
        bed.check()
        assert [row for row, _ in bed.left] == [0, 1, 0, 2, 3]

    random.seed(1)
    in_virtual_time(scenario())


# ── limits.max_wait_s ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "left", "ends_s"),
    [
        pytest.param((throttled(10.5),), 1, 1, id="one-hint"),
        pytest.param((throttled(3), throttled(8)), 2, 5, id="several-together"),
        pytest.param((BUSY, throttled(9), throttled(9)), 3, None, id="from-the-first-429"),
    ],
)
def test_a_rate_limit_that_would_take_too_long_ends_the_row_at_once(script, left, ends_s):
    """By what the provider asks for; the time counts from the request's first 429."""

    async def scenario():
        bed = Bed(script, max_wait_s=10)
        random.seed(1)
        begun_s = bed.loop.time()
        found = await bed.answer()
        bed.check()
        assert (type(found), found.code) == (RowFailed, ErrorCode.RATE_LIMITED)
        assert len(bed.left_s) == left
        if ends_s is not None:
            assert bed.loop.time() - begun_s == pytest.approx(ends_s, abs=0.2)

    in_virtual_time(scenario())


def test_a_retry_waits_in_line_no_longer_than_it_may():
    """Another's 429 shuts the gate for a minute: who has met one leaves the line ten seconds after it."""

    async def scenario():
        bed = Bed({0: (throttled(5), ok()), 1: (After(2, throttled(60)),), 2: (After(3, ok()),)}, max_wait_s=10)
        begun_s = bed.loop.time()

        async def ended(number):
            return await bed.answer(number), bed.loop.time() - begun_s

        (first, first_s), (second, _), (third, _) = await asyncio.gather(*map(ended, range(3)))
        fourth, fourth_s = await ended(3)
        bed.check()
        assert (first.code, first_s) == (ErrorCode.RATE_LIMITED, pytest.approx(1 + NAMED_S + 10))
        assert "within limits.max_wait_s = 10" in str(first)
        assert second.code is ErrorCode.RATE_LIMITED
        assert isinstance(third, Answer)
        assert isinstance(fourth, Answer)  # it has met no 429 itself: the run's own waiting ends no row
        assert fourth_s > 60
        assert len(bed.left_s) == 1

    in_virtual_time(scenario())


@pytest.mark.parametrize("most_s", [4.999, 5, 5.001])
def test_a_turn_that_comes_as_time_runs_out_is_used_or_given_back(most_s):
    """The gate opens as the wait ends: whichever is first, no slot and no money is lost."""

    async def scenario():
        bed = Bed((throttled(4.999), ok()), max_wait_s=most_s, concurrency=1)
        random.seed(1)
        found, other = await asyncio.gather(bed.answer(), bed.answer(1))
        bed.check()
        assert isinstance(found, Answer) or found.code is ErrorCode.RATE_LIMITED
        assert isinstance(other, Answer)

    in_virtual_time(scenario())


def test_without_a_limit_a_rate_limit_is_waited_out():
    """limits.max_wait_s = 0: an hour of it, and then the answer."""
    random.seed(1)
    found, bed = answered((throttled(1800),) * 3)
    assert isinstance(found, Answer)
    assert bed.left_s[-1] - bed.left_s[0] >= 3 * 1800


# ── the end of the run, of the row, and of the call ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param(Kind.AUTH, ParkReason.AUTH, id="auth"),
        pytest.param(Kind.QUOTA, ParkReason.QUOTA, id="quota"),
        pytest.param(Kind.MODEL_UNAVAILABLE, ParkReason.MODEL_UNAVAILABLE, id="model"),
    ],
)
def test_what_no_row_can_mend_stops_all_who_wait_and_lets_those_in_flight_end(kind, reason):
    """In line, in back-off, and who comes after; an answer on its way is paid for, and kept."""

    async def scenario():
        script = {0: (After(1.05, failed(kind, status=403)),), 1: (After(9, ok()),), 2: (BUSY,), 3: (After(9, ok()),)}
        bed = Bed(script, concurrency=3)
        # 3 has the slot that 2 gave back; nobody has the one that 0 gives back
        found = await asyncio.gather(*(bed.answer(number) for number in range(8)))
        found.append(await bed.answer(8))
        bed.check()
        stopped = {number for number, end in enumerate(found) if isinstance(end, Stopped)}
        assert stopped == {0, 2, 4, 5, 6, 7, 8}
        assert {found[number].reason for number in stopped} == {reason}
        assert [type(found[number]) for number in (1, 3)] == [Answer, Answer]
        assert [row for row, _ in bed.left] == [0, 1, 2, 3]
        assert "no (HTTP 403)" in bed.admission.stop_message

    random.seed(1)
    in_virtual_time(scenario())


def test_what_can_never_fit_a_limit_ends_its_row_and_nothing_is_sent():
    """`context_exceeded`, with the limit's name."""
    found, bed = answered((), rules={"input_tokens_per_minute": 500})
    assert found.code is ErrorCode.CONTEXT_EXCEEDED
    assert "limits.input_tokens_per_minute = 500" in str(found)
    assert (bed.ledger.sends, bed.left_s) == ({}, [])


def test_a_row_that_has_failed_meanwhile_sends_nothing_when_its_turn_comes():
    """Nothing is named, nothing leaves, nothing stays reserved; and a retry of it neither."""

    async def scenario():
        bed = Bed({1: (After(5, ok()),)}, concurrency=1)
        life = RowLife()
        other = asyncio.create_task(bed.answer(1))
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(bed.answer(life=life))
        await asyncio.sleep(1)
        life.alive = False
        assert isinstance(await waiting, Abandoned)
        await other
        bed.check()
        assert (len(bed.ledger.sends), bed.left_s, life.first_sent_s) == (1, [], None)

    in_virtual_time(scenario())


def test_a_row_that_has_failed_meanwhile_does_not_retry():
    """Its first attempt is on the books, and no second leaves."""

    async def scenario():
        bed, life = Bed((BUSY, ok())), RowLife()
        waiting = asyncio.create_task(bed.answer(life=life))
        await asyncio.sleep(0.5)
        life.alive = False
        assert isinstance(await waiting, Abandoned)
        bed.check()
        assert bed.booked() == [(1, *FREE)]

    in_virtual_time(scenario())


@pytest.mark.parametrize(
    ("after_s", "left", "at_risk"),
    [
        pytest.param(0.005, 0, 0, id="while-it-is-named"),
        pytest.param(0.5, 1, WORST, id="on-its-way"),
        pytest.param(1.2, 1, 0, id="between-attempts"),
    ],
)
def test_a_call_that_is_cancelled_keeps_what_it_may_cost(after_s, left, at_risk):
    """Nobody knows what becomes of one on its way; the record of it is left to the next session."""

    async def scenario():
        bed = Bed((failed(Kind.OVERLOADED, retry_after_s=9),))
        waiting = asyncio.create_task(bed.answer())
        await asyncio.sleep(after_s)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
        bed.check(cut_off=int(at_risk > 0))
        assert len(bed.left_s) == left
        assert to_units(bed.books.money.run.at_risk_usd) == at_risk

    in_virtual_time(scenario())


def test_one_who_is_cancelled_in_line_leaves_it():
    """The next is served, and the slot is not lost."""

    async def scenario():
        bed = Bed({1: (After(5, ok()),)}, concurrency=1)
        others = [asyncio.create_task(bed.answer(1))]
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(bed.answer())
        await asyncio.sleep(0.1)
        others.append(asyncio.create_task(bed.answer(2)))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(*others)
        bed.check()
        assert (len(bed.ledger.sends), bed.left_s) == (2, [])

    in_virtual_time(scenario())


# ── hedging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def hedged(script, *, cut_off=0, cancel_after_s=None, **limits):
    """What became of one row after others have shown how long an answer takes; the bed; and the seconds it took."""

    async def scenario():
        bed = Bed(script, hedge_after=0.9, **{"concurrency": 4, **limits})
        await bed.warm_up()
        begun_s = bed.loop.time()
        waiting = asyncio.create_task(bed.answer())
        if cancel_after_s is not None:
            await asyncio.sleep(cancel_after_s)
            waiting.cancel()
        (found,) = await asyncio.gather(waiting, return_exceptions=True)
        bed.check(cut_off)
        return found, bed, bed.loop.time() - begun_s

    random.seed(1)
    return in_virtual_time(scenario())


def worst_of(bed):
    """Of the row's calls, by what answers have taught by then of how tokens are counted."""
    return {send.attempt: send.at_risk_units for send in bed.ledger.sends.values() if send.row == 0}


def test_a_second_call_that_answers_first_leaves_the_first_booked_as_hedged():
    """All that the first may cost is at risk: it was sent, and nobody waits to hear what becomes of it."""
    found, bed, seconds = hedged((NEVER, ok()))
    assert isinstance(found, Answer)
    assert seconds < 4
    assert sorted(bed.booked()) == [(1, AttemptCode.HEDGED, None, worst_of(bed)[1]), (2, *PAID)]
    assert worst_of(bed)[1] > 0
    (lost,) = [call for call in bed.calls() if call.error_code is AttemptCode.HEDGED]
    assert (lost.error, lost.http_status, lost.usage) == (SUPERSEDED, None, Usage())


def test_a_first_call_that_answers_after_all_leaves_the_second_booked_as_hedged():
    """Whoever is overtaken: one answer, one price, one worst case at risk."""
    found, bed, _ = hedged((After(2.5, ok()), NEVER))
    assert isinstance(found, Answer)
    assert sorted(bed.booked()) == [(1, *PAID), (2, AttemptCode.HEDGED, None, worst_of(bed)[2])]


@pytest.mark.parametrize(
    ("script", "booked"),
    [
        pytest.param((After(3, BUSY), After(5, ok())), [(1, *FREE), (2, *PAID)], id="the-first-fails"),
        pytest.param((After(5, ok()), BUSY), [(2, *FREE), (1, *PAID)], id="the-second-fails"),
        pytest.param(
            (After(3, BUSY), After(5, throttled()), ok()), [(1, *FREE), (2, *LIMITED), (3, *PAID)], id="both-fail"
        ),
        pytest.param((ok(),), [(1, *PAID)], id="in-time"),
    ],
)
def test_a_failure_of_one_of_two_calls_is_waited_over(script, booked):
    """Only when both have failed is there anything to decide, and nobody was overtaken by a failure."""
    found, bed, _ = hedged(script)
    assert isinstance(found, Answer)
    assert bed.booked() == booked


def test_two_calls_that_fail_are_one_attempt_and_the_first_failure_is_its():
    """limits.max_attempts counts what was decided on."""
    found, bed, _ = hedged((After(3, TIMEOUT), BUSY), max_attempts=1)
    assert found.code is ErrorCode.TIMEOUT
    assert sorted(booked[:2] for booked in bed.booked()) == [(1, AttemptCode.TIMEOUT), (2, AttemptCode.PROVIDER_ERROR)]


def test_a_hedge_that_waits_for_a_slot_when_the_answer_comes_has_cost_nothing():
    """It was neither named nor sent; its place in line is given up."""
    found, bed, _ = hedged((After(10, ok()),), concurrency=1)
    assert isinstance(found, Answer)
    assert bed.booked() == [(1, *PAID)]


def test_a_hedge_that_is_being_named_when_the_answer_comes_has_not_left():
    """It is not booked as hedged, and nothing of it stays reserved."""
    found, bed, _ = hedged((After(1.745, ok()),))
    assert isinstance(found, Answer)
    assert bed.booked() == [(1, *PAID)]
    assert len(bed.ledger.kept_back) == 1


def test_a_retry_that_has_yet_to_leave_is_not_overdue():
    """However long it is being named: it is not hedged by the time of the attempt before it."""
    found, bed, _ = hedged((BUSY, ok()), named_s=0.4)
    assert isinstance(found, Answer)
    assert [attempt for attempt, *_ in bed.booked()] == [1, 2]


def test_two_answers_at_the_same_moment_are_both_paid_for():
    """Nobody is called off, and one of them is the row's."""
    found, bed, _ = hedged((After(3, ok()), After(1.5, ok())), named_s=0)
    assert isinstance(found, Answer)
    assert bed.booked() == [(1, *PAID), (2, *PAID)]


def test_who_is_cancelled_from_outside_during_a_hedge_was_overtaken_by_nobody():
    """Both stay on the books as they left, with all that they may cost: their fate is the next session's to tell."""
    _, bed, _ = hedged((NEVER, NEVER), cancel_after_s=5, cut_off=2)
    assert (len(bed.left_s), bed.booked()) == (2, [])
    assert to_units(bed.books.money.run.at_risk_usd) == sum(worst_of(bed).values()) > 0


@pytest.mark.parametrize("why", ["unknown", "stopped", "waiting"])
def test_a_second_call_is_not_sent(why):
    """Before enough is known, once the run has stopped, or while a row waits for the slot that it would take."""

    async def scenario():
        bed = Bed(
            {0: (After(30, ok()),), **{row: (After(5, ok()),) for row in range(1, 9)}}, hedge_after=0.9, concurrency=2
        )
        if why != "unknown":
            await bed.warm_up()
        rows = [asyncio.create_task(bed.answer(row)) for row in range(9 if why == "waiting" else 1)]
        await asyncio.sleep(1)
        if why == "stopped":
            bed.admission.stop(ParkReason.INTERRUPTED, "a signal")
        assert isinstance(await rows[0], Answer)
        assert len(bed.left_s) == 1
        await asyncio.gather(*rows)
        bed.check()

    in_virtual_time(scenario())
