"""instructor's keywords, and the answers and errors of vendors."""

import orjson
import pytest
from each_case import each_case

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.types import AnswerShape, HttpAnswer, PartialUsage, Purpose, Request, Stop, Turn, Usage

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TURNS = tuple(Turn(role, text_parts(text)) for role, text in (("user", "a bill"), ("assistant", "{}"), ("user", "no")))
CALL = {"name": "My_Thing", "arguments": '{"a":1}'}
TEXT = {"type": "text", "text": "{}"}


def wire(name="groq", mode="tool", **more):
    model = Model(**{"provider": f"instructor:{name}", "name": "m", "max_output_tokens": 9, **more})
    return wire_for(model, AnswerShape("My Thing", mode, SCHEMA, strict=False), {})


def body(made, **more):
    asked = {"purpose": Purpose.EXTRACT, "system": "Read.", "turns": TURNS, "max_output_tokens": 9}
    return orjson.loads(
        made.body(Request(b"k", 0, "r", 0, input_tokens=5, input_tokens_ceiling=9, **{**asked, **more}))
    )


def replied(answer, status=200, headers=None, name="groq"):
    data = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    return wire(name).reply(HttpAnswer(status, headers or {}, data))


def failed(answer, status, headers=None):
    with pytest.raises(CallFailed) as caught:
        replied(answer, status, headers)
    return caught.value


@pytest.mark.parametrize("mode", ["tool", "json_schema"])
def test_a_body_is_the_keywords_of_create(mode):
    assert body(wire(mode=mode)) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Read."},
            *({"role": turn.role, "content": turn.text} for turn in TURNS),
        ],
        "max_tokens": 9,
        "response_model": {"mode": mode, "name": "My_Thing", "schema": SCHEMA},
    }


def test_asked_for_in_words_the_words_are_ours():
    told = body(wire(mode="json_object"))
    assert set(told) == {"model", "messages", "max_tokens"}
    assert orjson.dumps(SCHEMA).decode() in told["messages"][0]["content"]
    assert set(body(wire(), free_text=True)) == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("groq", {"top_p": 0.5, "seed": 7, "stop": ["A"]}),
        ("mistral", {"top_p": 0.5, "random_seed": 7, "stop": ["A"]}),
        ("cohere", {"p": 0.5, "seed": 7, "stop_sequences": ["A"]}),
    ],
)
def test_settings_have_the_names_of_the_vendors_client(name, words):
    made = body(wire(name, temperature=0.0, top_p=0.5, seed=7, stop=("A",), extra={"user": "u"}))
    assert {**words, "temperature": 0.0, "user": "u"}.items() <= made.items()


@pytest.mark.parametrize(
    ("answer", "text", "usage"),
    [
        (
            {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}],
             "usage": {"prompt_tokens": 100, "completion_tokens": 20}},
            "{}", Usage(100, 0, 0, 20, 0),
        ),
        (
            {"choices": [{"message": {"content": "", "tool_calls": [{"function": CALL}]}, "finish_reason": "stop"}],
             "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
            '{"a":1}', Usage(1, 0, 0, 2, 0),
        ),
        (
            {"choices": [{"message": {"content": [{"type": "thinking", "thinking": []}, TEXT]}}]},
            "{}", PartialUsage(),
        ),
        (
            {"id": "c", "finish_reason": "COMPLETE", "message": {"content": [{"type": "text", "text": "{}"}]},
             "usage": {"billed_units": {"input_tokens": 100, "output_tokens": 20}, "tokens": {"input_tokens": 900}}},
            "{}", Usage(100, 0, 0, 20, 0),
        ),
        ({"message": {"content": [{"type": "text", "text": "{}"}]}}, "{}", PartialUsage()),
    ],
)  # fmt: skip
def test_answers(answer, text, usage):
    found = replied(answer)
    assert (found.text, found.stop, found.usage) == (text, Stop.DONE, usage)


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("MAX_TOKENS", Stop.TRUNCATED), ("TIMEOUT", None), ("ERROR", None), ("ERROR_TOXIC", Stop.BLOCKED)],
)
def test_how_coheres_answers_end(finish, stop):
    answer = {"finish_reason": finish, "message": {"content": [{"type": "text", "text": "{"}]}}
    if stop is None:
        assert failed(answer, 200).kind is Kind.NO_ANSWER
    else:
        assert replied(answer).stop is stop


@each_case(
    ("status", "answer", "kind"),
    [
        (401, {"message": "invalid api token"}, Kind.AUTH),  # Cohere
        (401, {"detail": "Unauthorized"}, Kind.AUTH),  # Mistral
        (401, {"error": {"message": "Invalid API Key", "code": "invalid_api_key"}}, Kind.AUTH),  # Groq
        (402, {"error": {"message": "Insufficient Balance"}}, Kind.QUOTA),  # DeepSeek
        (403, {"error": "UNAUTHORIZED"}, Kind.AUTH),
        (404, {"message": "model 'x' not found"}, Kind.MODEL_UNAVAILABLE),
        (
            404,
            {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}},
            Kind.MODEL_UNAVAILABLE,
        ),
        (422, {"object": "error", "message": {"detail": [{"msg": "bad"}]}, "type": "invalid"}, Kind.INVALID_REQUEST),
        (400, {"message": "invalid request: bad schema"}, Kind.INVALID_REQUEST),
        (429, {"message": "too many requests"}, Kind.THROTTLED),
        (498, {"error": {"message": "capacity", "code": "flex_capacity_exceeded"}}, Kind.OVERLOADED),
        (500, {"message": "internal"}, Kind.OVERLOADED),
        (503, b"<html>", Kind.OVERLOADED),
        (529, b"", Kind.OVERLOADED),
    ],
)
def test_errors_are_typed_by_their_status(status, answer, kind):
    found = failed(answer, status)
    assert (found.kind, found.status) == (kind, status)


def test_a_wait_and_the_limits_in_headers_are_kept():
    found = failed({"message": "slow down"}, 429, {"retry-after": "7", "x-ratelimit-remaining-requests": "0",
                                                  "x-ratelimit-limit-requests": "30"})  # fmt: skip
    assert found.retry_after_s == 7
    assert found.limits
