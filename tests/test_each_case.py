"""A table of cases that is one test proves as much as a test for each (tests/kit/each_case.py)."""

import pytest
from each_case import each_case


def test_every_case_is_tried_and_each_that_fails_is_named(tmp_path):
    seen = []

    @each_case("text", ["a", pytest.param("b", id="second")])
    @each_case(("number", "right"), [(1, True), (2, False), (3, False)])
    def cases(tmp_path, text, number, right):
        seen.append((text, number))
        assert right

    with pytest.raises(BaseExceptionGroup) as told:
        cases(tmp_path=tmp_path)
    assert seen == [(text, number) for text in "ab" for number in (1, 2, 3)]
    inner = [(group.__notes__, [error.__notes__ for error in group.exceptions]) for group in told.value.exceptions]
    of = [["the case: number=2, right=False"], ["the case: number=3, right=False"]]
    assert inner == [(["the case: text='a'"], of), (["the case: text='b'"], of)]


def test_a_block_that_should_have_raised_fails_its_case():
    @each_case("number", [0, 1])
    def cases(number):
        with pytest.raises(ZeroDivisionError):
            1 / number

    with pytest.raises(pytest.fail.Exception) as told:
        cases()
    assert told.value.__notes__ == ["the case: number=1"]


def test_an_empty_table_proves_nothing_and_is_refused():
    with pytest.raises(AssertionError):
        each_case("name", [])
