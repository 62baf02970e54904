"""The names of an output folder's files stand in one module, and a ledger set aside is known by its name."""

import ast
from pathlib import Path

import pytest

import pipeline
from pipeline.job import folder

PACKAGE = Path(pipeline.__file__).parent
ANYWHERE = {folder.TUNE_SUFFIX, folder.UNFINISHED}  # ends that other files have as well
NAMES = {value for name, value in vars(folder).items() if name.isupper() and isinstance(value, str)}


def texts(path):
    return {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}


def test_no_other_module_spells_a_name():
    others = [path for path in PACKAGE.rglob("*.py") if path != Path(folder.__file__)]
    assert len(NAMES) == 19
    assert [(path.name, found) for path in others if (found := texts(path) & (NAMES - ANYWHERE))] == []


@pytest.mark.parametrize("stamp", ["20261130T101112", "20261130T101112-2", "20261130T101112000001"])
def test_a_ledger_set_aside_is_known_by_its_name(stamp):
    assert folder.KEPT_LEDGER.fullmatch(folder.kept_ledger(stamp))
    assert not folder.KEPT_LEDGER.fullmatch(folder.LEDGER)
