"""What is asked of a batch API over a real socket."""

import asyncio
from datetime import UTC, datetime

import pytest

from pipeline.engine.batches import remote
from pipeline.engine.batches.remote import Remote
from pipeline.engine.batches.setup import account_of
from pipeline.errors import CallFailed
from pipeline.providers.batches import BatchAsk
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret

KEY = Secret("sk-of-tests-and-nothing-else")


class Wire:
    """What `Remote` asks of one."""

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:
        assert ask.method
        assert now.tzinfo is UTC
        return {"Authorization": f"Bearer {secret.value}"}


def asked(body):
    """The answer to one GET of a server that answers so."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async def ask():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            far = Remote(Wire(), FixedKey(KEY))
            try:
                return await far.ask(BatchAsk("GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/batches"))
            finally:
                await far.aclose()

    return asyncio.run(ask())


def test_an_answer_that_comes_in_pieces_is_read_whole():
    """A listing is more than one packet; half of one would be no JSON."""
    body = b'{"data": ["' + b"x" * 8_000_000 + b'"]}'
    assert asked(body).body == body


def test_an_answer_that_is_larger_than_any_is_refused(monkeypatch):
    monkeypatch.setattr(remote, "MOST_BYTES", 1000)
    with pytest.raises(CallFailed, match="larger than"):
        asked(b"x" * 1001)


def test_batches_are_those_of_a_place_and_a_key():
    url = "https://api.example.com/v1/batches"
    assert account_of(url, KEY) == account_of(f"{url}?after=batch_1", KEY)
    assert account_of(url, KEY) != account_of(url, Secret("sk-of-somebody-else"))
    assert account_of(url, KEY) != account_of("https://eu.api.example.com/v1/batches", KEY)


def test_a_token_that_is_renewed_is_no_other_account():
    """Entra's and Google's last for an hour, and batches for a day."""
    url = "https://us.example.com/openai/v1/batches"
    assert account_of(url, Secret("token-of-noon", bearer=True)) == account_of(url, Secret("token-of-one", bearer=True))


def test_keys_of_a_role_that_are_renewed_are_no_other_account():
    """AWS's temporary ones: another pair every hour. Lasting ones tell whose batches are."""
    url = "https://bedrock.us-east-1.amazonaws.com/model-invocation-jobs"
    noon, one = (Secret(f"secret-of-{hour}", f"ASIA{hour}", "token") for hour in ("noon", "one"))
    assert account_of(url, noon) == account_of(url, one)
    assert account_of(url, Secret("secret-of-a", "AKIAA")) != account_of(url, Secret("secret-of-b", "AKIAB"))
    assert account_of(url, noon) != account_of(url.replace("us-east-1", "eu-west-1"), noon)
