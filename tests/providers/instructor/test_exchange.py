"""One request a call, through a real client of httpx, whatever its owner would do with the answer."""

import asyncio
from contextlib import contextmanager

import httpx2
import pytest
from each_case import each_case
from scripted_server import Scripted

from pipeline.errors import CallFailed, Kind
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.instructor import exchange as exchanges
from pipeline.providers.instructor.exchange import KEY, Caught, Exchange, SecondRequest, current, hook
from pipeline.providers.instructor.transport import failure_of

BODY = {"model": "m", "messages": [{"role": "user", "content": "a bill"}]}
TIMES = dict.fromkeys(("connect", "read", "write", "pool"), 5.0)


@contextmanager
def open_exchange(**more):
    exchange = Exchange(Secret("sk-real-key"), TIMES, **more)
    token = current.set(exchange)
    try:
        yield exchange
    finally:
        current.reset(token)


async def posted(url, times=1):
    client = httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)
    hook(client)
    try:
        for _ in range(times):
            try:
                await client.post(url, json=BODY)
            except Caught:
                if times == 1:
                    raise
    finally:
        await client.aclose()


def asked(url, times=1, ends=Caught, **more):
    with open_exchange(**more) as exchange, pytest.raises(ends):
        asyncio.run(posted(url, times))
    return exchange


@pytest.mark.parametrize("status", [200, 429, 500])
def test_an_answer_of_any_status_is_caught_as_it_came(server, status):
    server.script = lambda *_: Scripted(status, raw=b'{"odd": 1}', headers={"Retry-After": "7"})
    found = asked(f"{server.url}/chat/completions")
    assert (found.raw.status, found.raw.body, found.raw.headers["retry-after"]) == (status, b'{"odd": 1}', "7")
    assert server.sent == 1


def test_a_second_request_never_leaves(server):
    asked(f"{server.url}/chat/completions", times=2, ends=SecondRequest)
    assert server.sent == 1


def test_a_request_of_the_clients_own_never_leaves(server):
    with pytest.raises(SecondRequest):
        asyncio.run(posted(f"{server.url}/chat/completions"))
    assert server.sent == 0


def test_another_host_takes_its_place_before_the_path(server):
    found = asked("https://api.example/v1/chat/completions", moved_to=server.url.removesuffix("/v1"))
    assert (found.raw.status, server.sent) == (200, 1)


def test_the_key_goes_in_as_it_leaves():
    request = httpx2.Request("POST", "http://127.0.0.1/", headers={"Authorization": f"Bearer {KEY}", "x-other": "1"})
    with open_exchange() as exchange:
        asyncio.run(exchange.leaves(request))
    assert request.headers["authorization"] == "Bearer sk-real-key"
    assert request.extensions["timeout"] == TIMES
    assert "sk-real-key" not in repr(exchange)


def test_an_answer_without_end_is_given_up(server, monkeypatch):
    monkeypatch.setattr(exchanges, "MOST_BYTES", 100)
    server.script = lambda *_: Scripted(raw=b"x" * 1000)
    found = asked(f"{server.url}/chat/completions")
    assert found.raw is None
    assert (found.failure.kind, found.failure.unread) == (Kind.NO_ANSWER, True)


@each_case(
    ("raised", "sent", "kind", "counts_as_sent"),
    [
        (httpx2.ReadTimeout("x"), True, Kind.TIMEOUT, True),
        (httpx2.ConnectTimeout("x"), True, Kind.TIMEOUT, False),
        (httpx2.ConnectError("x"), True, Kind.CONNECTION, False),
        (httpx2.ReadError("x"), True, Kind.CONNECTION, True),
        (RuntimeError("x"), True, Kind.CONNECTION, True),
        (TypeError("create() got an unexpected keyword argument 'sk-real-key'"), False, Kind.INVALID_REQUEST, False),
    ],
)
@each_case("wrapped", [False, True])
def test_what_a_client_raises_is_told_by_what_it_came_from(raised, sent, kind, counts_as_sent, wrapped):
    error = raised
    if wrapped and sent:
        error = RuntimeError("a vendor's own")
        error.__cause__ = raised
    failure = failure_of(error, Exchange(Secret("sk-real-key"), TIMES, sent=sent))
    assert isinstance(failure, CallFailed)
    assert (failure.kind, failure.sent) == (kind, counts_as_sent)
    assert "sk-real-key" not in failure.message
