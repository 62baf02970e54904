"""A table of small cases as one test: pytest's own parameters cost each of them more than the case itself does.

Every case is tried, whatever became of those before it, and each one that fails is named, with all that it was given.
For cases that need nothing fresh: what a fixture gives is made once for all of them.
"""

import functools
import inspect

import pytest

MOST_CHARACTERS = 500


def each_case(names, cases, ids=None):
    """In place of `pytest.mark.parametrize`; several stand for all combinations."""
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    cases = [_given(names, case) for case in cases]

    def tried(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def all_cases(**fixtures):
            failed = [error for case in cases if (error := _failure(function, fixtures, case)) is not None]
            if len(failed) == 1:
                raise failed[0]
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(cases)} cases of {function.__name__}", failed)

        kept = [one for name, one in signature.parameters.items() if name not in names]
        all_cases.__signature__ = signature.replace(parameters=kept)
        return all_cases

    assert cases, "no case at all"
    return tried


def _given(names, case):
    values = case.values if isinstance(case, type(pytest.param())) else case if len(names) > 1 else [case]
    return dict(zip(names, values, strict=True))


def _failure(function, fixtures, case):
    try:
        function(**fixtures, **case)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 (told with the others, below)
        told = ", ".join(f"{name}={_short(value)}" for name, value in case.items())
        error.add_note(f"the case: {told}")
        return error
    return None


def _short(value):
    told = repr(value)
    return told if len(told) <= MOST_CHARACTERS else f"{told[:MOST_CHARACTERS]}…"
