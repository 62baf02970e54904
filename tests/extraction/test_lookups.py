"""Look-ups decided: which jobs may have them, and the requests that follow an answer that asks for some."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extraction import requests as planning
from pipeline.extraction.lookups import (
    MOST_BYTES,
    Found,
    lookups_problem,
    mode_asked,
    next_request,
    rounds_in,
    within,
)
from pipeline.extraction.prepare import prepare
from pipeline.job.file import resolve
from pipeline.parts import ToolCall, text_parts
from pipeline.providers.tool_calls import Asked
from pipeline.types import Chunk, Row

OPENAI = {"provider": "openai", "name": "gpt-4o-mini"}


def job(model=None, folder="/jobs", **extract):
    table = {
        "input": {"path": "in.jsonl"},
        "extract": {"schema": "thing.py:Thing", "tools": ["lookups.py:find"], **extract},
        "model": {**(model or OPENAI), "max_output_tokens": 100},
        "output": {"path": "out"},
    }
    return resolve(table, Path(folder) / "job.toml")


@pytest.mark.parametrize(
    ("model", "extract", "told"),
    [
        ({**OPENAI, "lane": "batch"}, {}, "Set model.lane = 'live', not 'batch'"),
        ({**OPENAI, "lane": "auto"}, {}, "Set model.lane = 'live', not 'auto'"),
        ({"provider": "instructor:groq", "name": "m"}, {}, "instructor:groq is reached through a client"),
        (OPENAI, {"mode": "two_step"}, "extract.mode = 'two_step'"),
        ({"provider": "bedrock", "name": "amazon.nova-lite-v1:0", "api": "invoke"}, {}, "Set it to 'converse'"),
        ({"provider": "bedrock", "name": "amazon.titan-text-express-v1"}, {}, "has no tools"),
        ({"provider": "gemini", "name": "gemini-2.5-flash"}, {"mode": "json_schema"}, "takes no functions beside"),
        ({"provider": "gemini", "name": "gemma-3-27b-it"}, {}, "has no tools"),
    ],
)
def test_what_cannot_have_look_ups_is_told_with_the_way_out(model, extract, told):
    assert told in lookups_problem(job(model, **extract))
    assert lookups_problem(job(model, **extract, tools=[])) is None


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        (OPENAI, "auto"),
        ({"provider": "anthropic", "name": "claude-sonnet-4-5"}, "auto"),
        ({"provider": "gemini", "name": "gemini-2.5-flash"}, "tool"),
        ({"provider": "bedrock", "name": "anthropic.claude-haiku-4-5-20251001-v1:0"}, "tool"),
        ({"provider": "bedrock", "name": "meta.llama3-3-70b-instruct-v1:0"}, "json_object"),
    ],
)
def test_the_record_is_a_function_where_no_form_stands_beside_functions(model, mode):
    assert (lookups_problem(job(model)), mode_asked(job(model))) == (None, mode)
    assert mode_asked(job(model, tools=[])) == "auto"


@pytest.mark.parametrize("named", ["find", "lookups.py:", ":find", "lookups.py:find it"])
def test_a_tool_is_named_by_file_and_function(named):
    with pytest.raises(Exception, match=r"should be FILE.py:function or module:function"):
        job(tools=[named])


@given(st.text(max_size=40), st.integers(0, 2 * MOST_BYTES))
def test_a_result_is_whole_or_cut_with_a_note(start, more):
    told = within((start + "x" * more).encode("utf-8", "replace"))
    assert len(told.encode()) <= MOST_BYTES + 80
    assert told.endswith("are left out]") or told == start.encode("utf-8", "replace").decode() + "x" * more


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    (folder / "in.jsonl").write_text('{"text": "a bill"}\n')
    (folder / "thing.py").write_text("from pydantic import BaseModel\n\n\nclass Thing(BaseModel):\n    name: str\n")
    (folder / "lookups.py").write_text("def find(name: str) -> str:\n    return name\n")
    return prepare(job(folder=folder, max_tool_rounds=2)).plan


ASKED = Asked('[{"role":"assistant"}]', (ToolCall("c1", "find", '{"name": "a"}'),))


def after(plan, request, text="7", **more):
    return next_request(plan, request, ASKED, [(ASKED.calls[0], Found(text, **more))])


def first(plan):
    return planning.extract_request(
        plan, Row(0, "r", text_parts("a bill"), None, {}), Chunk(0, 0, 6, text_parts("a bill"), 2)
    )


def test_each_round_has_a_key_of_what_was_said_and_found(plan):
    request = first(plan)
    keys = {request.key, after(plan, request).key, after(plan, request, "8").key, after(plan, request, failed=True).key}
    assert len(keys) == 4
    assert after(plan, request) == after(plan, request)


def test_the_keys_of_rounds_are_what_they_always_were(plan):
    """A change makes everybody pay again for all rounds on their ledgers."""
    one = after(plan, first(plan))
    found = [each.hex() for each in (plan.request_hash, first(plan).key, one.key, after(plan, one).key)]
    assert found == [
        "d0070ab64eceaf9cbe5611fe86e8d6cc",
        "a347a9203f66ef4fba7cc16c03be6734",
        "7b33586f4a442a6c95aca56a01e73898",
        "8cf5c22e22398545f97bbe0c070b1424",
    ]


def test_the_last_round_is_closed_and_so_are_repairs(plan):
    one = after(plan, first(plan))
    two = after(plan, one)
    assert [(rounds_in(each), each.closed) for each in (first(plan), one, two)] == [(0, False), (1, False), (2, True)]
    repair = planning.repair_request(plan, one, one.turns, 0)
    assert repair.closed
    assert repair.key != one.key
    assert planning.raised_request(plan, two).closed


def test_what_a_round_may_cost_is_never_less_than_its_bytes(plan):
    request = after(plan, first(plan), "é" * 9000)
    assert request.input_tokens_ceiling >= first(plan).input_tokens_ceiling + 18000
    assert request.input_tokens > first(plan).input_tokens


def test_look_ups_are_counted_with_every_request_and_hashed(plan, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a bill"}\n')
    (tmp_path / "thing.py").write_text("from pydantic import BaseModel\n\n\nclass Thing(BaseModel):\n    name: str\n")
    without = prepare(job(folder=tmp_path, tools=[])).plan
    assert without.rounds == 0
    assert plan.fixed_tokens > without.fixed_tokens
    assert plan.request_hash != without.request_hash
