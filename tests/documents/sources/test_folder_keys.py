"""Keys in the names of folders are columns: of both kinds of files, wherever a job names a column."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.documents.sources.source import Source
from pipeline.errors import JobError
from pipeline.job.settings import Input


def written(folder, form, row):
    folder.mkdir(parents=True)
    if form == "parquet":
        pq.write_table(pa.table({name: [value] for name, value in row.items()}), folder / "a.parquet")
    else:
        pq_row = ", ".join(f'"{name}": "{value}"' for name, value in row.items())
        (folder / "a.jsonl").write_text(f"{{{pq_row}}}\n")


def found(path, prompt=(), **columns):
    source = Source(Input(path=str(path), **columns), prompt, None)
    source.check()
    rows = [row for batch in source.batches() for row in batch]
    return source, rows


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_key_is_a_column_for_everything_that_names_one(tmp_path, form):
    """keep, prompt, tenant and id; the value as text, decoded; Hive's word for null is null."""
    for place, text in (("year=2024/by=a%2Fb", "x"), ("year=2025/by=__HIVE_DEFAULT_PARTITION__", "y")):
        written(tmp_path / place, form, {"text": text})
    source, rows = found(tmp_path, ("year", "by"), id="year", tenant="by", keep=("year", "by"))
    assert [row.problem for row in rows] == [None, None]
    assert [row.values for row in rows] == [{"year": "2024", "by": "a/b"}, {"year": "2025", "by": None}]
    assert [(row.id, row.tenant) for row in rows] == [("2024", "a/b"), ("2025", None)]
    assert [line for batch in source.kept() for line in batch.to_pylist()] == [row.values for row in rows]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_files_own_column_goes_before_the_folders(tmp_path, form):
    """As it was before keys were read; also where only some files have it."""
    written(tmp_path / "year=2024", form, {"text": "x", "year": "own"})
    written(tmp_path / "year=2025", form, {"text": "y"})
    source, rows = found(tmp_path, ("year",), keep=("year",))
    assert [row.values["year"] for row in rows] == ["own", "2025"]
    assert [line["year"] for batch in source.kept() for line in batch.to_pylist()] == ["own", "2025"]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_one_file_and_a_glob_have_the_keys_of_their_path(tmp_path, form):
    """However the path is written."""
    written(tmp_path / "year=2024", form, {"text": "x"})
    for path in (tmp_path / "year=2024" / f"a.{form}", tmp_path / "year=*" / "*", tmp_path / "year=2024"):
        assert [row.values for row in found(path, ("year",))[1]] == [{"year": "2024"}]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_key_that_is_not_there_is_told_with_those_that_are(tmp_path, form):
    """Keys are among the columns that may be meant."""
    written(tmp_path / "year=2024", form, {"text": "x"})
    with pytest.raises(JobError, match="Did you mean 'year'"):
        found(tmp_path, keep=("yeer",))
