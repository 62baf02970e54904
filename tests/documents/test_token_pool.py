"""Tokens counted on all cores are those of one."""

import pytest
from msgspec.structs import replace

from pipeline.documents.token_pool import Cutting, counted


@pytest.mark.parametrize("select", [0, 3])
def test_counts_are_the_same_on_all_cores_and_in_order(monkeypatch, select):
    """Texts of every kind, lone surrogates too: other processes cut and count as this one does."""
    texts = [(f"document {n} \ud800 数字 " * (n % 30), "col" * (n % 3)) for n in range(400)]
    batches, cutting = [texts[at : at + 40] for at in range(0, 400, 40)], Cutting("openai", "gpt-4o-mini", 50, 5)
    cutting = replace(cutting, select=select, words_asked=(("document", 1.0), ("数字", 0.5)))
    alone = list(counted(cutting, batches))
    assert max(len(asked) for part in alone for _, asked, _ in part) == (select or 4)
    assert {len(asked) for part in alone for _, asked, skipped in part if skipped} == ({select} if select else set())
    monkeypatch.setattr("pipeline.documents.token_pool.ALONE_CHARS", 0)
    monkeypatch.setattr("pipeline.documents.token_pool.usable_cores", lambda: 2)
    assert list(counted(cutting, batches)) == alone


def test_a_counting_process_that_dies_is_an_error_and_not_a_wrong_figure(monkeypatch):
    monkeypatch.setattr("pipeline.documents.token_pool.ALONE_CHARS", 0)
    monkeypatch.setattr("pipeline.documents.token_pool.usable_cores", lambda: 2)
    monkeypatch.setattr("pipeline.documents.token_pool.sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match="a process that counts tokens died"):
        list(counted(Cutting("openai", "gpt-4o-mini", 50, 0), [[("some text", "")]] * 6))
