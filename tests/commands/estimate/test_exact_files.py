"""`estimate --exact` of requests that hold files: these are counted with them, by the provider."""

import asyncio
import json

import pytest
from documents_sent import PDF, loaded, part, request_of
from every_wire import model
from raw_server import answering

from pipeline.commands.estimate.exact import Pace, _count
from pipeline.engine.lanes.files import FileLoader
from pipeline.errors import JobError
from pipeline.job.settings import Limits
from pipeline.providers import wire_for
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.http import HttpTransport
from pipeline.reader.read import CHANGED, Unreadable
from pipeline.types import AnswerShape

SHAPE = AnswerShape("Thing", "json_object", {}, strict=False)
FILE = b"%PDF-1.7" * 20_000
TOLD = {
    "anthropic": b'{"input_tokens": 7}',
    "gemini": b'{"totalTokens": 7}',
    "claude": b'{"inputTokens": 7}',
}


def counted(name, load):
    """The count, and the bodies that were sent."""
    seen = []

    def script(nth, of_connection, body, head):
        seen.append(json.dumps(body))
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(TOLD[name]), TOLD[name])

    with answering(script) as far:
        wire = wire_for(model(name, base_url=far.url.removesuffix("/v1")), SHAPE, {})

        async def use():
            transport = HttpTransport(Limits(), FixedKey(Secret("sk-abcdefgh", bearer=True)), stream=False)
            try:
                return await _count(transport, wire, request_of(part(PDF)), Pace(6000), FileLoader(load))
            finally:
                await transport.aclose()

        return asyncio.run(use()), seen


@pytest.mark.parametrize("name", TOLD)
def test_a_file_is_counted_with_its_request(name):
    tokens, (body,) = counted(name, lambda _: FILE)
    assert tokens == 7
    assert name == "claude" or loaded(PDF, FILE).base64.decode() in body


def test_one_that_cannot_be_read_is_said_with_its_row():
    def load(_):
        raise Unreadable(CHANGED)

    with pytest.raises(JobError, match="row 0: changed while it was read"):
        counted("anthropic", load)
