"""Files through the sandbox, on every wire: read, and billed by the catalog's formulas."""

import asyncio
import threading
from itertools import product

import pytest
from sandbox_client import with_client
from sent_files import (
    PDF,
    PNG,
    WIRES,
    chat_part,
    claude_part,
    converse_part,
    png,
    told,
)
from small_pdfs import pdf, text

from pipeline.catalog.page_tokens import image_tokens, pdf_page_tokens, pdf_text_billed
from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.reader.read import DAMAGED, Unreadable
from pipeline.sandbox.exchange import tokens_of

WORDS = "Total 42.17 EUR"
BILL = pdf(text(72, 700, WORDS), text(72, 700, "Thank you"))
OWNED = pdf(text(72, 700, WORDS), user="")  # anybody may read it
LOCKED, EMPTY, BROKEN = pdf(text(72, 700, WORDS), user="secret"), b"", b"%PDF-1.7 and no more"
PAGE = png(640, 900, WORDS)


def sent(name, kind=PDF, data=None, *, stream=False, model=""):
    wire = WIRES[name]
    part = wire.part(data if data is not None else BILL if kind == PDF else PAGE, kind)
    return posted(name, [part], stream=stream, model=model)


def posted(name, parts, *, stream=False, model=""):
    return with_client(lambda client: WIRES[name].post(client, parts, stream=stream, model=model))


def usage(name, parts):
    status, body = posted(name, parts)
    assert status == 200, body
    return told(body)[1]


CELLS = [(name, kind, stream) for name, wire in WIRES.items() for kind, stream in product(wire.takes, (False, True))]


@pytest.mark.parametrize(("name", "kind", "stream"), CELLS)
def test_the_text_of_a_file_is_read_and_answered(name, kind, stream):
    status, body = sent(name, kind, stream=stream)
    assert status == 200, body
    said, tokens = told(body)
    assert WORDS in said
    assert "Read." in said  # with the prompt's own words
    assert tokens > tokens_of(WORDS)


@pytest.mark.parametrize("name", WIRES)
def test_an_image_is_billed_as_it_is_estimated(name):
    """Its text is laid in for the sandbox alone, and costs nothing."""
    wire = WIRES[name]
    model = Model(provider=wire.provider, name=wire.model, max_output_tokens=1)
    added = usage(name, [wire.part(PAGE, PNG)]) - usage(name, [])
    assert added == image_tokens(model, 640, 900).expected


@pytest.mark.parametrize("name", [name for name, wire in WIRES.items() if PDF in wire.takes])
def test_a_pdf_is_billed_by_its_pages_and_where_it_is_so_by_its_text(name):
    wire = WIRES[name]
    model = Model(provider=wire.provider, name=wire.model, max_output_tokens=1)
    words = tokens_of(f"{WORDS}\n\nThank you") if pdf_text_billed(model) else 0
    pages = 0 if name == "converse" else 2 * pdf_page_tokens(model, 595, 842).expected
    assert usage(name, [wire.part(BILL)]) - usage(name, []) == pages + words


def test_what_anybody_may_read_is_read_where_the_provider_does():
    for name in ("chat", "gemini"):
        status, body = posted(name, [WIRES[name].part(OWNED)])
        assert (status, WORDS in told(body)[0]) == (200, True)


def test_a_claude_on_converse_sees_pages_only_with_citations():
    part = converse_part(BILL)
    cited = {"document": {**part["document"], "citations": {"enabled": True}}}
    assert usage("converse", [cited]) - usage("converse", [part]) == 2 * 1600


def test_a_picture_without_a_text_and_a_scan_are_taken_and_say_nothing():
    scan = pdf("")
    for name, part in (("chat", chat_part(png(), PNG)), ("chat", chat_part(scan)), ("anthropic", claude_part(scan))):
        status, body = posted(name, [part])
        said, _ = told(body)
        assert (status, "Read." in said, "42.17" in said) == (200, True, False)


class Slow:
    """Readers that take until they are let go."""

    def __init__(self):
        self.asked, self.go = threading.Event(), threading.Event()

    def __call__(self, _):
        self.asked.set()
        assert self.go.wait(20)
        raise Unreadable(DAMAGED)

    def close(self):
        self.go.set()


def test_a_sandbox_that_can_read_no_pdf_says_what_it_lacks(monkeypatch):
    class Lacking(Slow):
        def __call__(self, _):
            raise JobError("pip install 'ledger-pipeline[documents]'")

    monkeypatch.setattr("pipeline.sandbox.server.PdfReaders", Lacking)
    for name in ("chat", "converse"):
        status, body = sent(name)
        assert (status, b"[documents]" in body) == (400, True)
    assert sent("chat", PNG)[0] == 200


def test_others_are_answered_while_a_file_is_read(monkeypatch):
    slow = Slow()
    monkeypatch.setattr("pipeline.sandbox.server.PdfReaders", lambda: slow)

    async def use(client):
        reading = asyncio.create_task(WIRES["chat"].post(client, [chat_part(BILL)]))
        await asyncio.to_thread(slow.asked.wait, 20)
        status, _ = await WIRES["chat"].post(client, [])
        assert not reading.done()
        slow.go.set()
        return status, (await reading)[0]

    assert with_client(use) == (200, 400)


def test_the_cached_part_of_a_prompt_has_no_files_of_the_question():
    """What is marked before them is written and read as ever; they come on top."""

    async def use(client):
        body = WIRES["anthropic"].body([claude_part(BILL)])
        mark = {"cache_control": {"type": "ephemeral"}}
        body["system"] = [{"type": "text", "text": "Read with care. " * 400, **mark}]
        found = []
        for _ in range(2):
            headers = {"x-api-key": "key", "anthropic-version": "2023-06-01"}
            async with client.session.post(f"{client.url}/v1/messages", json=body, headers=headers) as got:
                found.append((await got.json())["usage"])
        return found

    first, again = with_client(use)
    assert first["cache_creation_input_tokens"] == again["cache_read_input_tokens"] > 1024
    assert first["input_tokens"] == again["input_tokens"] > 2 * 1600
