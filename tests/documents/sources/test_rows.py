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
