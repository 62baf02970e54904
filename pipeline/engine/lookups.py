"""A request with look-ups, to its answer: round by round, each a request of its own on the ledger.

The functions run here, in threads: what they find goes to the model, and stays nowhere.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping

from pydantic import ValidationError
from pydantic_core import to_json

from pipeline.codes import ErrorCode
from pipeline.engine.ask import Ask, RowFailed, RowLife
from pipeline.extraction.lookups import MOST_CALLS, Found, next_request, within
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.validate import errors_of, raised
from pipeline.ledger.records import StoredAnswer
from pipeline.parts import ToolCall
from pipeline.providers.tool_calls import asked_in
from pipeline.schema.tools import Lookup
from pipeline.types import Answer, Request, Stop

AT_ONCE = 32  # threads
MOST_LOST = 64  # threads that were given up and still run

Run = Callable[[ToolCall], Awaitable[Found]]


class Rounds:
    """Asks, and looks up what is asked for until there is an answer. `run`: instead of the functions themselves."""

    def __init__(self, prepared: Prepared, ask: Ask, run: Run | None = None) -> None:
        self._plan = prepared.plan
        self._ask = ask
        self._offered = bool(prepared.lookups)
        self._run = run or Functions(prepared).run

    async def ask(
        self, request: Request, life: RowLife, reusable: Callable[[StoredAnswer], bool]
    ) -> tuple[Request, Answer]:
        """The answer, and the request that got it: the last of its rounds.

        Raises:
            RowFailed: a function failed twice, or the model asks for more than it may. All that `Ask.ask` raises.
        """
        if not self._offered:
            return request, await self._ask.ask(request, life, reusable)
        faulty: set[str] = set()
        while True:
            reply = await self._ask.ask(request, life, _or_asks(reusable, closed=request.closed))
            if reply.stop is not Stop.TOOLS:
                return request, reply
            if request.closed:
                told = f"the model asked for more look-ups after extract.max_tool_rounds = {self._plan.rounds}"
                raise RowFailed(ErrorCode.INVALID_OUTPUT, told, reply=reply)
            asked = asked_in(reply)
            found = list(zip(asked.calls, await self._found(asked.calls), strict=True))
            failed = {call.name: one.text for call, one in found if one.fault}
            for name in sorted(faulty & failed.keys()):
                raise RowFailed(ErrorCode.TOOL_ERROR, f"extract.tools: {name} {failed[name]}", reply=reply)
            faulty |= failed.keys()
            request = next_request(self._plan, request, asked, found)

    async def _found(self, calls: tuple[ToolCall, ...]) -> list[Found]:
        """Side by side; what is over the most of a round is not done."""
        done = await asyncio.gather(*(self._run(call) for call in calls[:MOST_CALLS]))
        over = Found(f"not done: at most {MOST_CALLS} calls at once", failed=True)
        return [*done, *[over] * (len(calls) - len(done))]


class Functions:
    """The job's own functions. Each call has a thread, which nobody waits for once its time is over."""

    def __init__(self, prepared: Prepared) -> None:
        self._lookups: Mapping[str, Lookup] = {one.tool.name: one for one in prepared.lookups}
        self._record = prepared.shaped.shape.name
        self._timeout_s = prepared.job.extract.tool_timeout_s
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._lost = 0

    async def run(self, call: ToolCall) -> Found:
        """What it found, or why it did not: never raises what the function does."""
        lookup = self._lookups.get(call.name)
        if lookup is None:
            return Found(self._unknown(call.name), failed=True)
        try:
            work = lookup.bound(call.arguments)
        except ValidationError as error:
            return Found(f"not done, the arguments are wrong: {'; '.join(errors_of(error))}", failed=True)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (validators of the user's types may raise anything)
            return Found(f"not done, the arguments are wrong: {raised(error)}", failed=True)
        if self._lost >= MOST_LOST:
            told = f"was not called: {self._lost} calls that took too long are still running"
            return Found(told, failed=True, fault=True)
        async with self._slots:
            return await self._in_time(work)

    async def _in_time(self, work: Callable[[], object]) -> Found:
        done: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._start(work, done)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(done)
        except TimeoutError:
            self._lost += 1
            done.add_done_callback(self._back)
            return Found(f"took longer than {self._timeout_s:g} s", failed=True, fault=True)

    def _start(self, work: Callable[[], object], done: "asyncio.Future[Found]") -> None:
        loop = asyncio.get_running_loop()

        def carry_out() -> None:
            found = _outcome(work)
            with contextlib.suppress(RuntimeError):  # the run has ended without it
                loop.call_soon_threadsafe(_set, done, found)

        threading.Thread(target=carry_out, name="look-up", daemon=True).start()

    def _back(self, _: object) -> None:
        self._lost -= 1

    def _unknown(self, name: str) -> str:
        if name == self._record:
            return "not taken: call it again, alone, once everything is looked up"
        return f"not done: there is no function {name!r}. There are: {', '.join(self._names())}"

    def _names(self) -> Iterator[str]:
        return iter(self._lookups)


def _outcome(work: Callable[[], object]) -> Found:
    """In the thread, all of it: a large result takes its time, too."""
    try:
        value = work()
        if isinstance(value, Iterator) or asyncio.iscoroutine(value):
            return Found(f"returned a {type(value).__name__}, not a value", failed=True, fault=True)
        return Found(within(to_json(value, inf_nan_mode="strings")))
    except BaseException as error:  # noqa: BLE001 (the user's code may raise anything, and only this call is over)
        return Found(f"raised {raised(error)}", failed=True, fault=True)


def _set(done: "asyncio.Future[Found]", found: Found) -> None:
    if not done.done():
        done.set_result(found)


def _or_asks(reusable: Callable[[StoredAnswer], bool], *, closed: bool) -> Callable[[StoredAnswer], bool]:
    """An answer that asks for look-ups is as good the second time, where it may ask."""
    return lambda answer: (answer.reply.stop is Stop.TOOLS and not closed) or reusable(answer)
