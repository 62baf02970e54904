"""Which of a job's models a row goes to, and where it goes on."""

from pathlib import Path

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ErrorCode, Status
from pipeline.errors import JobError
from pipeline.extraction.routing import MAIN, PARKING, cause_of, diverts, first_step, next_step
from pipeline.job.file import resolve
from pipeline.job.several import CAUSES
from pipeline.parts import text_parts
from pipeline.types import Outcome, Row

MODEL = {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 100}
NAMES = ("a", "b", "c")


def job_of(routes=(), fallbacks=(), models=None, **more):
    named = {one["model"] for one in (*routes, *fallbacks)}
    table = {
        "input": {"path": "in.jsonl"},
        "extract": {"schema": "thing.py:Thing"},
        "model": MODEL,
        "output": {"path": "out"},
        "models": dict.fromkeys(sorted(named), MODEL) if models is None else models,
        "route": list(routes),
        "fallback": list(fallbacks),
        **more,
    }
    return resolve(table, Path("/jobs/night.toml"))


def row_of(text="x", **values):
    return Row(0, "r", text_parts(text), None, values)


def on(model, *causes):
    return {"on": list(causes), "model": model}


def test_the_first_route_that_fits_is_taken_else_model_itself():
    job = job_of(
        routes=[
            {"where": {"column": "language", "in": ["ja", 7, True]}, "model": "a"},
            {"min_input_tokens": 100, "model": "b"},
        ]
    )
    assert first_step(job, row_of(language="ja")).model == "a"
    assert first_step(job, row_of(language=7)).model == "a"
    assert first_step(job, row_of(language=True)).model == "a"
    assert first_step(job, row_of("word " * 400, language="en")).model == "b"
    assert first_step(job, row_of(language=None)).model == MAIN
    assert first_step(job_of(), row_of()).model == MAIN


def test_fallbacks_are_tried_in_order_and_none_twice():
    job = job_of(fallbacks=[on("a", "refused"), on("b", "invalid_output", "refused"), on("c", "refused")])
    step = first_step(job, row_of())
    assert next_step(job, step, "invalid_output", [MAIN]).model == "b"
    first = next_step(job, step, "refused", [MAIN])
    assert first.model == "a"
    second = next_step(job, first, "refused", [MAIN, "a"])
    assert (second.model, next_step(job, second, "refused", [MAIN, "a", "b"]).model) == ("b", "c")
    assert next_step(job, second, "invalid_output", [MAIN, "a", "b"]) is None
    assert next_step(job, step, "auth", [MAIN]) is None


lists = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sets(st.sampled_from(CAUSES), min_size=1)),
    max_size=3,
    unique_by=lambda one: one[0],
)


@given(fallbacks=lists, routes=st.sampled_from([(), NAMES]), data=st.data())
def test_every_way_ends_and_what_diverts_always_has_a_way_on(fallbacks, routes, data):
    named = [name for name, _ in fallbacks]
    routes = [{"where": {"column": "kind", "in": [name]}, "model": name} for name in routes if name in named]
    job = job_of(routes=routes, fallbacks=[on(name, *causes) for name, causes in fallbacks])
    step, been = first_step(job, row_of(kind=data.draw(st.sampled_from([*NAMES, "none"])))), []
    for _ in range(10):
        been.append(step.model)
        cause = data.draw(st.sampled_from(CAUSES))
        onward = next_step(job, step, cause, been)
        if cause in diverts(job, step.model) and not set(named) & set(been[:-1]):
            assert onward is not None
        if onward is None:
            break
        step = onward
    assert len(been) == len(set(been)) <= 4
    assert diverts(job, MAIN) <= PARKING


def test_what_a_provider_in_trouble_has_failed_goes_on_as_an_outage():
    def failed(code):
        return cause_of(Outcome(b"d", 0, Status.FAILED, error_code=code))

    assert failed(ErrorCode.TIMEOUT) == failed(ErrorCode.PROVIDER_ERROR) == "outage"
    assert failed(ErrorCode.UNGROUNDED) == "ungrounded"
    assert cause_of(Outcome(b"d", 0, Status.OK, ("{}",))) is None


@each_case(
    ("change", "told"),
    [
        ({"fallbacks": [on("a", "refused")], "models": {}}, "model = 'a' is no [models.NAME]"),
        ({"fallbacks": [on("a", "refused"), on("a", "auth")]}, "[[fallback]] names model = 'a' twice"),
        ({"fallbacks": [on("a", "refusd")]}, "did you mean 'refused'"),
        ({"fallbacks": [{"model": "a", "on": []}]}, "[[fallback]] number 1 needs on"),
        ({"fallbacks": [on("a", "auth") | {"when": 1}]}, "unknown key when"),
        ({"routes": [{"model": "a"}]}, "[[route]] number 1 says no rows"),
        ({"routes": [{"model": "a", "min_input_tokens": -1}]}, "min_input_tokens"),
        ({"routes": [{"model": "a", "where": {"column": "x"}}]}, "where = "),
        (
            {"routes": [{"model": "a", "min_input_tokens": 5}, {"model": "b", "min_input_tokens": 9}]},
            "number 2 can never fit: number 1 takes all of its rows",
        ),
        ({"models": {"a": MODEL}}, "[models.a] is named by no [[route]] and no [[fallback]]"),
        ({"models": {"a": {"provider": "openai"}}, "fallbacks": [on("a", "auth")]}, "[models.a] needs name"),
        ({"models": {"a b": MODEL}, "fallbacks": [on("a b", "auth")]}, "a name is letters"),
        (
            {"models": {"a": {**MODEL, "limits": {"concurency": 1}}}, "fallbacks": [on("a", "auth")]},
            "models.a.limits.concurency",
        ),
    ],
)
def test_what_is_wrong_is_told(change, told):
    with pytest.raises(JobError) as error:
        job_of(**change)
    assert told.lower() in str(error.value).lower()


def test_limits_that_belong_to_an_account_are_a_models_own_and_the_others_the_jobs():
    job = job_of(
        fallbacks=[on("a", "auth")],
        models={"a": {**MODEL, "limits": {"concurrency": 3}}},
        limits={"requests_per_minute": 500, "timeout_s": 9, "concurrency": 8},
    )
    limits = job.models["a"].limits
    assert (limits.requests_per_minute, limits.timeout_s, limits.concurrency) == (0, 9.0, 3)
