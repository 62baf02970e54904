"""Jobs that ask about the chunks that matter only, from the command line to the published files."""

import json

import pyarrow as pa
from scripted_server import Scripted

from pipeline.commands.estimate.history import history
from pipeline.commands.estimate.measure import measure
from pipeline.extraction.prepare import prepare
from pipeline.job.file import load

RAIN = "It rained on the harbour all day, and nobody said a word. "
TEXT = (
    "A letter.\n\n"
    + RAIN * 30
    + "\n\nThe name is Blue Mill.\n\n"
    + RAIN * 30
    + "\n\nTotal of all: 12.50\n\n"
    + RAIN * 9
)
CHUNKS = {"max_tokens": 60}


def answer(document, nth, body):
    name, total = ("Blue Mill" if "Blue Mill" in document else "?"), ("12.50" if "12.50" in document else "0")
    return Scripted(text=json.dumps({"name": name, "total": total}))


def write(job, server, select, **extract):
    server.script = answer
    rows = [{"id": "long", "text": TEXT}, {"id": "short", "text": "name, total"}]
    chunks = {**CHUNKS, **({"select": select} if select else {})}
    return job.write(server.url, rows=rows, chunks=chunks, extract={"merge": "none", **extract})


def test_only_the_chunks_that_the_schema_points_at_are_asked_about(job, server):
    """Numbered as they are in the document; what else there is of it is told, and the estimate says so before."""
    write(job, server, 3)
    told = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    job.run()
    job.reconcile()
    *long, short = job.results()
    numbers = [line["chunk"] for line in long]
    assert numbers[0] == 0
    assert numbers == sorted(numbers)
    assert [line["record"]["name"] for line in long].count("Blue Mill") == 1
    assert 12.5 in {float(line["record"]["total"]) for line in long}
    skipped = long[0]["chunks_skipped"]
    told_of = [(line["chunks"], line["chunks_skipped"]) for line in (*long, short)]
    assert told_of == [(3, skipped)] * 3 + [(1, 0)]
    assert skipped > 10
    assert job.table().schema.field("chunks_skipped").type == pa.int32()
    assert sorted(call["chunk"] for call in job.calls()) == sorted([*numbers, 0])
    assert [line["calls"] for line in (*long, short)] == [1] * 4
    saved = told["chunks_select"]
    assert (saved["asked"], saved["chunks"]) == (server.sent, server.sent + long[0]["chunks_skipped"])
    assert saved["input_tokens_saved"] > 500
    assert float(saved["usd_saved"]) > 0
    job.pipeline("verify", job.out, code=0)
    shown = json.loads(job.pipeline("show", job.file, "long", "--json").out)
    assert shown["rows"][0]["chunks_skipped"] == long[0]["chunks_skipped"]


def test_answers_that_were_paid_for_without_it_are_found(job, server):
    """A chunk is the same question, whoever chose it; and back again nothing is due but what was left out."""
    write(job, server, 0).run()
    assert "chunks_skipped" not in job.table().schema.names
    every = server.sent
    write(job, server, 3).run()
    assert server.sent == every
    assert {line["answer_from"] for line in job.results()} == {"ledger"}
    job.pipeline("verify", job.out, code=0)
    write(job, server, 4).run()
    assert server.sent == every


def test_what_is_merged_is_of_the_chunks_asked_about_and_evidence_names_the_documents_chunks(job, server):
    write(job, server, 3, evidence="align", merge="none").run()
    lines = job.results()[:3]
    number = next(line["chunk"] for line in lines if line["record"]["name"] == "Blue Mill")
    found = next(one for line in lines for one in line["evidence"] if one["quote"] == "Blue Mill")
    assert found["chunk"] == number > 1
    write(job, server, 3, merge="auto").run()
    long, _ = job.results()
    assert (long["chunks"], long["chunks_skipped"]) == (3, lines[0]["chunks_skipped"])
    job.pipeline("verify", job.out, code=0)


def test_one_that_is_too_long_is_cut_under_numbers_that_no_chunk_of_the_document_has(job, server):
    write(job, server, 2)
    too_long = {"message": "maximum context length", "code": "context_length_exceeded", "type": "x", "param": None}
    server.script = lambda document, nth, body: (
        Scripted(400, error=too_long)
        if document.startswith("A letter") and len(document) > 150
        else answer(document, nth, body)
    )
    job.run()
    job.reconcile()
    *long, _ = job.results()
    asked = [line["chunk"] for line in long]
    whole = long[0]["chunks_skipped"] + 2
    assert [number < whole for number in asked] == [False] * (len(asked) - 1) + [True]
    assert len(set(asked)) == len(asked) > 2
    assert {call["chunk"] for call in job.calls() if call["id"] == "long"} <= {0, *asked}
    job.pipeline("verify", job.out, code=0)


def test_it_does_not_go_together_with_a_running_summary(job, server):
    write(job, server, 3)
    job.write(server.url, chunks={"select": 3, "context": "rolling"})
    ended = job.pipeline("check", job.file, code=2)
    told = "chunks.select = 3 does not go together with chunks.context = 'rolling': a running summary is of all"
    assert told in ended.err


def test_answers_on_record_are_held_against_the_chunks_that_they_are_of(job, server):
    """Not against those that stand at their place among the chunks that are asked about."""
    rows = [{"id": f"r{n}", "text": TEXT.replace("harbour", f"harbour {n}")} for n in range(5)]
    write(job, server, 3)
    job.write(server.url, rows=rows, chunks={"max_tokens": 60, "select": 3}).run()
    prepared = prepare(load(job.file))
    seen = history(prepared)
    asked = [
        chunk for rows in prepared.source.batches() for row in rows for chunk in prepared.chunks_of(row, exact=True)
    ]
    fixed = measure(prepared, all_rows=True).fixed_tokens_per_request
    assert seen.own
    assert sorted(one.own_tokens for one in seen.seen) == sorted(fixed + chunk.tokens for chunk in asked)


def test_check_and_the_estimate_say_so(job, server):
    write(job, server, 3)
    assert "of a longer document 3 are asked about" in job.pipeline("check", job.file, code=0).out
    assert "chunks.select: 4 of " in job.pipeline("estimate", job.file, code=0).out
