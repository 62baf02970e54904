"""Examples are looked at here, and run by `make examples`."""

import ast
import json
import subprocess

import pytest
from places import REPO

import pipeline

SCRIPTS = sorted((REPO / "examples").glob("*.py"))
NOTEBOOK = REPO / "examples" / "notebook.ipynb"


def cells():
    return [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]


def sources():
    return [*(path.read_text() for path in SCRIPTS), "\n".join("".join(cell["source"]) for cell in cells())]


@pytest.mark.parametrize("source", sources(), ids=[*(path.stem for path in SCRIPTS), "notebook"])
def test_what_an_example_uses_of_us_is_there(source):
    """It is Python, and each `pipeline.NAME` of it is one."""
    used = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pipeline"
    }
    assert used <= set(pipeline.__all__)


def test_the_notebook_is_kept_without_outputs():
    """They would be somebody's machine, and a change with every run."""
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells())


def test_the_cron_script_is_a_shell_script():
    """As far as a shell can tell without running it."""
    subprocess.run(["sh", "-n", str(REPO / "examples" / "cron.sh")], check=True)
