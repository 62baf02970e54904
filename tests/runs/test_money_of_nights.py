"""What was paid on other nights: kept on the row and in the books, and told apart from tonight's."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from job_folder import SCHEMA
from ledger_writes import make_older
from nights import answer, command_line_of, nights_of
from scripted_server import Scripted

from pipeline.commands.costs import costs
from pipeline.commands.verify import verify

VALIDATOR = "\n    @model_validator(mode='after')\n    def checked(self):\n        return self\n"
NIGHT = {f"r{n}": f"document {n}" for n in range(6)}


@pytest.fixture
def nightly(job, server):
    return nights_of(job, server)


@pytest.fixture
def pipeline(job):
    return command_line_of(job)


def totals(job):
    """What each row cost tonight and in all runs; the folder is whole."""
    assert [check for check in verify(job.out) if check.problem] == []
    return {line["id"]: (line["cost_usd"], line["cost_total_usd"]) for line in job.results()}


def paid(job):
    """What each document cost in all sessions, by the ledger's calls."""
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db:
        return {key: Decimal(units).scaleb(-10) for key, units in db.execute(
            "SELECT id, SUM(cost_units) FROM calls GROUP BY id")}  # fmt: skip


def groups(job, by, run="all"):
    return {group[by]: (group["calls"], Decimal(group["cost_usd"])) for group in costs(job.out, by, run)}


# ── a row's record ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_free_night_remembers_what_each_record_cost(nightly, pipeline, job):
    """The first night both are the same; after it tonight's is 0, in whatever order, and new rows cost their own."""
    nightly(NIGHT)
    pipeline("run")
    first = totals(job)
    assert first == {key: (usd, usd) for key, usd in paid(job).items()}
    nightly({**dict(reversed(NIGHT.items())), "new": "another document"})
    pipeline("run")
    second = totals(job)
    assert {key: second[key] for key in NIGHT} == {key: (Decimal(0), usd) for key, (usd, _) in first.items()}
    assert second["new"] == (paid(job)["new"],) * 2 > (0, 0)
    assert job.table().schema.field("cost_total_usd").type == job.table().schema.field("cost_usd").type


def test_a_row_that_took_several_nights_cost_them_all(nightly, pipeline, job, server):
    """Failed on the first night, gone on the second, mended on the third: every attempt counts, once."""
    server.script = lambda document, nth, body: (
        Scripted(text="no JSON") if document == "document 0" and nth <= 2 else Scripted(text=answer(document))
    )
    script = server.script
    nightly(NIGHT)
    server.script = script
    pipeline("run", code=1)
    nightly({"other": "something else"})
    pipeline("run")
    nightly({**NIGHT, "late": "a late one"})
    pipeline("run", code=1)
    pipeline("retry")
    assert (found := totals(job))["r0"][1] == paid(job)["r0"] > found["r0"][0] > 0
    assert {key: total for key, (_, total) in found.items()} == {key: paid(job)[key] for key in found}


def test_what_is_worked_out_again_has_cost_what_its_answers_cost(nightly, pipeline, job):
    """Another validator makes other outcomes of answers on record: free tonight, and not free of charge."""
    nightly(NIGHT)
    pipeline("run")
    before = {key: total for key, (_, total) in totals(job).items()}
    (job.folder / "thing.py").write_text(SCHEMA + VALIDATOR)
    pipeline("run")
    assert totals(job) == {key: (Decimal(0), total) for key, total in before.items()}
    nightly({**NIGHT, "new": "another"})
    pipeline("run")
    assert {key: total for key, (_, total) in totals(job).items()} == before | {"new": paid(job)["new"]}


def test_another_prompt_makes_another_record_with_a_cost_of_its_own(nightly, pipeline, job):
    nightly(NIGHT)
    pipeline("run")
    before = totals(job)
    pipeline("run", "--set", "extract.prompt=Read again: {text}")
    assert all(total == tonight for tonight, total in totals(job).values())
    assert {key: total + before[key][1] for key, (_, total) in totals(job).items()} == paid(job)


def test_equal_rows_show_what_their_record_cost(nightly, pipeline, job):
    """Paid once, on whichever row; the record is the same, and so is its price, tonight and later."""
    nightly({"a": "one", "b": "one", "c": "two"}, limits={"concurrency": 1})
    pipeline("run")
    first = totals(job)
    assert first["a"][1] == first["b"][1] == first["a"][0] + first["b"][0] > 0
    nightly({"b": "one"})
    pipeline("run")
    assert totals(job) == {"b": (Decimal(0), first["b"][1])}


def test_equal_rows_that_failed_first_show_all_that_was_paid(nightly, pipeline, job, server):
    """On whichever of them, in one run and over two."""
    server.script = lambda document, nth, body: Scripted(
        text="no JSON" if document == "one" and nth <= 2 else answer(document)
    )
    script = server.script
    nightly({"a": "one", "b": "one"})
    server.script = script
    pipeline("run", code=1)
    pipeline("retry")
    whole = sum(paid(job).values())
    assert {total for _, total in totals(job).values()} == {whole}
    nightly({"b": "one", "c": "two"})
    pipeline("run")
    assert totals(job)["b"] == (Decimal(0), whole)


def test_the_lines_of_a_row_cost_together_what_it_cost(nightly, pipeline, job):
    """With merge = "none": tonight by chunk, later in equal parts."""
    long = {"long": " ".join(f"word{n}" for n in range(200)), "short": "one"}
    cut = {"extract": {"merge": "none"}, "chunks": {"max_tokens": 100}}
    nightly(long, **cut)
    pipeline("run")
    assert all(line["cost_usd"] == line["cost_total_usd"] for line in job.results())
    assert len(job.results()) > 3
    nightly({**long, "new": "two"}, **cut)
    pipeline("run")
    assert [check for check in verify(job.out) if check.problem] == []
    for key in long:
        assert sum(line["cost_total_usd"] for line in job.results() if line["id"] == key) == paid(job)[key]


def test_a_model_without_a_price_has_no_total(nightly, pipeline, job):
    nightly(NIGHT)
    pipeline("run", "--set", "model.name=nobodys-model")
    assert set(totals(job).values()) == {(None, None)}


# ── outputs and ledgers of before ───────────────────────────────────────────────────────────────────────────────────


def of_before(job):
    """The folder as an older program left it."""
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db:
        make_older(db)
    pq.write_table(job.table().drop_columns(["cost_total_usd"]), job.out / "results.parquet")
    manifest = job.manifest()
    del manifest["session"]
    (job.out / "run.json").write_text(json.dumps(manifest))


def test_what_an_older_program_left_is_read_by_every_verb(nightly, pipeline, job):
    nightly(NIGHT)
    pipeline("run")
    of_before(job)
    for verb in (("verify", job.out), ("costs", job.out), ("costs", job.out, "--run", "last"), ("report", job.out),
                 ("export", job.out), ("status", job.file), ("show", job.file, "r1")):  # fmt: skip
        job.pipeline(*verb, code=0)
    from pipeline import results

    assert groups(job, "model").keys() == {"gpt-4o-mini"}
    assert [row.status for row in results(job.out)] == ["ok"] * 6


def test_an_older_output_is_published_with_the_column_by_the_next_run(nightly, pipeline, job, server):
    """Nothing is sent for it; what was paid on nights that the older program ran is on the rows."""
    nightly(NIGHT)
    pipeline("run")
    nightly({**NIGHT, "new": "another"})
    pipeline("run")
    before = totals(job)
    of_before(job)
    sent = server.sent
    told = pipeline("run")
    assert "nothing to do: 7 of 7 rows have an outcome" in told
    assert (server.sent, totals(job)) == (sent, before)
    job.reconcile()


# ── the books ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_costs_reads_all_nights_and_the_last_on_request(nightly, pipeline, job):
    """After a free night the last is empty, and the books are not; a changed model has a line of its own."""
    nightly(NIGHT)
    pipeline("run")
    first = Decimal(job.manifest()["cost_usd"])
    nightly(dict(reversed(NIGHT.items())))
    pipeline("run")
    assert groups(job, "model") == {"gpt-4o-mini": (6, first)}
    assert groups(job, "model", "last") == {}
    assert sum(calls for calls, _ in groups(job, "tenant").values()) == 6
    assert [len(day) for day in groups(job, "day")] == [10]
    pipeline("run", "--set", "model.name=gpt-4o")
    second = Decimal(job.manifest()["cost_usd"])
    assert groups(job, "model") == {"gpt-4o-mini": (6, first), "gpt-4o": (6, second)}
    assert groups(job, "model", "last") == {"gpt-4o": (6, second)}
    assert json.loads(job.pipeline("costs", job.out, "--run", "last", "--json").out)["run"] == "last"


def test_a_folder_without_its_ledger_has_the_last_run_only(nightly, pipeline, job):
    nightly(NIGHT)
    pipeline("run")
    both = [costs(job.out, by, "last") for by in ("model", "tenant", "day", "error_code")]
    assert both == [costs(job.out, by) for by in ("model", "tenant", "day", "error_code")]
    (job.out / "ledger.sqlite").unlink()
    assert "Add --run last" in job.pipeline("costs", job.out, code=2).err
    assert both[0] == costs(job.out, "model", "last")


def test_show_lists_the_calls_of_earlier_runs_with_when(nightly, pipeline, job):
    """By the row's id, and by its content where that has another id tonight; an id's earlier contents too."""

    def calls(key):
        (row,) = json.loads(job.pipeline("show", job.file, key, "--json").out)["rows"]
        return [call["earlier_run"] and call["earlier_run"] <= call["sent_at"] for call in row["calls"]]

    nightly(NIGHT)
    pipeline("run")
    assert calls("r1") == [None]
    nightly({**NIGHT, "r1": "document 1, mended", "renamed": "document 2"})
    pipeline("run")
    assert (calls("r0"), calls("r1"), calls("renamed")) == ([True], [True, None], [True])


def test_rows_without_ids_show_no_calls_of_what_stood_in_their_place(job, server, pipeline):
    job.write(server.url, rows=[{"text": "one"}, {"text": "two"}], input={"id": ""})
    pipeline("run")
    job.write(server.url, rows=[{"text": "three"}, {"text": "one"}], input={"id": ""})
    pipeline("run")
    for place, earlier in (("0", [False]), ("1", [True])):
        (row,) = json.loads(job.pipeline("show", job.file, place, "--json").out)["rows"]
        assert [call["earlier_run"] is not None for call in row["calls"]] == earlier


# ── tonight ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finished_job_that_is_run_again_says_that_there_is_nothing_to_do(nightly, pipeline, job):
    """In words and as JSON; what it cost on another day is not told as if it were new, and the files are left alone."""
    nightly(NIGHT)
    pipeline("run")
    whole = [(job.out / name).read_bytes() for name in ("run.json", "results.parquet", "calls.parquet")]
    cost = job.manifest()["cost_usd"]
    told = pipeline("run")
    assert "nothing to do: 6 of 6 rows have an outcome" in told
    assert f"$0.0000000000 in this session; ${cost} in all sessions of this run" in told
    found = json.loads(job.pipeline("run", job.file, "--json", code=0).out)["session"]
    assert found["nothing_to_do"] == "nothing to do: 6 of 6 rows have an outcome"
    assert (found["calls"], found["cost_usd"], found["tokens"]["input_tokens"]) == (0, "0.0000000000", 0)
    assert (found["rows"]["known"], found["rows"]["done"]) == (6, 0)
    assert whole == [(job.out / name).read_bytes() for name in ("run.json", "results.parquet", "calls.parquet")]
    assert "nothing to do: 6 of 6" in pipeline("run", "--set", "limits.concurrency=3")


def test_a_session_tells_its_own_figures_beside_the_runs(nightly, pipeline, job, server):
    """Of a run that was parked and goes on: what the second command did, and what both did."""
    nightly(NIGHT, limits={"concurrency": 1})
    pipeline("run", "--max-usd", "0.00008", code=3)
    first = job.manifest()
    assert first["session"]["cost_usd"] == first["cost_usd"]
    pipeline("run", "--max-usd", "1")
    both, session = job.manifest(), job.manifest()["session"]
    assert both["calls"] == 6 == first["calls"] + session["calls"]
    assert Decimal(both["cost_usd"]) == Decimal(first["cost_usd"]) + Decimal(session["cost_usd"])
    assert both["tokens"]["output_tokens"] == first["tokens"]["output_tokens"] + session["tokens"]["output_tokens"]
    assert session["rows"] == {"new": 0, "changed": 0, "known": 6, "gone": 0, "done": 6 - first["rows"]["ok"],
                               "ok": 6 - first["rows"]["ok"], "failed": 0}  # fmt: skip
    assert (session["verb"], session["seconds"] < 60) == ("run", True)


def kinds(job):
    rows = job.manifest()["session"]["rows"]
    return [rows[name] for name in ("new", "changed", "known", "gone")]


def test_a_night_says_which_rows_are_new_changed_known_and_gone(nightly, pipeline, job):
    """Renamed rows are known by what they say; rows of any earlier night count, and so do those that cannot be used."""
    nightly({**NIGHT, "bad": ""})
    pipeline("run", code=1)
    assert kinds(job) == [7, 0, 0, 0]
    second = {**NIGHT, "r1": "document 1, mended", "n1": "new 1", "n2": "new 2", "bad": ""}
    del second["r5"]
    second["renamed"] = second.pop("r4")
    nightly(second)
    told = pipeline("run", code=1)
    assert kinds(job) == [2, 1, 5, 1]
    assert "2 new · 1 changed · 5 known · 1 gone" in told
    nightly(NIGHT)
    pipeline("run")
    assert kinds(job) == [0, 1, 5, 3]


def test_a_row_that_cannot_be_used_is_known_by_its_id_alone(nightly, pipeline, job):
    """What it says is not looked at: also where its id is another row's."""
    rows = [{"id": "a", "text": "one", "customer": "c"}, {"id": "a", "text": "two", "customer": "c"}]
    nightly([*rows, {"id": "b", "text": "", "customer": "c"}])
    pipeline("run", code=1)
    nightly([*rows, {"id": "b", "text": "", "customer": "c"}, {"id": "d", "text": "four", "customer": "c"}])
    pipeline("run", code=1)
    assert kinds(job) == [1, 0, 3, 0]


def test_with_another_prompt_rows_are_known_by_what_they_say(nightly, pipeline, job):
    nightly(NIGHT)
    pipeline("run")
    nightly({**NIGHT, "r1": "document 1, mended", "n1": "new"}, extract={"prompt": "Again: {text}"})
    pipeline("run")
    assert kinds(job) == [1, 1, 5, 0]


def test_rows_without_ids_are_known_by_what_they_say(job, server, pipeline):
    def night(*texts, prompt="Read. {text}"):
        rows = [{"text": text} for text in texts]
        job.write(server.url, rows=rows, input={"id": ""}, extract={"prompt": prompt})
        pipeline("run")
        return kinds(job)

    assert night("a", "b", "c") == [3, 0, 0, 0]
    assert night("d", "c", "a") == [1, 0, 2, 1]
    assert night("d", "c", "e", prompt="Again. {text}") == [1, 0, 2, 2]
    assert night("d", "c", "e", "f", prompt="Again. {text}") == [1, 0, 3, 2]


def test_a_limit_makes_no_row_gone(nightly, pipeline, job):
    nightly(NIGHT)
    pipeline("run")
    pipeline("run", "--limit", "2")
    assert kinds(job) == [0, 0, 2, 0]


def test_a_retry_says_what_was_tried_mended_and_spent(nightly, pipeline, job, server):
    nightly(NIGHT)
    bad = {"document 1", "document 2", "document 3"}
    server.script = lambda document, nth, body: Scripted(text="no" if document in bad else answer(document))
    pipeline("run", code=1)
    bad -= {"document 1", "document 2"}
    told = pipeline("retry", code=1)
    session = job.manifest()["session"]
    assert (session["verb"], session["rows"]["done"], session["rows"]["ok"], session["rows"]["failed"]) == (
        "retry",
        3,
        2,
        1,
    )
    assert f"3 tried · 2 mended · 1 still failing · ${session['cost_usd']} spent" in told
    assert Decimal(session["cost_usd"]) > 0
    bad.clear()
    pipeline("retry")
    found = json.loads(job.pipeline("retry", job.file, "--json", code=0).out)["session"]
    assert (found["calls"], found["cost_usd"], found["nothing_to_do"]) == (
        0, "0.0000000000", "no row failed, so nothing was sent"
    )  # fmt: skip


def test_a_chunk_that_another_document_has_too_is_a_duplicate(job, server):
    """With merge = "none" each line tells where its own answer is from; both documents begin alike."""
    same = "Terms of delivery apply. " * 40
    rows = [
        {"id": name, "text": f"{same}\n\nPart of {name}. {name} " * 1 + f"{name} ends here. " * 60} for name in "ab"
    ]
    cut = {"extract": {"merge": "none"}, "chunks": {"max_tokens": 130}, "limits": {"concurrency": 1}}
    job.write(server.url, rows=rows, **cut).run()
    job.reconcile()
    lines = {(line["id"], line["chunk"]): (line["answer_from"], line["calls"]) for line in job.results()}
    assert lines["a", 0] == ("call", 1)
    assert lines["b", 0] == ("duplicate", 0)
    assert all(by == ("call" if calls else "duplicate") for by, calls in lines.values())
    assert sum(calls for _, calls in lines.values()) == server.sent
