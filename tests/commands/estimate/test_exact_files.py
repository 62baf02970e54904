"""`estimate --exact` of requests that hold files: these are counted with them, by the provider."""

import asyncio
import json

import pytest
from documents_sent import PDF, loaded, part, request_of
from every_wire import model
from raw_server import answering
from small_pdfs import pdf, text

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


def of_folder(job, files, **documents):
    """`estimate --exact` of a folder: its assumptions, and what was asked."""
    (job.folder / "inbox").mkdir()
    for name, content in files.items():
        (job.folder / "inbox" / name).write_bytes(content)
    asked = []

    def script(nth, of_connection, body, head):
        kinds = [one["type"] for one in body["messages"][0]["content"] if not isinstance(one, str)]
        asked.append("document" if "document" in kinds else "text")
        told = b'{"input_tokens": %d}' % (5000 if asked[-1] == "document" else 100)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)

    job.env["ANTHROPIC_API_KEY"] = "sk-ant-loopback"
    with answering(script) as far:
        model_of = {"provider": "anthropic", "name": "claude-sonnet-4-5", "base_url": far.url.removesuffix("/v1")}
        job.write("", input={"path": "inbox", "id": ""}, model=model_of, documents=documents)
        told = json.loads(job.pipeline("estimate", job.file, "--exact", "--json", code=0).out)
    return told["assumptions"][0], sorted(asked), told


def one_page(number):
    return pdf(text(50, 700, f"Invoice {number:04}, total 12.50"))


def test_of_many_files_ten_of_a_size_are_asked_about(job):
    pytest.importorskip("pypdfium2_raw")
    files = {f"{number:02}.pdf": one_page(number) for number in range(30)} | {"a.txt": b"a letter", "b.txt": b"another"}
    told, asked, estimate = of_folder(job, files, read="native")
    assert asked == ["document"] * 10 + ["text"] * 2
    assert told.startswith("input counted by the provider: 150,200 tokens in 32 requests, ")
    assert "; of 30 requests with files 10 were asked about, 10 at the most of each form and size" in told
    assert estimate["input_tokens"]["low"] == 150_200


def test_of_few_files_all_are_asked_about(job):
    pytest.importorskip("pypdfium2_raw")
    told, asked, _ = of_folder(job, {f"{number:02}.pdf": one_page(number) for number in range(7)}, read="native")
    assert asked == ["document"] * 7
    assert told.startswith("input counted by the provider: 35,000 tokens in 7 requests, ")
    assert told.endswith("by our own count")
