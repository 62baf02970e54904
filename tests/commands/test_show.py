"""`pipeline show`: what a model said for a row is there, whole, beside what was wrong with it."""

import json
import sqlite3

import pytest
from ledger_writes import make_older
from scripted_server import Scripted

from pipeline.job.folder import LEDGER

LONG = '{"name": "Änna \\u540d", "total": "many' + "x" * 300 + '"}'
WORSE = '{"name": "Änna"}\nand some words'


def answered(server):
    """Row `bad` gets LONG, then WORSE; `mend` is right the second time; all others at once."""

    def script(document, nth, body):
        repair = len(body["messages"]) > 2
        if document == "bad":
            return Scripted(text=WORSE if repair else LONG)
        if document == "mend" and not repair:
            return Scripted(text='{"name": "no total"}')
        if document == "refuse":
            return Scripted(400, error={"message": "not like this", "code": "x"})
        return None

    server.script = script


@pytest.fixture
def night(job, server):
    answered(server)
    texts = {"a": "fine", "b": "bad", "c": "mend", "d": "refuse", "e": "bad"}
    job.write(server.url, rows=[{"id": name, "text": text} for name, text in texts.items()]).run(code=1)
    return job


def test_the_answers_of_a_failed_row_are_printed_whole(night):
    """As they came: no character is cut off or escaped; each with what was wrong with it."""
    out = night.pipeline("show", night.file, "b", "--answers", code=0).out
    assert LONG in out
    assert WORSE in out
    assert "total" in out
    assert LONG not in night.pipeline("show", night.file, "b", code=0).out


def test_answers_stand_with_their_calls_in_json(night):
    """A field of each call; without --answers there is none. A row that failed by a refusal has no answer."""
    (row,) = json.loads(night.pipeline("show", night.file, "b", "--answers", "--json", code=0).out)["rows"]
    assert [call["answer"] for call in row["calls"]] == [LONG, WORSE]
    (row,) = json.loads(night.pipeline("show", night.file, "b", "--json", code=0).out)["rows"]
    assert ["answer" in call for call in row["calls"]] == [False, False]
    (row,) = json.loads(night.pipeline("show", night.file, "d", "--answers", "--json", code=0).out)["rows"]
    assert [(call["answer"], "not like this" in call["error"]) for call in row["calls"]] == [(None, True)]


def test_each_call_names_its_own_error(night):
    """By the job's schema, where the provider found nothing wrong."""
    (row,) = json.loads(night.pipeline("show", night.file, "c", "--json", code=0).out)["rows"]
    assert row["status"] == "ok"
    assert row["repaired"]
    assert [call["error"] for call in row["calls"]] == ["total: Field required", None]


def test_a_row_that_another_one_was_asked_for_shows_its_answers(night):
    """Equal rows meet: one was paid for, and both have what was said."""
    rows = [
        json.loads(night.pipeline("show", night.file, name, "--answers", "--json", code=0).out)["rows"][0]
        for name in "be"
    ]
    paid, free = sorted(rows, key=lambda row: -len(row["calls"]))
    assert free["calls"] == []
    assert [one["answer"] for one in free["answers"]] == [call["answer"] for call in paid["calls"]] == [LONG, WORSE]


def test_what_a_retry_replaced_is_not_told_as_the_first_answer(night, server):
    """The same question has one answer on record: the last."""
    server.script = lambda document, nth, body: Scripted(text=f'"attempt {nth}"')
    night.pipeline("retry", night.file, code=1)
    (row,) = json.loads(night.pipeline("show", night.file, "b", "--answers", "--json", code=0).out)["rows"]
    told = [call["answer"] for call in row["calls"]]
    assert told[0] is None
    assert told[1] == WORSE
    assert [text.startswith('"attempt') for text in told[2:]] == [True, True]


def test_a_ledger_from_before_says_that_it_does_not_tell(night):
    """Its calls do not name their answers; everything else is shown as ever."""
    with sqlite3.connect(night.out / LEDGER) as db:
        make_older(db)
    db.close()
    assert "not on record" in night.pipeline("show", night.file, "b", "--answers", code=0).out
    assert "not on record" in json.loads(night.pipeline("show", night.file, "b", "--answers", "--json").out)["answers"]
    night.run(code=1)
    assert night.pipeline("show", night.file, "b", "--answers", code=0).out


def test_what_a_terminal_would_act_on_is_spelled_out(job, server):
    """An answer is data."""
    server.script = lambda document, nth, body: Scripted(text="\x1b[2J\u202e no record")
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).run(code=1)
    out = job.pipeline("show", job.file, "a", "--answers", code=0).out
    assert "\\u001b[2J\\u202e no record" in out
    assert "\x1b" not in out


def test_an_unknown_id_is_told_with_the_nearest(night):
    """Among the first of the run."""
    assert "Did you mean 'a'?" in night.pipeline("show", night.file, "aa", code=2).err


def test_the_summary_and_status_have_one_example_of_each_cause(night):
    """By error code and kind of message, with how many there are of it."""
    told = night.pipeline("retry", night.file, code=1).err
    for text in (told, night.pipeline("status", night.file, code=0).out):
        assert "1 invalid_request, as 'd': " in text
        assert "2 invalid_output, as 'b': " in text
    causes = json.loads(night.pipeline("status", night.file, "--json", code=0).out)["causes"]
    assert [(one["error_code"], one["rows"], one["example"]["id"]) for one in causes] == [
        ("invalid_output", 2, "b"), ("invalid_request", 1, "d"),
    ]  # fmt: skip


def test_a_ledger_that_cannot_be_read_is_told_and_takes_nothing_away_that_is_published(night):
    """The counts of a run that has ended are in run.json, and what it cost in calls.parquet."""
    (night.out / LEDGER).write_bytes(b"no ledger at all" * 100)
    for words in (("status", night.file), ("costs", night.file, "--by", "tenant")):
        assert "damaged" in night.pipeline(*words, code=2).err
    night.pipeline("report", night.file, code=0)
    night.pipeline("costs", night.file, "--by", "tenant", "--run", "last", code=0)
