"""`pipeline.extract`: a record of each document that a program has, on a ledger as any job's."""

import asyncio
import sqlite3
import sys
import threading
from decimal import Decimal

import pyarrow as pa
import pytest
from pydantic import BaseModel, field_validator
from scripted_server import Scripted

import pipeline


class Thing(BaseModel):
    name: str
    total: Decimal


@pytest.fixture
def ask(server, tmp_path, monkeypatch):
    """`extract` with all that is not of interest."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-extract")
    given = {"schema": Thing, "model": "openai:gpt-4o-mini", "output": tmp_path / "out", "base_url": server.url}

    def asked(documents, **more):
        return pipeline.extract(documents, **{**given, **more})

    asked.given = given
    return asked


def ids(result):
    return [(row.id, row.status) for row in result]


def test_texts_become_instances_of_the_class_and_are_never_paid_for_twice(ask, server, tmp_path):
    """Named by their number; the same call again finds all done, and so do the texts in another order."""
    result = ask(["one", "two"], max_usd=1.0, prompt="Read it.\n\n{text}")
    assert (result.state, result.exit_code, result.output, server.sent) == ("finished", 0, tmp_path / "out", 2)
    assert ids(result) == [("0", "ok"), ("1", "ok")]
    assert all(type(row.record) is Thing for row in result)
    assert result.cost_usd > 0
    assert ids(ask(["one", "two"], max_usd=1.0, prompt="Read it.\n\n{text}")) == ids(result)
    again = ask((text for text in ("two", "three", "one")), max_usd=2, prompt="Read it.\n\n{text}")
    assert (server.sent, again.rows.ok, again.state) == (3, 3, "finished")


def test_what_finished_is_left_as_it_is(ask, server):
    """Nothing is published anew: the same documents are the same input."""
    first = ask([{"id": "a", "text": "one"}])
    changed = (first.output / "results.parquet").stat().st_mtime_ns
    assert ask([{"id": "a", "text": "one"}]).manifest.ended_at == first.manifest.ended_at
    assert (first.output / "results.parquet").stat().st_mtime_ns == changed


def test_a_cap_parks_and_the_same_call_goes_on(ask, server):
    """As a result with its state; `results` reads the folder."""
    parked = ask(["one", "two"], max_usd=0)
    assert (parked.state, parked.reason, server.sent) == ("parked", "budget", 0)
    assert [row.status for row in ask(["one", "two"], max_usd=1)] == ["ok", "ok"]
    assert pipeline.results(parked.output).rows.ok == 2


def test_rows_that_failed_are_retried_where_that_is_asked_for(ask, server):
    """Else they stay as they ended."""
    server.script = lambda document, nth, body: Scripted(text="no JSON") if document == "bad" and nth < 3 else None
    assert ids(ask(["one", "bad"])) == ids(ask(["one", "bad"])) == [("0", "ok"), ("1", "failed")]
    assert ids(ask(["one", "bad"], retry=True)) == [("0", "ok"), ("1", "ok")]
    assert server.paid["one"] == 1


@pytest.mark.parametrize("kind", ["mappings", "pyarrow", "polars", "pandas"])
def test_rows_bring_ids_and_columns(ask, server, kind):
    """For the prompt, and to be kept in the results."""
    rows = [{"id": "x", "text": "one", "page": 7}, {"id": "y", "text": "two", "page": 8}]
    table = pa.Table.from_pylist(rows)
    made = {
        "mappings": lambda: iter(rows),
        "pyarrow": lambda: table,
        "polars": lambda: pytest.importorskip("polars").from_arrow(table),
        "pandas": lambda: pytest.importorskip("pandas").DataFrame(rows),
    }
    result = ask(made[kind](), prompt="Page {page}: <<{text}>>", set={"input.keep": ["page"]})
    assert ids(result) == [("x", "ok"), ("y", "ok")]
    assert result.table().column("page").to_pylist() == [7, 8]
    assert sorted(server.paid) == ["one", "two"]


def test_paths_are_documents_as_a_folder_job_reads_them(ask, tmp_path):
    """In the order given, by the paths as given; one that is missing costs its own row. A folder is given by itself."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("b.txt", "a.txt"):
        (inbox / name).write_text(f"text of {name}")
    listed = ask([inbox / "b.txt", inbox / "a.txt", inbox / "gone.txt"])
    assert ids(listed) == [(f"{inbox}/b.txt", "ok"), (f"{inbox}/a.txt", "ok"), (f"{inbox}/gone.txt", "failed")]
    assert [row.error_code for row in listed][2] == "bad_row"
    assert listed.table().column("document").to_pylist()[0]["media_type"] == "text/plain"
    assert ids(ask(inbox, output=tmp_path / "other")) == [("a.txt", "ok"), ("b.txt", "ok")]


def test_a_generator_that_raises_leaves_nothing_and_sends_nothing(ask, server):
    """Its own exception comes out; what had been done before is still there."""
    before = ask(["one"])

    def broken():
        yield "two"
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        ask(broken())
    assert server.sent == 1
    assert {path.name for path in before.output.iterdir() if path.name.startswith("documents")} == {"documents.jsonl"}
    assert ids(ask(["one"])) == ids(before)


def test_documents_are_read_in_the_thread_that_has_them(ask):
    """As the rows of a database have to be."""
    db = sqlite3.connect(":memory:")
    assert ids(ask({"text": text} for (text,) in db.execute("SELECT 'one'"))) == [("0", "ok")]


def test_a_class_of_a_notebook_is_as_good(ask, server, monkeypatch):
    """Where it is asked for in this process; its records are read by `results` too, while it is there."""

    class Cell(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def _upper(cls, name):
            return name.upper()

    Cell.__module__, Cell.__qualname__ = "__main__", "Cell"
    monkeypatch.setattr(sys.modules["__main__"], "Cell", Cell, raising=False)
    server.script = lambda document, nth, body: Scripted(text='{"name": "a"}')
    result = ask(["one"], schema=Cell)
    assert [row.record.name for row in result] == ["A"]
    assert [row.record.name for row in pipeline.results(result.output)] == ["A"]
    monkeypatch.delattr(sys.modules["__main__"], "Cell")
    with pytest.raises(pipeline.JobError, match=r"'Cell' of these records was defined in a script or a notebook"):
        list(pipeline.results(result.output))
    with pytest.raises(pipeline.JobError, match=r"Cell is defined in __main__.*module of its own"):
        ask(["one"], schema=Cell, set={"limits.workers": 2})
    with pytest.raises(pipeline.JobError, match=r"engine.on = 'ray': workers import the class.*Put the class into"):
        ask(["one"], schema=Cell, set={"engine.on": "ray"})


def test_a_folder_in_use_is_refused_by_name_and_its_documents_stay(ask, server):
    """By another thread of this process: the second call changes nothing of the first one's."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(document, nth, body):
        begun.set()
        assert go_on.wait(30)

    server.script = slow
    found = []
    first = threading.Thread(target=lambda: found.append(ask(["one"])))
    first.start()
    try:
        assert begun.wait(30)
        with pytest.raises(pipeline.LedgerError, match="in use by another run: pipeline extract"):
            ask(["two"])
    finally:
        go_on.set()
        first.join()
    assert ids(found[0]) == [("0", "ok")]


def test_two_runs_at_once_in_one_process(ask, tmp_path, capfd):
    """In folders of their own, each with its own progress; standard output stays whose it is."""
    heard = {name: [] for name in ("a", "b")}
    threads = [
        threading.Thread(target=lambda name=name: ask([name], output=tmp_path / name, progress=heard[name].append))
        for name in heard
    ]
    out = sys.stdout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[one.done for one in told][-1] for told in heard.values()] == [1, 1]
    assert sys.stdout is out
    assert capfd.readouterr() == ("", "")


def test_in_an_event_loop(ask):
    """Awaited, or called as it is."""

    async def cell():
        awaited = await pipeline.extract_async(["one"], **ask.given)
        return ids(awaited), ids(ask(["one"]))

    assert asyncio.run(cell()) == ([("0", "ok")], [("0", "ok")])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"schema": int}, "should be a class that derives from pydantic.BaseModel"),
        ({"model": "gpt-4o-mini"}, 'should be PROVIDER:NAME, such as "openai:gpt-4o-mini"'),
        ({"model": "opnai:gpt-4o-mini"}, "Did you mean 'openai'"),
        ({"prompt": "no text"}, r"pipeline.extract\(\): extract.prompt has no {text}"),
        ({"set": {"output.path": "x"}}, "give output="),
        ({"set": {"limits.concurency": 1}}, "Did you mean 'concurrency'"),
        ({"max_usd": -1}, "budget.max_usd = -1 should be 0 or more USD"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(ask, server, more, told):
    """By the names that the call has for it."""
    with pytest.raises(pipeline.JobError, match=told):
        ask(["one"], **more)
    assert server.sent == 0


def test_workers_import_the_class_from_where_this_process_has_it(ask, tmp_path, monkeypatch):
    """A module beside a script, which other processes would not find by themselves."""
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "my_schemas_here.py").write_text(
        "from pydantic import BaseModel\nclass Order(BaseModel):\n    name: str\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "beside")
    from my_schemas_here import Order

    result = ask(["one", "two"], schema=Order, set={"limits.workers": 2})
    assert ids(result) == [("0", "ok"), ("1", "ok")]
    monkeypatch.delitem(sys.modules, "my_schemas_here")
