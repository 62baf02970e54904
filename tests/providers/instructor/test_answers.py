"""Vendors' answers as chat completions, and the counts in them."""

from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.instructor.answers import as_chat, counts_of

BOTH = {"prompt_tokens": 100, "completion_tokens": 20}
READ = {"input_tokens": 900, "output_tokens": 90}
BILLED = {"input_tokens": 100, "output_tokens": 20}


@each_case(
    ("body", "counts"),
    [
        ({"usage": {**BOTH, "total_tokens": 120}}, BOTH),
        ({"usage": BILLED}, BOTH),
        ({"usage": {"billed_units": BILLED, "tokens": READ}}, BOTH),
        ({"usage": {"tokens": BILLED}}, BOTH),
        ({"meta": {"billed_units": {"input_tokens": 100.0, "output_tokens": 20.0}}}, BOTH),
        ({"meta": {"tokens": BILLED}}, BOTH),
        ({"usage": {"billed_units": {"input_tokens": 100}}}, {"prompt_tokens": 100}),
        ({"usage": {"billed_units": {"search_units": 1}, "tokens": BILLED}}, BOTH),
        ({"usage": {"input_tokens": None, "output_tokens": "20"}}, {"completion_tokens": 20}),
        ({"usage": None}, {}),
        ({"usage": [1]}, {}),
        ({}, {}),
    ],
)
def test_known_forms_of_usage(body, counts):
    assert counts_of(body) == counts


def test_cohere_of_both_versions():
    second = {"id": "c", "message": {"role": "assistant", "content": [{"type": "text", "text": "{}"}]}}
    assert as_chat({**second, "finish_reason": "COMPLETE", "usage": {"billed_units": BILLED}}) == {
        "id": "c",
        "choices": [{"message": second["message"], "finish_reason": "COMPLETE"}],
        "usage": BOTH,
    }
    first = as_chat({"text": "{}", "finish_reason": "ERROR_LIMIT", "meta": {"tokens": BILLED}})
    assert first["choices"] == [{"message": {"role": "assistant", "content": "{}"}, "finish_reason": "length"}]


NAMES = st.sampled_from(["message", "text", "choices", "usage", "meta", "finish_reason", "id"])
INNER = st.sampled_from(["billed_units", "tokens", "input_tokens"])
ODD = st.recursive(st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(INNER, one))


@given(st.dictionaries(NAMES, ODD))
def test_no_body_is_too_odd(body):
    told = as_chat(body)
    assert told is body or set(told["usage"]) <= set(BOTH)
