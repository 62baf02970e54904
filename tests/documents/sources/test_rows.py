"""A record becomes a row: what counts as a text, and by what a row is named. The same of lines and of Parquet."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.documents.sources.source import Source
from pipeline.job.settings import Input


def rows_of(folder, kind, records, **columns):
    path = folder / f"in.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(records, pa.schema([("id", pa.string()), ("text", pa.string())])), path)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return [row for batch in Source(Input(path=str(path), **columns), (), None).batches() for row in batch]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    "text",
    ["\u200b", "\ufeff", " \u200b\n\ufeff\u200b ", "\u200c\u200d\u2060", "\u00ad", "\u200e\u202a\u202c"],
    ids=ascii,
)
def test_a_text_that_shows_nothing_is_empty(tmp_path, kind, text):
    """It would be paid for; beside one letter such characters are text like any other."""
    bad, good = rows_of(tmp_path, kind, [{"text": text}, {"text": f"{text}a{text}"}])
    assert "'text' is empty" in bad.problem
    assert (bad.text, good.text, good.problem) == ("", f"{text}a{text}", None)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_row_without_an_id_takes_nobodys(tmp_path, kind):
    """Whichever comes first: its position is another's own id."""
    records = [{"id": "1", "text": "a"}, {"text": "b"}, {"id": None, "text": "c"}, {"id": "2", "text": "d"}]
    rows = rows_of(tmp_path, kind, records, id="id")
    assert [(row.id, row.problem is None) for row in rows] == [
        ("1", True),
        ("row 1 (no id)", False),
        ("row 2 (no id)", False),
        ("2", True),
    ]


def test_a_line_that_is_broken_takes_no_id_either(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": "1", "text": "a"}\nbroken\n')
    ((first, broken),) = Source(Input(path=str(tmp_path / "in.jsonl"), id="id"), (), None).batches()
    assert (first.id, broken.id) == ("1", "row 1 (no id)")


def test_without_a_column_of_ids_rows_are_named_by_position(tmp_path):
    assert [row.id for row in rows_of(tmp_path, "jsonl", [{"text": "a"}, {"text": "b"}])] == ["0", "1"]


def rows_for(tmp_path, lines, prompt, optional=()):
    (tmp_path / "in.jsonl").write_text("".join(f"{line}\n" for line in lines))
    source = Source(Input(path=str(tmp_path / "in.jsonl")), prompt, None, optional=optional)
    source.check()
    return [row for batch in source.batches() for row in batch]


def test_a_row_that_lacks_what_the_prompt_names_is_a_bad_row(tmp_path):
    """By the name of the column, with the way to allow it; a null stands for itself."""
    lines = [
        '{"text": "x", "when": "May"}',
        '{"text": "x"}',
        '{"text": "x", "when": null}',
        '{"text": "x", "when": ""}',
    ]
    problems = [row.problem for row in rows_for(tmp_path, lines, ("when",))]
    assert [problem is None for problem in problems] == [True, False, True, True]
    assert "in.jsonl:2: has no 'when', which extract.prompt names; write {when?} there" in problems[1]


def test_what_rows_may_lack_they_may_lack(tmp_path):
    """Also where no row has it, and where a Parquet file has no such column."""
    lines = ['{"text": "x"}', '{"text": "y"}']
    assert [row.problem for row in rows_for(tmp_path, lines, ("when",), ("when",))] == [None, None]
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "a.parquet")
    source = Source(Input(path=str(tmp_path / "a.parquet")), ("when",), None, optional=("when",))
    source.check()
    assert [(row.problem, row.values) for (row,) in source.batches()] == [(None, {"when": None})]
