"""pandas stays out until somebody wants it; garbage is looked for as the program has it."""

import gc
import subprocess
import sys

import pytest

from pipeline.runtime import GARBAGE_OBJECTS, seldom_garbage

PROGRAM = """
import sys
import pyarrow as pa
from pipeline.runtime import spare_pandas

spare_pandas()
assert pa.array([1, None]).null_count == 1
assert "pandas" not in sys.modules
assert pa.table({"a": [1, 2]}).to_pandas()["a"].sum() == 3
import pandas
spare_pandas()
assert pa.array(pandas.Series([1.5, None])).null_count == 1
"""


def test_pandas_is_not_imported_for_a_list_and_is_there_for_who_wants_it():
    """In a process of its own, for what pyarrow has found out it remembers."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_run_does_without_pandas(job, server):
    """Which takes 0.15 s and 50 MB where it is installed, as it is here."""
    (job.folder / "sitecustomize.py").write_text(
        "import atexit, pathlib, sys\n"
        "atexit.register(lambda: pathlib.Path('loaded').write_text(str('pandas' in sys.modules)))\n"
    )
    job.env["PYTHONPATH"] = str(job.folder)
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).process("run", job.file, code=0, fresh=True)
    assert (job.folder / "loaded").read_text() == "False"


@pytest.fixture
def threshold():
    before = gc.get_threshold()
    yield gc.set_threshold
    gc.set_threshold(*before)


def test_garbage_is_looked_for_as_before_once_the_last_run_has_ended(threshold):
    threshold(700, 10, 10)
    first, second = seldom_garbage(), seldom_garbage()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold()[0] == GARBAGE_OBJECTS
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] == GARBAGE_OBJECTS
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(0, 10, 10), (100_000, 10, 10)])
def test_a_program_with_a_mind_of_its_own_about_garbage_keeps_it(threshold, own):
    threshold(*own)
    with seldom_garbage():
        assert gc.get_threshold() == own
    assert gc.get_threshold() == own
