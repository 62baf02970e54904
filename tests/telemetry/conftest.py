"""What is told while a run goes on is heard here: a program that imports us hears nothing by itself."""

import pytest

from pipeline import console


@pytest.fixture(autouse=True)
def _heard():
    with console.speaking("text"):
        yield
