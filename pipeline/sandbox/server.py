"""The sandbox as an HTTP server on loopback.

The order of a request's life stands here, once for all wires: key, request, quota, fault, latency, answer. What the
wires say and what the rules find is theirs.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import blake2b

import orjson
from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import JobError
from pipeline.job.settings import Sandbox
from pipeline.sandbox.answers import answered
from pipeline.sandbox.batches.desk import Desk
from pipeline.sandbox.batches.faults import Lines
from pipeline.sandbox.batches.routes import add_routes
from pipeline.sandbox.batches.work import Work
from pipeline.sandbox.counters import Counters, content_digest
from pipeline.sandbox.exchange import Answer, Question, Received, Refused, Rules, Stamp, Wire
from pipeline.sandbox.faults import Drawn, Fault, Faults
from pipeline.sandbox.listings import PATHS, listed
from pipeline.sandbox.pages import PdfReaders, parsed
from pipeline.sandbox.prefixes import Prefixes
from pipeline.sandbox.quota import Quota
from pipeline.sandbox.wires.table import WIRES

MAX_BODY_BYTES = 64 * 1024 * 1024
HOLD_S = 300.0  # the longest that a TIMEOUT waits for its client to go away
LOOK_S = 0.05
LEAVE_S = 0.2  # what is still under way when the server stops gets this long
BACKLOG = 1024
JSON_TYPE = "application/json"


class Call(Struct):
    """One request that was let in."""

    wire: Wire
    question: Question
    body: bytes
    digest: bytes
    drawn: Drawn
    stamp: Stamp
    began_s: float
    used_tokens: int = 0


class Provider:
    """All that the server remembers; `reset` forgets it."""

    def __init__(self, config: Sandbox, rules: Rules) -> None:
        self._config = config
        self._rules = rules
        self._faults = Faults(config)
        self._readers = PdfReaders()
        self.counters = Counters()
        self.desk = self._new_desk()
        self.reset()

    def reset(self) -> None:
        """Everything as at the start, but what is under way."""
        under_way = self.counters.in_flight
        self.counters = Counters(in_flight=under_way, max_concurrent=under_way)
        self._seen: Counter[bytes] = Counter()
        self._prefixes = Prefixes()
        self._quota = Quota(
            self._config.requests_per_minute, self._config.tokens_per_minute, time.monotonic(), self._config.burst_s
        )
        self.desk.close()
        self.desk = self._new_desk()

    def _new_desk(self) -> Desk:
        config = self._config
        lines = Lines(expired=config.batch_expired, refused=config.batch_refused)
        work = Work(self._rules, self._readers, self._drawn)
        return Desk(work, self.counters, seed=config.seed, length_s=config.batch_s, lines=lines)

    async def handle(self, wire: Wire, request: web.Request) -> web.StreamResponse:
        stamp = Stamp(f"req_{self.counters.began():024x}")
        try:
            return await self._admitted(wire, request, await _received(request), stamp)
        except Refused as refused:
            return self._refused(wire, refused, stamp)
        finally:
            self.counters.in_flight -= 1

    async def _admitted(self, wire: Wire, request: web.Request, received: Received, stamp: Stamp) -> web.StreamResponse:
        began_s = time.monotonic()
        wire.authorise(received)
        question = await parsed(wire, received, self._readers)
        if question.count_only:
            return web.Response(body=wire.counted(question), content_type=JSON_TYPE)
        reserved = question.prompt_tokens + (question.cap_tokens or 0)
        quota = self._quota
        denial = quota.admit(reserved, began_s)
        levels = quota.levels(began_s)
        if denial is not None:
            self.counters.rate_limited += 1
            stamp = replace(stamp, levels=levels, retry_after_s=denial.retry_after_s)
            return self._refused(wire, wire.throttled(question, denial, denial.retry_after_s), stamp)
        digest = blake2b(received.body, digest_size=16).digest()
        drawn = self._drawn(digest)
        self.counters.faults[drawn.fault] += 1
        call = Call(wire, question, received.body, digest, drawn, Stamp(f"req_{drawn.tag}", levels), began_s)
        try:
            return await self._played(request, call)
        finally:
            quota.settle(reserved, call.used_tokens, time.monotonic())

    def _drawn(self, digest: bytes) -> Drawn:
        """The next lot of the request with this digest."""
        drawn = self._faults.draw(digest, self._seen[digest])
        self._seen[digest] += 1
        return drawn

    def close(self) -> None:
        self.desk.close()
        self._readers.close()

    async def _played(self, request: web.Request, call: Call) -> web.StreamResponse:
        drawn, wire = call.drawn, call.wire
        if drawn.fault is Fault.THROTTLED:
            stamp = replace(call.stamp, retry_after_s=drawn.hint_s)
            return self._refused(wire, wire.throttled(call.question, None, drawn.hint_s), stamp)
        if drawn.latency_s:
            await asyncio.sleep(drawn.latency_s / 2 if call.question.stream else drawn.latency_s)
        if drawn.fault is Fault.SERVER_ERROR:
            return self._refused(wire, wire.broken(drawn.status), call.stamp)
        if call.question.stream:
            return await self._streamed(request, call)
        if drawn.fault is Fault.TIMEOUT:
            return await self._held(request, web.Response())
        answer = self._answer(call)
        body = wire.whole(call.question, answer)
        headers = self._headers(call, JSON_TYPE)
        self._bill(call, answer)
        if drawn.fault is not Fault.DISCONNECT:
            return web.Response(body=body, headers=headers)
        response = web.StreamResponse(headers={**headers, "Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        return _cut_off(request, response)

    async def _streamed(self, request: web.Request, call: Call) -> web.StreamResponse:
        answer = self._answer(call)
        events = call.wire.events(call.question, answer)
        response = web.StreamResponse(headers=self._headers(call, call.wire.stream_type))
        half = len(events) // 2
        if call.drawn.fault is Fault.TIMEOUT:
            await response.prepare(request)
            await response.write(events[0])
            return await self._held(request, response)
        self._bill(call, answer)
        await response.prepare(request)
        for event in events[:half]:
            await response.write(event)
        if call.drawn.fault is Fault.DISCONNECT:
            return _cut_off(request, response)
        if call.drawn.latency_s:
            await asyncio.sleep(call.drawn.latency_s / 2)
        for event in events[half:]:
            await response.write(event)
        await response.write_eof()
        return response

    async def _held(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """No answer, or no more of it, for as long as the client waits."""
        self.counters.unanswered += 1
        ends_s = time.monotonic() + HOLD_S
        while request.transport is not None and time.monotonic() < ends_s:  # noqa: ASYNC110 (aiohttp has no event for it)
            await asyncio.sleep(LOOK_S)
        return _cut_off(request, response)

    def _answer(self, call: Call) -> Answer:
        times = {"now_s": time.monotonic(), "unix_s": time.time()}
        return answered(self._rules, self._prefixes, call.question, call.drawn, **times)

    def _bill(self, call: Call, answer: Answer) -> None:
        call.used_tokens = answer.prompt_tokens + answer.completion_tokens
        self.counters.billed(answer, call.question.document, content_digest(call.question.model, call.body))
        self.counters.sent(call.digest)

    def _headers(self, call: Call, content_type: str) -> dict[str, str]:
        stamp = replace(call.stamp, processing_ms=round((time.monotonic() - call.began_s) * 1000))
        return {**call.wire.headers(stamp), "Content-Type": content_type}

    def _refused(self, wire: Wire, refused: Refused, stamp: Stamp) -> web.Response:
        self.counters.by_status[refused.status] += 1
        headers = {**wire.headers(stamp), **refused.headers, "Content-Type": JSON_TYPE}
        return web.Response(status=refused.status, body=refused.body, headers=headers)


async def _received(request: web.Request) -> Received:
    headers = {name.lower(): value for name, value in request.headers.items()}
    path, _, query = request.raw_path.partition("?")
    return Received(request.method, path, query, headers, await request.read())


def _cut_off(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Break the connection in the middle of what was being sent."""
    if request.transport is not None:
        request.transport.abort()
    return response


def application(config: Sandbox, rules: Rules) -> web.Application:
    """The wires, their listings and batches, and `/_sandbox/…`: `counters`, `reset`, `clock`, `faults`.

    Raises:
        JobError: the shares of the faults cannot be.
    """
    provider = Provider(config, rules)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    add_routes(app, lambda: provider.desk)
    for wire in WIRES:
        for path in wire.paths:
            app.router.add_post(path, _handler(provider, wire))
    for path in PATHS:
        app.router.add_get(path, _lister(path))

    async def close(_: web.Application) -> None:
        provider.close()

    app.on_cleanup.append(close)

    async def counters(_: web.Request) -> web.Response:
        await provider.desk.settle_all()
        return web.Response(body=orjson.dumps(provider.counters.as_dict()), content_type=JSON_TYPE)

    async def reset(_: web.Request) -> web.Response:
        provider.reset()
        return web.Response(status=204)

    app.router.add_get("/_sandbox/counters", counters)
    app.router.add_post("/_sandbox/reset", reset)
    app.router.add_route("*", "/{path:.*}", _nowhere)
    return app


def _handler(provider: Provider, wire: Wire) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await provider.handle(wire, request)

    return handle


def _lister(path: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.Response(body=listed(path, await _received(request)), content_type=JSON_TYPE)
        except Refused as refused:
            headers = {**refused.headers, "Content-Type": JSON_TYPE}
            return web.Response(status=refused.status, body=refused.body, headers=headers)

    return handle


async def _nowhere(request: web.Request) -> web.Response:
    known = ", ".join(path for wire in WIRES for path in wire.paths)
    error = {"message": f"Invalid URL ({request.method} {request.path}). The sandbox answers POST to {known}."}
    body = {"error": {**error, "type": "invalid_request_error", "param": None, "code": None}}
    return web.Response(status=404, body=orjson.dumps(body), content_type=JSON_TYPE)


async def serve(config: Sandbox, host: str, port: int, rules: Rules) -> tuple[web.AppRunner, int]:
    """Start; the port is the one taken, also when 0 asked for any.

    Raises:
        JobError: the shares of the faults cannot be, or the port is taken.
    """
    runner = web.AppRunner(application(config, rules), access_log=None, shutdown_timeout=LEAVE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or str(error)
        raise JobError(
            f"the sandbox cannot listen on {host}:{port}: {reason}. Give another --port, or 0 for any"
        ) from None
    return runner, runner.addresses[0][1]
