"""The user's functions, run: in threads, in time, and whatever they do."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from pipeline.engine import lookups
from pipeline.engine.lookups import Functions
from pipeline.parts import ToolCall
from pipeline.schema.tools import load_tools

SOURCE = """
import sys
import threading
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

GO = threading.Event()
RUNNING = []


@dataclass
class Rate:
    day: date
    rate: Decimal


def rate(day: date) -> Rate:
    return Rate(day, Decimal("1.25"))


def ends() -> str:
    sys.exit(3)


def stops() -> str:
    raise KeyboardInterrupt


def worded() -> str:
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    raise Odd


def endless() -> object:
    return iter(int, 1)


def thing() -> object:
    return object()


def nan() -> float:
    return float("nan")


def waits() -> str:
    RUNNING.append(1)
    GO.wait()
    return "late"


def where() -> str:
    return threading.current_thread().name
"""
NAMES = ["rate", "ends", "stops", "worded", "endless", "thing", "nan", "waits", "where"]


@pytest.fixture
def found(tmp_path):
    (tmp_path / "lookups.py").write_text(SOURCE)
    return load_tools([f"{tmp_path / 'lookups.py'}:{name}" for name in NAMES])


def functions(found, timeout_s=5.0):
    shape = SimpleNamespace(shape=SimpleNamespace(name="Thing"))
    extract = SimpleNamespace(extract=SimpleNamespace(tool_timeout_s=timeout_s))
    return Functions(SimpleNamespace(lookups=found, shaped=shape, job=extract))


def run(found, name, arguments="{}"):
    async def one():
        return await functions(found).run(ToolCall("c", name, arguments))

    return asyncio.run(one())


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("rate", '{"day": "2026-11-30"}', '{"day":"2026-11-30","rate":"1.25"}'),
        ("nan", "{}", '"NaN"'),
        ("where", "{}", '"look-up"'),
    ],
)
def test_what_is_found_goes_as_json(found, name, arguments, text):
    assert run(found, name, arguments) == lookups.Found(text)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ends", "raised SystemExit: 3"),
        ("stops", "raised KeyboardInterrupt: "),
        ("worded", "raised Odd: (it has no text)"),
        ("endless", "returned a callable_iterator, not a value"),
        ("thing", "raised PydanticSerializationError: Unable to serialize unknown type"),
    ],
)
def test_a_function_that_fails_ends_nothing_but_its_call(found, name, told):
    one = run(found, name)
    assert (one.failed, one.fault) == (True, True)
    assert one.text.startswith(told)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("rate", '{"day": "soon"}', "not done, the arguments are wrong: day: "),
        ("nothing", "{}", "not done: there is no function 'nothing'. There are: rate, "),
        ("Thing", "{}", "not taken: call it again, alone"),
    ],
)
def test_what_is_no_call_is_told_and_is_no_fault_of_a_function(found, name, arguments, told):
    one = run(found, name, arguments)
    assert (one.failed, one.fault) == (True, False)
    assert one.text.startswith(told)


def test_threads_that_are_given_up_are_bounded_and_hold_nothing_up(found, monkeypatch):
    monkeypatch.setattr(lookups, "MOST_LOST", 3)
    module = found[-2].function.__globals__

    async def calls():
        runner, call = functions(found, timeout_s=0.02), ToolCall("c", "waits", "{}")
        told = [(await runner.run(call)).text for _ in range(4)]
        module["GO"].set()
        for thread in [one for one in threading.enumerate() if one.name == "look-up"]:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)
        return told, await runner.run(call)

    told, last = asyncio.run(calls())
    late = "took longer than 0.02 s"
    assert told == [late, late, late, "was not called: 3 calls that took too long are still running"]
    assert (last.text, len(module["RUNNING"])) == ('"late"', 4)


def test_a_run_does_not_wait_for_a_thread_that_it_gave_up(found):
    module = found[-2].function.__globals__

    async def one():
        return await functions(found, timeout_s=0.02).run(ToolCall("c", "waits", "{}"))

    assert asyncio.run(one()).text == "took longer than 0.02 s"  # and comes back, though nobody has let it go
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "look-up")
    module["GO"].set()
