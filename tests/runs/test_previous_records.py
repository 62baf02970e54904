"""Published results never get worse: a row whose new outcome is not there yet shows its last good record, its own."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest
from job_folder import SCHEMA
from ledger_writes import make_older
from nights import answer, command_line_of, nights_of
from scripted_server import Scripted

import pipeline as library
from pipeline.commands.verify import verify

NIGHT = {f"r{n}": f"document {n}" for n in range(6)}
AGAIN = {"extract": {"prompt": "Read it again. <<{text}>>"}}
BAD_KEY = Scripted(401, error={"message": "bad key", "code": "invalid_api_key"})
SLOW = {"limits": {"concurrency": 1}}


@pytest.fixture
def nightly(job, server):
    return nights_of(job, server)


@pytest.fixture
def pipeline(job):
    return command_line_of(job)


@pytest.fixture
def outage(server):
    """From the n-th call of tonight on, nobody is let in; None: all is well."""

    def after(calls):
        sent = server.sent
        server.script = lambda document, nth, body: (
            BAD_KEY if calls is not None and server.sent - sent > calls else Scripted(text=answer(document))
        )

    return after


def shown(job):
    """(status, answer_from, name of the record) by id; the folder is whole."""
    assert [check for check in verify(job.out) if check.problem] == []
    job.reconcile()
    lines = job.results()
    return {
        line["id"]: (line["status"], line["answer_from"], line["record"] and line["record"]["name"]) for line in lines
    }


def previous(texts):
    return {key: ("pending", "previous", text and answer_of(text)) for key, text in texts.items()}


def answer_of(text):
    return json.loads(answer(text))["name"]


def days(job, **by_session):
    """Sessions are moved to other days."""
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db, db:
        for session, day in by_session.items():
            sql = "UPDATE sessions SET started_us = unixepoch(?) * 1000000 WHERE session = ?"
            db.execute(sql, (day, int(session[1:])))


@pytest.mark.parametrize("cause", ["budget", "auth", "tenant"])
def test_a_changed_job_that_parks_keeps_yesterdays_records(nightly, pipeline, job, server, outage, cause):
    """Those it got to are new, the others show what they had, at no cost, and are still to be run."""
    nightly(NIGHT)
    pipeline("run")
    before = {line["id"]: line for line in job.results()}
    days(job, s1="2026-11-22")
    nightly(NIGHT, **AGAIN, **SLOW)
    flags = {
        "budget": ["--max-usd", "0.00008"],
        "auth": [],
        "tenant": ["--set", "budget.tenant_max_usd_per_day=0.0003"],
    }
    outage(2 if cause == "auth" else None)
    told = pipeline("run", *flags[cause], code=4 if cause == "auth" else 3)
    rows, found = job.manifest()["rows"], shown(job)
    assert rows == {"total": 6, "ok": rows["ok"], "failed": 0, "pending": 6 - rows["ok"]}
    assert rows["pending"] > 1
    left = {key: text for key, text in NIGHT.items() if found[key][0] == "pending"}
    assert {key: found[key] for key in left} == previous(left)
    for line in job.results():
        if line["id"] in left:
            assert (line["cost_usd"], line["record"]) == (0, before[line["id"]]["record"])
            assert line["cost_total_usd"] == before[line["id"]]["cost_total_usd"] > 0
            assert (line["error_code"], line["prompt_version"], line["model"]) == (None, None, None)
    assert job.manifest()["previous"] == {"2026-11-22": len(left)}
    assert f"{len(left)} rows show their record of 2026-11-22, until their new one is there" in told
    assert [row.record and row.record.name for row in library.results(job.out)] == [
        name for _, _, name in found.values()
    ]
    outage(None)
    pipeline("run")
    assert set(shown(job).values()) == {("ok", "call", answer_of(text)) for text in NIGHT.values()}
    assert "previous" not in job.manifest()


def test_a_run_that_is_interrupted_keeps_them_too(nightly, job, server):
    nightly(NIGHT)
    job.run()
    nightly(NIGHT, **AGAIN, **SLOW)
    server.script = lambda document, nth, body: Scripted(text=answer(document), delay_s=0.3)
    running = job.start("run", job.file)
    while server.sent < 8:
        assert running.poll() is None
    running.terminate()
    running.communicate(timeout=30)
    assert running.returncode == 130
    found = shown(job)
    left = {key: text for key, text in NIGHT.items() if found[key][0] == "pending"}
    assert left
    assert {key: found[key] for key in left} == previous(left)


def test_several_processes_keep_them_too(nightly, job, server, outage):
    nightly(NIGHT)
    job.run()
    nightly(NIGHT, **AGAIN, limits={"workers": 2})
    outage(0)
    job.process("run", job.file, code=4)
    assert shown(job) == previous(NIGHT)


def test_the_last_good_record_is_of_any_night(nightly, pipeline, job, outage):
    """Of a second change those it got to, of the first the others; each with its day."""
    nightly(NIGHT)
    pipeline("run")
    nightly(NIGHT, **AGAIN, **SLOW)
    outage(2)
    pipeline("run", code=4)
    second = [key for key, (status, _, _) in shown(job).items() if status == "ok"]
    days(job, s1="2026-11-20", s2="2026-11-22")
    nightly({**NIGHT, "new": "never seen"}, extract={"prompt": "A third. <<{text}>>"})
    outage(0)
    told = pipeline("run", code=4)
    assert shown(job) == previous(NIGHT) | {"new": ("pending", None, None)}
    assert len(second) == 2
    assert "4 rows show their record of 2026-11-20, 2 rows show their record of 2026-11-22" in told
    outage(0)
    pipeline("run", code=4)  # and again on the same input
    assert shown(job) == previous(NIGHT) | {"new": ("pending", None, None)}


def test_an_id_keeps_its_own_record_whatever_it_says_now(nightly, pipeline, job, outage):
    """Contents changed, swapped, moved: with the same job and with another, the record is the id's."""
    nightly(NIGHT)
    pipeline("run")
    swapped = {"r1": "document 0", "new": "document 7", "r0": "document 1", "r2": "document 2, mended"}
    outage(0)
    nightly(swapped)
    outage(0)
    pipeline("run", code=4)
    same_job = {"r1": ("ok", "ledger", "document 0"), "r0": ("ok", "ledger", "document 1")}
    late = {"new": ("pending", None, None), "r2": ("pending", "previous", "document 2")}
    assert shown(job) == same_job | late
    nightly(swapped, **AGAIN)
    outage(0)
    pipeline("run", code=4)
    assert shown(job) == late | {
        "r1": ("pending", "previous", "document 0"), "r0": ("pending", "previous", "document 1")
    }  # fmt: skip


def test_swapped_contents_under_another_job_leave_each_id_its_record(nightly, pipeline, job, outage):
    nightly(NIGHT)
    pipeline("run")
    nightly({"r0": "document 1", "r1": "document 0", "r2": "document 9"}, **AGAIN)
    outage(0)
    pipeline("run", code=4)
    assert shown(job) == previous({"r0": "document 0", "r1": "document 1", "r2": "document 2"})


def test_rows_without_ids_are_known_by_their_content_alone(job, server, pipeline, outage):
    """Nothing is given to what stands in the same place."""

    def night(*texts, prompt):
        rows = [{"text": text} for text in texts]
        job.write(server.url, rows=rows, input={"id": ""}, extract={"prompt": prompt})

    night("a", "b", "c", prompt="Read. {text}")
    outage(None)
    pipeline("run")
    night("x", "c", "b", "y", prompt="Again. {text}")
    outage(0)
    pipeline("run", code=4)
    found = shown(job)
    assert [by for _, by, _ in found.values()] == [None, "previous", "previous", None]
    assert [name for _, _, name in found.values()][1:3] == ["Read. c", "Read. b"]
    night("a", "c", prompt="A third. {text}")
    outage(0)
    pipeline("run", code=4)
    assert [name for _, _, name in shown(job).values()] == ["Read. a", "Read. c"]
    night("z", "c", prompt="A third. {text}")
    outage(0)
    pipeline("run", code=4)
    assert [name for _, _, name in shown(job).values()] == [None, "Read. c"]


def test_the_ids_of_another_column_are_other_rows(job, server, pipeline, outage):
    rows = [{"id": "1", "other": "2", "text": "a"}, {"id": "2", "other": "1", "text": "b"}]
    job.write(server.url, rows=rows)
    outage(None)
    pipeline("run")
    job.write(server.url, rows=rows, input={"id": "other"}, **AGAIN)
    outage(0)
    pipeline("run", code=4)
    assert shown(job) == {"2": ("pending", "previous", "a"), "1": ("pending", "previous", "b")}
    job.write(server.url, rows=[{"id": "1", "text": "c"}, {"id": "0", "text": "d"}], **AGAIN)
    outage(0)
    pipeline("run", code=4)
    assert {by for _, by, _ in shown(job).values()} == {None}


def test_a_row_that_fails_tonight_is_failed(nightly, pipeline, job, server):
    """It has an outcome: the earlier record is not put in its place."""
    nightly(NIGHT)
    pipeline("run")
    nightly(NIGHT, **AGAIN)
    server.script = lambda document, nth, body: (
        Scripted(refusal="no") if document == "document 1" else Scripted(text=answer(document))
    )
    pipeline("run", code=1)
    assert shown(job)["r1"] == ("failed", "call", None)


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ("name: str\n    total: Decimal\n    note: str | None = None", True),
        ("name: str", True),
        ("name: str\n    total: Decimal\n    due: str", False),
        ("name: int\n    total: Decimal", False),
        ("names: list[str]", False),
    ],
)
def test_a_record_that_does_not_fit_the_schema_is_not_shown(nightly, pipeline, job, outage, fields, fits):
    """It is pending with none, and that is said; a field that may be left out is null."""
    nightly(NIGHT)
    pipeline("run")
    (job.folder / "thing.py").write_text(SCHEMA[: SCHEMA.index("    name")] + f"    {fields}\n")
    outage(0)
    told = pipeline("run", code=4)
    assert [check for check in verify(job.out) if check.problem] == []
    job.reconcile()
    assert {line["answer_from"] for line in job.results()} == {"previous" if fits else None}
    assert job.manifest().get("previous_unfit", 0) == (0 if fits else 6)
    assert ("6 rows have an earlier record that does not fit the schema as it is now" in told) is not fits


def test_a_row_of_several_lines_shows_all_of_its_earlier_ones(nightly, pipeline, job, outage):
    """With merge = "none". Where one record is wanted now, several are none."""
    cut = {"chunks": {"max_tokens": 100}}
    nightly({"long": " ".join(f"word{n}" for n in range(200))}, extract={"merge": "none"}, **cut)
    pipeline("run")
    before = [line["record"] for line in job.results()]
    assert len(before) > 2
    nightly({"long": " ".join(f"word{n}" for n in range(200))}, extract={**AGAIN["extract"], "merge": "none"}, **cut)
    outage(0)
    pipeline("run", code=4)
    assert [line["record"] for line in job.results()] == before
    assert [line["chunk"] for line in job.results()] == list(range(len(before)))
    assert {line["status"] for line in job.results()} == {"pending"}
    assert [check for check in verify(job.out) if check.problem] == []
    pipeline("run", "--set", "extract.merge=concat", code=4)
    assert [line["record"] for line in job.results()] == [None]


def test_an_older_programs_records_are_kept_too(nightly, pipeline, job, outage):
    nightly(NIGHT)
    pipeline("run")
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db:
        make_older(db)
    nightly(NIGHT, **AGAIN)
    outage(0)
    pipeline("run", code=4)
    assert shown(job) == previous(NIGHT)


def test_what_was_paid_for_the_next_record_counts_beside_the_one_that_is_shown(nightly, pipeline, job, server):
    """A repair that never came: its first answer is paid for tonight."""
    nightly({"a": "one"})
    pipeline("run")
    (before,) = job.results()
    nightly({"a": "one"}, **AGAIN)
    server.script = lambda document, nth, body: BAD_KEY if len(body["messages"]) > 1 else Scripted(text="no JSON")
    pipeline("run", code=4)
    (line,) = job.results()
    assert (line["record"], line["answer_from"], line["calls"]) == (before["record"], "previous", 2)
    assert line["cost_total_usd"] == before["cost_usd"] + line["cost_usd"] > before["cost_usd"] > Decimal(0)
    assert shown(job) == previous({"a": "one"})
