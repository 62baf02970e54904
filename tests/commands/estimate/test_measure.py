"""Input tokens are counted on the very bodies that are sent."""

import json

import inbox
import pytest

from pipeline.extraction.overhead import compact
from pipeline.extraction.overhead import seen as shown


def _by_tiktoken(body, counter):
    """OpenAI's rule for messages, and what its answers report for a schema: its text as shown, under a heading."""
    messages = sum(3 + counter.count(one["role"]) + counter.count(one["content"]) for one in body["messages"])
    asked = body["response_format"]["json_schema"]
    return 3 + messages + counter.count(compact(shown(asked["schema"]))) + counter.count(asked["name"]) + 20


def test_input_tokens_are_those_of_the_very_bodies_sent(job):
    """Within 1 % over all rows, with another column in the prompt, and a document that breaks across its template."""
    from pipeline.commands.estimate.measure import measure, requests_to_send
    from pipeline.extraction.prepare import prepare
    from pipeline.job.file import load
    from pipeline.providers import wire_for

    rows = [
        {"id": str(n), "text": f"\n\nRow {n} " + "łódź 数字 total 5.00 " * n, "who": "Ann O'Hara, 12 Lane"}
        for n in range(60)
    ]
    extract = {"system": "You read invoices.", "prompt": "For {who}.\n\n{text}\n\nNo more."}
    prepared = prepare(load(job.write("", rows=rows, extract=extract).file, [], None))
    wire = wire_for(prepared.job.model, prepared.shaped.shape, {})
    bodies = [json.loads(wire.body(request)) for request in requests_to_send(prepared)]
    sent = sum(_by_tiktoken(body, prepared.counter) for body in bodies)
    assert measure(prepared).input_tokens == pytest.approx(sent, rel=0.01)


def test_files_go_along_once_however_often_the_prompt_holds_the_text_beside_them(job):
    from pipeline.commands.estimate.measure import measure
    from pipeline.extraction.prepare import prepare
    from pipeline.job.file import load

    def counted(prompt):
        written = inbox.write(
            job, "", {"a.pdf": inbox.pages(2)}, documents={"read": "image"}, extract={"prompt": prompt}
        )
        return measure(prepare(load(written.file, [], None)))

    once, twice = counted("{text}"), counted("{text}{text}")
    assert once.document_tokens > 2 * 8500
    assert twice.input_tokens == once.input_tokens
