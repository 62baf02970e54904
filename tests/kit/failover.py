"""Two models in virtual time: real gates, lanes and ways among them; providers that are up and down by the clock.

`python tests/kit/failover.py` prints the table of what each trouble costs.
"""

import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace

from virtual_time import run as in_virtual_time

from pipeline.admission.governor import Governor, LimitRules
from pipeline.admission.needs import Needs
from pipeline.admission.queue import Admission
from pipeline.admission.stop import Stopped
from pipeline.codes import Status
from pipeline.documents.tokens import counter_for
from pipeline.engine.ask import RowFailed, RowLife
from pipeline.engine.diverting import DivertingGate, Ends, Group
from pipeline.engine.feed import RowTask
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.live import LiveLane
from pipeline.engine.several import Several, Station
from pipeline.errors import CallFailed, Kind
from pipeline.extraction.routing import MAIN, diverts, patience_s
from pipeline.job.settings import Fallback, Limits
from pipeline.money import Rate
from pipeline.parts import text_parts
from pipeline.telemetry.tally import Tally
from pipeline.types import Answer, HttpAnswer, Outcome, Purpose, Request, Row, Stop, Turn, Usage

SPARE = "spare"
CALL_S = 1.0
RATES = {MAIN: Decimal("0.15"), SPARE: Decimal("1.50")}
USED = Usage(input_tokens=1000, output_tokens=100)


@dataclass
class Books:
    """A ledger in memory."""

    run: int = 1
    calls: list = field(default_factory=list)
    open: set = field(default_factory=set)

    async def intend(self, send):
        self.open.add(send.request_id)

    def withdraw(self, send):
        self.open.discard(send.request_id)

    def record(self, call, key=None, reply=None):  # noqa: ARG002 (as a ledger is called)
        self.open.remove(call.send.request_id)
        self.calls.append(call)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Provider:
    """Transport and wire in one. `up(now_s, chance)`: whether a call is answered; `per_minute`: how many."""

    url = "http://127.0.0.1:1/v1/chat/completions"

    def __init__(self, up, per_minute=None, seed=1):
        self.up, self.per_minute = up, per_minute
        self.random = random.Random(seed)
        self.met = Counter()
        self.taken = []

    async def send(self, wire, request, *, fresh=False, upload=None):  # noqa: ARG002 (as a transport is called)
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self.taken = [at_s for at_s in self.taken if at_s > now_s - 60]
        if self.per_minute is not None and len(self.taken) >= self.per_minute:
            self.met["429"] += 1
            await asyncio.sleep(0.05)
            raise CallFailed(Kind.THROTTLED, "slow down", status=429, retry_after_s=self.taken[0] + 60 - now_s)
        self.taken.append(now_s)
        if not self.up(now_s - 1000, self.random.random()):
            self.met["5xx"] += 1
            await asyncio.sleep(0.1)
            raise CallFailed(Kind.OVERLOADED, "down", status=503)
        await asyncio.sleep(CALL_S * (0.5 + self.random.random()))
        self.met["ok"] += 1
        return HttpAnswer(200, {}, b"", None)

    def reply(self, answered):  # noqa: ARG002 (as a wire is called)
        return Answer("{}", Stop.DONE, "stop", USED, "m-1")


class Saying(Provider):
    """`script`: status and Retry-After of its nth call, from 0, at so many seconds; None: as well as any other."""

    def __init__(self, script):
        super().__init__(up)
        self.script = script

    async def send(self, wire, request, *, fresh=False, upload=None):
        said = self.script(self.met.total(), asyncio.get_running_loop().time() - 1000)
        if said is None:
            return await super().send(wire, request, fresh=fresh, upload=upload)
        status, hint_s = said
        self.met["429" if status == 429 else "5xx"] += 1
        await asyncio.sleep(0.1)
        kind = Kind.THROTTLED if status == 429 else Kind.OVERLOADED
        raise CallFailed(kind, "no", status=status, retry_after_s=hint_s)


class Rows:
    """In the place of an extraction: one call a row."""

    def __init__(self, lane):
        self.lane = lane

    async def outcome(self, task):
        request = Request(
            task.row.index.to_bytes(16, "big"), task.row.index, task.row.id, 0, Purpose.EXTRACT, "",
            (Turn("user", text_parts("")),), 200, 1000, 2000,
        )  # fmt: skip
        try:
            delivered = await self.lane.answer(request, RowLife())
        except RowFailed as failed:
            return Outcome(task.doc, task.row.index, Status.FAILED, error_code=failed.code, error=str(failed))
        return Outcome(task.doc, task.row.index, Status.OK, ("{}",), model_version=delivered.reply.model_version)


@dataclass
class Told:
    rows: int
    lost: int
    parked: str
    seconds: float
    met_5xx: int
    met_429: int
    usd: float
    at_spare: int
    downs: int
    open: int
    changes: list
    outcomes: list
    calls: list


def job_of(causes, limits):
    fallbacks = (Fallback(on=tuple(causes), model=SPARE),) if causes else ()
    main = SimpleNamespace(name="first")
    return SimpleNamespace(
        routes=(), fallbacks=fallbacks, model=main, limits=limits, models={SPARE: SimpleNamespace(limits=limits)}
    )


def simulated(main, spare, *, rows=2000, concurrency=50, causes=("outage",)):
    """What becomes of so many rows with these two providers; `spare` None: there is none."""

    async def scenario():
        loop, limits, books = asyncio.get_running_loop(), Limits(concurrency=concurrency), Books()
        job, group, changes, stopped = job_of(causes if spare else (), limits), None, [], []
        group = Group(lambda reason, message: (stopped.append(str(reason)), group.stopped(reason, message)))
        stations, money = {}, None
        for name, provider in {MAIN: main, **({SPARE: spare} if spare else {})}.items():
            usd = RATES[name]
            rate = Rate(input=usd, cached_input=usd, cache_write=usd, output=4 * usd, source="")
            governor = Governor(LimitRules(concurrency=concurrency), money)
            money = governor.money
            admission = Admission(governor, Needs(rate, governor), loop.time, patience_s(job, name))
            admission.on_stop = group.stopped if name == MAIN else group.stop
            gate = DivertingGate(name or "first", admission, governor, group, Ends(diverts(job, name), changes.append))
            carrier = Carrier(provider, provider, counter_for("openai", "gpt-4o-mini"), None, None)
            lane = LiveLane(limits, rate, books, gate, carrier, Tally(), model=name or None)
            stations[name] = Station(
                SimpleNamespace(cut=lambda row, exact: SimpleNamespace(chunks=(), skipped=0), exact=False),
                gate,
                Rows(lane),
                lane,
            )
        several, window = Several(job, stations), asyncio.Semaphore(2 * concurrency)

        async def one(number):
            async with window:
                row = Row(number, f"r{number}", text_parts("text"), None, {})
                try:
                    return await several.outcome(RowTask(row, number.to_bytes(16, "big"), ()))
                except Stopped as error:
                    return error

        begun_s = loop.time()
        random.seed(7)
        ends = await asyncio.gather(*map(one, range(rows)))
        outcomes = [end for end in ends if isinstance(end, Outcome)]
        met = [provider.met for provider in (main, spare) if provider]
        return Told(
            rows,
            sum(end.status is not Status.OK for end in outcomes),
            stopped[0] if stopped else "",
            loop.time() - begun_s,
            sum(one["5xx"] for one in met),
            sum(one["429"] for one in met),
            sum(call.cost_units or 0 for call in books.calls) / 1e10,
            sum(end.model == SPARE for end in outcomes),
            stations[MAIN].gate.health.downs,
            len(books.open),
            changes,
            outcomes,
            books.calls,
        )

    return in_virtual_time(scenario())


def up(now_s, chance):
    return True


def down(now_s, chance):
    return False


TROUBLES = {  # the first provider, the spare
    "all is well": lambda: (Provider(up), Provider(up)),
    "down for 10 minutes": lambda: (Provider(lambda s, _: not 10 <= s < 610), Provider(up)),
    "5 s of every minute": lambda: (Provider(lambda s, _: s % 60 >= 5), Provider(up)),
    "half of all 5xx": lambda: (Provider(lambda _, chance: chance < 0.5), Provider(up)),
    "10 minutes, spare with a tenth": lambda: (Provider(lambda s, _: not 10 <= s < 610), Provider(up, per_minute=300)),
    "both down": lambda: (Provider(down), Provider(down)),
}


def table():
    lines = [
        f"{'':32}{'rows':>6}{'lost':>6}{'parked':>9}{'s':>8}{'5xx':>7}{'429':>6}{'spare':>7}{'downs':>7}{'USD':>9}"
    ]
    for name, made in TROUBLES.items():
        for alone in (False, True):
            main, spare = made()
            told = simulated(main, None if alone else spare, rows=6000)
            called = f"{name} (alone)" if alone else name
            lines.append(
                f"{called:32.32}{told.rows:>6}{told.lost:>6}{told.parked:>9}{told.seconds:>8.0f}{told.met_5xx:>7}"
                f"{told.met_429:>6}{told.at_spare:>7}{told.downs:>7}{told.usd:>9.4f}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
