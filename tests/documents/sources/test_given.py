"""A program's documents: written once all are there, read as any input, and told of where one is no document."""

import json
import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from pipeline.documents.sources.given import given
from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Input

TEXTS = st.text(st.characters(codec=None), min_size=1).filter(lambda text: not text.isspace())  # lone surrogates too


def rows(found):
    spec = Input(path=found.path, id=found.id)
    return [row for batch in Source(spec, (), None).batches() for row in batch]


@drawn(st.lists(st.one_of(TEXTS, st.fixed_dictionaries({"text": TEXTS, "n": st.integers(-(2**53), 2**53)}))))
def test_every_document_is_one_row_by_its_number(tmp_path_factory, documents):
    """Whatever characters it has."""
    folder = tmp_path_factory.mktemp("given")
    found = rows(given(iter(documents), folder))
    assert [row.id for row in found] == [str(number) for number in range(len(documents))]
    told = [document if isinstance(document, str) else document["text"] for document in documents]
    for row, text in zip(found, told, strict=True):
        if row.problem is None:
            assert row.text == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        else:
            assert "no width" in row.problem or "white space" in row.problem


def test_values_are_written_as_json_has_them(tmp_path):
    """Ids as text, dates, money and identifiers in their usual form; the program's own mapping stays as it was."""
    one = uuid.UUID(int=1)
    document = {"id": one, "text": "a", "on": date(2026, 1, 2), "usd": Decimal("1.50"), "more": {"a": [1]}}
    given([document, {"id": 7, "text": "b"}], tmp_path)
    first, second = map(json.loads, (tmp_path / "documents.jsonl").read_text().splitlines())
    assert first == {"id": str(one), "text": "a", "on": "2026-01-02", "usd": "1.50", "more": {"a": [1]}}
    assert (second["id"], document["id"]) == ("7", one)


def test_the_same_documents_leave_the_file_as_it_is(tmp_path):
    """And others take its place; of another kind there is only ever the last one."""
    path = tmp_path / "documents.jsonl"
    given(["a"], tmp_path)
    was = path.stat().st_ino
    given(iter(["a"]), tmp_path)
    assert path.stat().st_ino == was
    given(["b"], tmp_path)
    assert path.stat().st_ino != was
    given(pa.table({"text": ["a"]}), tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["documents.parquet"]


def test_nothing_at_all_is_no_row(tmp_path):
    """An empty iterable, and an empty table."""
    assert rows(given([], tmp_path)) == []
    assert rows(given(pa.table({"text": pa.array([], pa.string())}), tmp_path)) == []


def test_tables_bring_their_own_ids(tmp_path):
    """Where they have a column of that name; a reader's batches are written one by one."""
    table = pa.table({"id": [3, 4], "text": ["a", "b"]})
    assert [row.id for row in rows(given(table.to_reader(), tmp_path))] == ["3", "4"]
    assert [row.id for row in rows(given(table.drop_columns("id"), tmp_path))] == ["0", "1"]


def test_a_column_of_a_frame_is_an_iterable_of_texts(tmp_path):
    """A series of pandas or polars."""
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    for series in (pandas.Series(["a", "b"]), polars.Series(["a", "b"])):
        assert [row.text for row in rows(given(series, tmp_path))] == ["a", "b"]


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ("one text", r"documents is one str, not several. Put it in a list"),
        ({"text": "a"}, r"documents is one dict, not several"),
        (7, r"documents is a int. Give an iterable of texts"),
        (["a", 7], r"number 1 is a int. Give an iterable"),
        (["a", None], r"number 1 is a NoneType"),
        (["a", Path("b.pdf")], r"number 1 is a PosixPath, where those before are none"),
        ([Path("b.pdf"), "a"], r"number 1 is a str, where those before are paths"),
        ([Path()], r"number 0 is a folder: \.. Give it alone"),
        ([{"id": ["a"], "text": "a"}], r"number 0: its id is \['a'\], a list. It should be a text or a whole number"),
        ([{"id": 1.5, "text": "a"}], r"number 0: its id is 1.5, a float"),
        ([{"id": True, "text": "a"}], r"number 0: its id is True, a bool"),
        ([{"id": "", "text": "a"}], r"number 0: its id is empty"),
        ([{1: "a", "text": "a"}], r"number 0 has the key 1, a int"),
        ([{"text": "a", "pdf": b"%PDF"}], r"number 0: 'pdf' is bytes. Give text; or a table of pyarrow"),
        ([{"text": "a", "x": object()}], r"number 0: 'x' is a object, or holds one, which has no form in JSON"),
        (pa.table([["a"], ["b"]], names=["text", "text"]), r"has the column 'text' twice"),
    ],
)
def test_what_is_no_document_is_named(tmp_path, documents, told):
    """And nothing of the others stays behind."""
    with pytest.raises(JobError, match=told):
        given(documents, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_frames_that_would_lose_something_are_refused(tmp_path):
    """Two columns of one name, an index that means something, columns that are no text, frames not collected."""
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pandas.DataFrame({"text": ["a", "b"], "n": [1, 2]})
    for bad, told in (
        (pandas.concat([frame, frame[["n"]]], axis=1), r"the column 'n' twice"),
        (frame.set_index("n"), r"an index \('n'\), which would be lost. Give documents.reset_index\(\)"),
        (frame[frame.n > 1], r"an index of its own.*reset_index\(drop=True\)"),
        (frame.rename(columns={"n": 5}), r"has the column 5, a int. Name columns by text"),
        (pandas.DataFrame({"text": ["a", 1.5]}), r"a column of no one type"),
        (polars.LazyFrame({"text": ["a"]}), r"Give documents.collect\(\)"),
    ):
        with pytest.raises(JobError, match=told):
            given(bad, tmp_path)
    assert len(rows(given(frame[frame.n > 1].reset_index(drop=True), tmp_path))) == 1


def test_memory_does_not_grow_with_a_generator(tmp_path):
    """Documents are written as they come: no more than a few are alive at once."""
    alive = most = 0

    class Counted(str):
        __slots__ = ()

        def __del__(self):
            nonlocal alive
            alive -= 1

    def many():
        nonlocal alive, most
        for _ in range(2000):
            alive += 1
            most = max(most, alive)
            yield Counted("text")

    given(many(), tmp_path)
    assert most < 5
