"""An input of which only some rows are read: of what is fetched for them as much is kept as of the whole."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_pdfs import pdf, text

from pipeline.catalog.file_limits import file_limits
from pipeline.commands.consent.rehearse import SomeRows
from pipeline.documents.pages import Rules
from pipeline.documents.sources.source import Source
from pipeline.job.settings import Documents, Input, Model

MODEL = Model(provider="openai", name="gpt-4o-mini", max_output_tokens=100)
RULES = Rules(Documents(read="native"), MODEL, file_limits(MODEL, "json_schema"))


def test_files_of_some_rows_are_there_for_as_long_as_they_are_kept(tmp_path):
    pytest.importorskip("pypdfium2_raw")
    files = [pdf(text(50, 700, f"Invoice {number}, total 12.50")) for number in range(4)]
    pq.write_table(pa.table({"doc": files}), tmp_path / "in.parquet")
    whole = Source(Input(path=str(tmp_path / "in.parquet"), document="doc"), (), None, rules=RULES)
    some = SomeRows(whole, bytearray([1, 0, 1, 0]))
    batches = some.batches(2)
    (first,) = next(batches)
    some.keep(first.parts)
    (third,) = next(batches)
    assert (first.index, third.index) == (0, 2)
    assert some.load(first.parts[0]) == files[0]
    places = [Path(row.parts[0].path) for row in (first, third)]
    assert list(batches) == []
    assert [place.exists() for place in places] == [True, False]
    some.release(first)
    assert not places[0].exists()
    some.close()
    assert not places[0].parent.exists()
