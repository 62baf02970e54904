"""Short documents in one call (`chunks.pack`), from the command line to the published files and back."""

import json
import os
import random
import signal
import time
from decimal import Decimal

import pytest
from packed import Model, listed, rows
from sandbox_process import counters, sandbox
from scripted_server import Scripted

from pipeline.commands.verify import verify
from pipeline.engine import packs

CONTEXT = {"message": "maximum context length", "code": "context_length_exceeded", "type": "x", "param": None}
RECORD = {"name": "x", "total": "1"}
MISMATCHES = {  # what comes back for documents 1 to 4 → how the call is booked
    "one too few": (Scripted(text=listed([RECORD] * 3)), "pack_mismatch"),
    "one too many": (Scripted(text=listed([RECORD] * 5)), "pack_mismatch"),
    "one twice": (Scripted(text=listed([RECORD] * 4, [1, 2, 2, 4])), "pack_mismatch"),
    "numbers from 0": (Scripted(text=listed([RECORD] * 4, range(4))), "pack_mismatch"),
    "no number": (Scripted(text=json.dumps({"answers": [{"record": RECORD}] * 4})), "pack_mismatch"),
    "a record alone": (Scripted(text=json.dumps(RECORD)), "pack_mismatch"),
    "no JSON": (Scripted(text="Here they are."), "pack_mismatch"),
    "cut off": (Scripted(text=listed([RECORD] * 4)[:-20], finish="length"), "truncated"),
    "cut off, and whole": (Scripted(text=listed([RECORD] * 4), finish="length"), "truncated"),
    "refused": (Scripted(refusal="I can't."), "refused"),
    "filtered": (Scripted(text="", finish="content_filter"), "blocked"),
    "too long": (Scripted(400, error=CONTEXT), "context_exceeded"),
    "a bad request": (Scripted(400, error={"message": "no", "code": "x"}), "invalid_request"),
}


@pytest.fixture
def model(server):
    server.script = Model()
    return server.script


def write(job, server, pack=4, number=10, **sections):
    given = sections.pop("rows", None) or rows(number)
    chunks = {"pack": pack} if pack > 1 else {}
    return job.write(server.url, rows=given, chunks=chunks, **{"limits": {"concurrency": 4}, **sections})


def whole(job):
    """The files hold together, by themselves and with the ledger."""
    assert [check for check in verify(job.out) if check.problem is not None] == []
    return job.reconcile()


def test_rows_go_together_and_each_has_its_own_record_cost_and_tokens(job, server, model):
    """Ten rows in three calls; what rows have of a call adds up to it, to the token and to the unit."""
    write(job, server).run()
    manifest, lines, calls = whole(job), job.results(), job.calls()
    assert sorted(len(texts) for texts in model.packs) == [2, 4, 4]
    assert model.alone == []
    assert [line["record"]["name"] for line in lines] == [f"document {n}" for n in range(10)]
    assert manifest["packs"] == {"calls": 3, "rows": 10, "apart": 0}
    assert [line["calls"] for line in lines] == [1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert [line["input_tokens"] for line in lines] == [100] * 10
    assert all(line["cost_usd"] > 0 and line["answer_from"] == "call" and line["latency_ms"] >= 0 for line in lines)
    for call in calls:
        assert len(call["shares"]) in {2, 4}
        for name in ("input_tokens", "output_tokens", "cost_usd"):
            assert sum(share[name] for share in call["shares"]) == call[name]
    assert {share["id"] for call in calls for share in call["shares"]} == {f"r{n}" for n in range(10)}
    sent = server.sent
    job.run()
    assert server.sent == sent


def test_the_results_are_those_of_rows_asked_one_by_one(job, server, model):
    write(job, server).run()
    together = job.results()
    write(job, server, pack=1, output={"path": "alone"}).run()
    job.out = job.folder / "alone"
    for name in ("id", "status", "record", "error_code", "repaired", "chunks", "answer_from"):
        assert [line[name] for line in job.results()] == [line[name] for line in together], name
    assert "shares" not in job.table("calls").schema.names
    assert "packs" not in job.manifest()


def test_of_two_tenants_nothing_goes_together(job, server, model):
    """Nor a row without a tenant with one that has one."""
    given = [{"id": f"r{n}", "text": f"{who} {n}", "who": who or None} for n in range(9) for who in ("a", "b", "")]
    write(job, server, rows=given, input={"tenant": "who", "id": ""}).run()
    whole(job)
    assert {len({text.split()[0] if " " in text.strip() else "" for text in texts}) for texts in model.packs} == {1}
    assert sorted(len(texts) for texts in model.packs) == [4] * 6
    assert len(model.alone) == 3


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_pack_that_is_not_one_record_for_each_falls_apart(job, server, model, name):
    """Each of its rows is asked alone; the others' packs are as they are."""
    odd, code = MISMATCHES[name]
    model.several = lambda texts: odd if "document 0" in texts else None
    write(job, server, number=8).run()
    manifest = whole(job)
    assert manifest["rows"]["ok"] == 8
    assert manifest["packs"] == {"calls": 2, "rows": 8, "apart": 1}
    assert sorted(model.alone) == [f"document {n}" for n in range(4)]
    assert [line["record"]["name"] for line in job.results()] == [f"document {n}" for n in range(8)]
    assert [call["error_code"] for call in job.calls() if call["shares"]].count(code) == 1
    sent = server.sent
    job.run()
    assert server.sent == sent


def test_a_record_that_does_not_fit_is_repaired_alone_and_its_retry_is_one_call(job, server, model):
    """The others of its pack are done; the failed one is asked about by itself, with the schema for one."""
    model.record = lambda text: {"name": text, "total": "nothing" if text == "document 2" else "1"}
    write(job, server).run(code=1)
    whole(job)
    lines = job.results()
    assert [line["status"] for line in lines].count("ok") == 9
    assert (lines[2]["error_code"], lines[2]["repaired"]) == ("invalid_output", False)
    assert model.alone == ["document 2"]
    repair = next(body for _, body, _ in server.requests if len(body["messages"]) > 2)
    assert "does not fit the schema" in repair["messages"][-1]["content"]
    assert json.loads(repair["messages"][-2]["content"]) == {"name": "document 2", "total": "nothing"}
    assert [call["purpose"] for call in job.calls() if call["row"] == 2] == ["repair"]
    model.record = lambda text: {"name": text, "total": "1"}
    packs, sent = list(model.packs), server.sent
    job.pipeline("retry", job.file, code=0)
    assert (server.sent - sent, model.packs) == (1, packs)
    assert [call["purpose"] for call in job.calls() if call["row"] == 2] == ["repair", "extract"]
    assert whole(job)["rows"]["ok"] == 10


def test_an_answer_is_found_whoever_its_row_goes_with(job, server, model):
    """Rows in another order, with others between them, and other numbers of them at once: only what is new is paid."""
    write(job, server, number=8).run()
    given = [{"id": f"n{n}", "text": f"new {n}"} for n in range(3)]
    more = [row for pair in zip(reversed(rows(8)), [*given, *[None] * 5], strict=True) for row in pair if row]
    write(job, server, rows=more).run()
    assert max(model.paid.values()) == 1
    assert model.packs[2:] == [["new 0", "new 1", "new 2"]]
    write(job, server, rows=more, pack=8).run()
    write(job, server, rows=more, pack=2, extract={"merge": "first"}).run()  # outcomes anew, of the same answers
    assert server.sent == 3
    whole(job)
    assert {line["answer_from"] for line in job.results()} == {"ledger"}


def test_answers_to_rows_alone_count_in_packs_and_not_the_other_way(job, server, model):
    write(job, server, pack=1, number=6).run()
    write(job, server, number=6).run()
    assert (server.sent, model.packs) == (6, [])
    whole(job)
    write(job, server, pack=4, number=6, output={"path": "b"}).run()
    asked = write(job, server, pack=1, number=6, output={"path": "b"}).run("--yes")
    assert "6 rows" in asked.err
    assert len(model.alone) == 12


def test_equal_rows_meet(job, server, model):
    """In one pack, in two, and after one that fell apart; each is paid for once."""
    model.several = lambda texts: Scripted(text="no") if "twin" in texts else None
    given = [{"id": f"r{n}", "text": "twin" if n % 3 == 0 else f"document {n // 2}"} for n in range(12)]
    write(job, server, rows=given).run()
    manifest = whole(job)
    assert manifest["rows"]["ok"] == 12
    assert set(model.paid.values()) == {1}
    assert manifest["free_rows"] == 12 - len(model.paid)


def test_what_is_not_short_goes_alone(job, server, model):
    """A long document, and one that is cut; a row that finds no other; the rest together."""
    given = [*rows(3), {"id": "long", "text": "word " * 2500}, {"id": "cut", "text": "word " * 5000}]
    job.write(server.url, rows=given, chunks={"pack": 4, "max_tokens": 3000}).run()
    whole(job)
    assert model.packs == [["document 0", "document 1", "document 2"]]
    assert len(model.alone) == 3
    assert job.results()[4]["chunks"] == 2


def test_a_429_or_a_5xx_is_waited_out_together(job, server, model):
    """It is no mismatch; the attempts have shares, too."""
    answers = [Scripted(429, headers={"retry-after-ms": "5"}), Scripted(500)]
    model.several = lambda texts: answers.pop() if answers else None
    write(job, server, number=4).run()
    assert (len(model.packs), model.alone) == (3, [])
    assert whole(job)["packs"] == {"calls": 1, "rows": 4, "apart": 0}
    assert [call["http_status"] for call in job.calls()] == [500, 429, 200]


@pytest.mark.parametrize("usd", ["0.00015", "0.0004"])
def test_the_cap_is_never_exceeded(job, server, model, usd):
    """A pack is reserved for at its worst; the run parks, and goes on with a higher cap where it was."""
    model.several = lambda texts: None
    write(job, server, number=30, budget={"max_usd": float(usd)}).run(code=3)
    manifest = whole(job)
    assert Decimal(manifest["cost_usd"]) <= Decimal(usd)
    assert manifest["rows"]["pending"] > 0
    write(job, server, number=30, budget={"max_usd": 1.0}).run()
    assert whole(job)["rows"]["ok"] == 30
    assert set(model.paid.values()) == {1}


@pytest.mark.parametrize(
    "place", ["call-named", "answer-received", "committing", "committed:2", "outcome-known", "outcome-durable"]
)
def test_a_run_that_dies_is_taken_up_without_paying_again(job, server, model, place):
    """But for the packs that were in flight, which are named and may have been billed."""
    model.delay_s = 0.005
    write(job, server, number=24)
    job.env["PIPELINE_CRASH_AT"] = place
    job.process("run", job.file, code=-signal.SIGKILL)
    del job.env["PIPELINE_CRASH_AT"]
    told = job.run().err
    manifest = whole(job)
    assert manifest["rows"]["ok"] == 24
    lost = [call for call in job.calls() if call["error_code"] == "lost"]
    assert len(lost) <= 4
    again = {text for text, times in model.paid.items() if times > 1}
    assert again <= {f"document {share['row']}" for call in lost for share in call["shares"]}
    for call in lost:
        named = ", ".join(f"{share['row']} ('r{share['row']}')" for share in call["shares"])
        assert f"rows {named}, extract, call {call['request_id']}" in told
    sent = server.sent
    job.run()
    assert server.sent == sent


def test_kills_at_any_moment_by_the_sandboxes_own_books(job):
    """No document is billed again but those of packs that were in flight as a run died."""
    chance, killed = random.Random(5), 0
    with sandbox("--latency-ms", "30") as url:
        job.write(
            f"{url}/v1", rows=rows(200), chunks={"pack": 5}, model={"provider": "sandbox", "max_output_tokens": 60},
            limits={"concurrency": 3},
        )  # fmt: skip
        while killed < 3:
            process = job.start("run", job.file)
            after = counters(url)["answered"] + chance.randint(2, 6)
            while process.poll() is None and counters(url)["answered"] < after:
                time.sleep(0.002)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
            process.communicate()
            if process.returncode == 0:
                break  # it was through before it could be killed
        job.run()
        books = counters(url)
    whole(job)
    assert killed
    gone = [call for call in job.calls() if call["error_code"] == "lost"]
    lost = {share["row"] for call in gone for share in call["shares"] or [call]}
    alone = books["documents_billed"] - 200  # the books take one that went by itself, the last of a night, for another
    assert 0 <= alone + books["documents_billed_again"] <= len(lost) <= 3 * 3 * 5


def test_what_came_back_is_shown_row_by_row(job, server, model):
    write(job, server, number=3).run()
    shown = json.loads(job.pipeline("show", job.file, "r1", "--answers", "--json").out)["rows"][0]
    (call,) = shown["calls"]
    assert json.loads(call["answer"]) == {"name": "document 1", "total": "1"}
    assert call["input_tokens"] == 100


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"model": {"lane": "batch"}}, "model.lane = 'batch': a line of a batch is one row's"),
        ({"limits": {"workers": 2}}, "limits.workers = 2 yet"),
        ({"engine": {"on": "ray"}}, "engine.on = 'ray'"),
        ({"extract": {"mode": "two_step"}}, "extract.mode = 'two_step', which reads one document at a time"),
        ({"extract": {"tools": ["thing.py:Thing"]}}, "extract.tools: what is looked up is for one document"),
        ({"budget": {"tenant_max_usd_per_day": 1.0}}, "budget.tenant_max_usd_per_day: a pack reserves the worst case"),
        ({"chunks": {"pack": 0}}, "chunks.pack = 0 should be"),
        ({"chunks": {"pack": 33}}, "chunks.pack = 33 should be at most 32"),
        ({"model": {"max_output_tokens": 16000, "name": "gpt-3.5-turbo"}}, "window"),
    ],
)
def test_what_it_does_not_go_together_with_is_an_error_of_check(job, server, model, sections, told):
    job.write(server.url, rows=rows(2), **{"chunks": {"pack": 8}, **sections})
    ended = job.pipeline("check", job.file, code=2)
    assert told in ended.out + ended.err
    assert server.sent == 0


def test_check_says_what_goes_together_and_the_estimate_what_that_saves(job, server, model):
    write(job, server, number=40, pack=8)
    assert "up to 8 documents of at most" in job.pipeline("check", job.file, code=0).out
    told = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    assert told["requests"] == 5
    assert told["chunks_pack"]["requests_alone"] == 40
    assert told["chunks_pack"]["input_tokens_saved"] > 0
    assert "chunks.pack: 5 requests instead of 40" in job.pipeline("estimate", job.file, code=0).out
    job.run()
    assert server.sent == 5


def test_an_estimate_goes_by_what_rows_used_together(job, server, model):
    """And not by what they used alone, or the other way round."""
    write(job, server, number=60, pack=8).run("--limit", "24", "--yes")
    told = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    assert told["output_by"] == "history"
    assert told["input_tokens"]["expected"] == pytest.approx(36 * 100, rel=0.05)
    assert told["output_tokens"]["expected"] == pytest.approx(36 * 21 / 8, rel=0.1)
    write(job, server, number=60, pack=1)
    assert json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)["output_by"] == "shape"


def test_nothing_lingers_where_the_input_has_no_more(job, server, model, monkeypatch):
    """The last pack leaves at once: a minute's wait would be seen."""
    monkeypatch.setattr(packs, "LINGER_S", 60.0)
    write(job, server, number=5, limits={"concurrency": 4, "timeout_s": 5}).run()
    assert [len(texts) for texts in model.packs] == [4]
    assert len(model.alone) == 1
    assert job.manifest()["seconds"] < 30
