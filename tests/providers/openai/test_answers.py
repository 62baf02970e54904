"""OpenAI's wire: what becomes of answers and errors."""

import pytest
from each_case import each_case
from openai_family import GOOD, body_of, error, made, model_of, replied

from pipeline.errors import CallFailed, Kind
from pipeline.types import Dimension, PartialUsage, Stop, Usage

WIRE = made(model_of())


def failed(body, status=400, headers=None, wire=WIRE):
    with pytest.raises(CallFailed) as caught:
        replied(wire, body, status, headers)
    return caught.value


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_case(
    ("finish", "stop"),
    [
        *(
            (word, Stop.DONE)
            for word in ("stop", "tool_calls", "function_call", "eos", "eos_token", "end_turn", "STOP")
        ),
        *((word, Stop.TRUNCATED) for word in ("length", "max_tokens", "model_length", "MAX_TOKENS")),
        *((word, Stop.BLOCKED) for word in ("content_filter", "SAFETY")),
        ("refusal", Stop.REFUSED),
        *((word, None) for word in ("error", "load", "insufficient_system_resource", "cancelled")),
        *((word, Stop.DONE) for word in ("eos_reached", "", None, 7, "paused")),
    ],
)
def test_finish_words(finish, stop):
    """Each word for an ending has its meaning; by one that is not known, or missing, the content is taken."""
    if stop is None:
        failure = failed(body_of(finish=finish), 200)
        assert (failure.kind, failure.usage) == (Kind.NO_ANSWER, Usage(10, 0, 0, 5, 0))
        return
    reply = replied(WIRE, body_of(finish=finish))
    assert (reply.stop, reply.finish_reason, reply.text) == (stop, finish if isinstance(finish, str) else "", '{"a":1}')


@each_case(
    ("message", "text"),
    [
        ({"content": "x"}, "x"),
        ({"content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}, "xy"),
        ({"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "y"}]}, "y"),
        ({"content": "said", "tool_calls": [{"function": {"name": "Thing", "arguments": "{}"}}]}, "{}"),
        ({"tool_calls": [{"function": {"name": "Thing", "arguments": {"a": "é"}}}]}, '{"a":"é"}'),
        (
            {
                "tool_calls": [
                    {"function": {"name": "Other", "arguments": "1"}},
                    {"function": {"name": "Thing", "arguments": "2"}},
                ]
            },
            "2",
        ),
        ({"tool_calls": [{"function": {"arguments": "1"}}, {"function": {"arguments": "2"}}]}, "1\n2"),
        ({"tool_calls": [{"function": {"arguments": "{}"}}, {"function": {"arguments": " { } "}}]}, "{}"),
        ({"tool_calls": [{"type": "custom", "custom": {"name": "x", "input": "4 + 4"}}]}, "4 + 4"),
        ({"function_call": {"name": "x", "arguments": "{}"}, "content": None}, "{}"),
        ({"content": "x", "reasoning_content": "because"}, "x"),
    ],
)
def test_where_the_text_is(message, text):
    """In the content, in its parts, or in the arguments of the function: the one asked for, else all."""
    assert replied(WIRE, body_of(message=message)).text == text


@pytest.mark.parametrize("message", [{}, {"content": None}, {"content": ""}, {"content": []}, None, 5])
def test_no_text_is_no_answer_but_has_a_price(message):
    """Nothing was said though nothing went wrong: to be tried again, and paid for."""
    failure = failed(body_of(message=message), 200)
    assert (failure.kind, failure.usage, failure.finish_reason) == (Kind.NO_ANSWER, Usage(10, 0, 0, 5, 0), "stop")
    assert replied(WIRE, body_of(message=message, finish="length")).stop is Stop.TRUNCATED
    assert replied(WIRE, body_of(message=message, finish="content_filter")).stop is Stop.BLOCKED


def test_a_refusal_is_its_words():
    """`refusal` beside a good ending: the model declined."""
    reply = replied(WIRE, body_of(message={"content": None, "refusal": "No."}))
    assert (reply.stop, reply.text, reply.finish_reason) == (Stop.REFUSED, "No.", "stop")


def test_the_first_of_several_choices_counts():
    """With n = 2 the first is the answer, and the usage is of both."""
    other = {"index": 1, "message": {"content": "other"}, "finish_reason": "length"}
    reply = replied(WIRE, {**GOOD, "choices": [*GOOD["choices"], other]})
    assert (reply.text, reply.stop) == ('{"a":1}', Stop.DONE)


@each_case(
    ("told", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, Usage(9, 0, 0, 4, 0)),
        ({"input_tokens": 9, "output_tokens": 4}, Usage(9, 0, 0, 4, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2, "audio_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 1},
            },
            Usage(9, 3, 2, 8, 5),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 6}, Usage(9, 6, 0, 4, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "cached_tokens": 6}, Usage(9, 6, 0, 4, 0)),
        (
            {
                "prompt_tokens": 37,
                "completion_tokens": 530,
                "total_tokens": 800,
                "completion_tokens_details": {"reasoning_tokens": 233},
            },
            Usage(37, 0, 0, 763, 233),
        ),
        ({"prompt_tokens": 9.0, "completion_tokens": "4"}, Usage(9, 0, 0, 4, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 0}, Usage(9, 0, 0, 0, 0)),
        ({"prompt_tokens": None, "input_tokens": 9, "completion_tokens": 4}, Usage(9, 0, 0, 4, 0)),
        ({"prompt_tokens": None, "completion_tokens": "4"}, PartialUsage(0, 0, 0, 4, 0, output_told=True)),
        ({"prompt_tokens": 0, "completion_tokens": 4}, PartialUsage(0, 0, 0, 4, 0, output_told=True)),
        ({"prompt_tokens": 9, "completion_tokens": 4.5}, PartialUsage(9, 0, 0, 0, 0, input_told=True)),
        ({"prompt_tokens": 9, "completion_tokens": None}, PartialUsage(9, 0, 0, 0, 0, input_told=True)),
        ({"prompt_tokens": None, "completion_tokens": None}, PartialUsage()),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, PartialUsage()),
        ({"prompt_tokens": True, "completion_tokens": -4, "prompt_tokens_details": 5}, PartialUsage()),
        ({"prompt_tokens": "nine", "completion_tokens": "4.0"}, PartialUsage()),
        ({"total_tokens": 13}, PartialUsage()),
        ({}, PartialUsage()),
        (None, PartialUsage()),
        ([], PartialUsage()),
    ],
)
def test_usage(told, usage):
    """Input includes cached reads, output includes reasoning, however it is counted; what is missing is said to be."""
    assert replied(WIRE, body_of(usage=told)).usage == usage


@pytest.mark.parametrize(
    ("body", "usage", "words"),
    [
        (body_of(finish="error", usage=None), PartialUsage(), '{"a":1}'),
        (body_of(message={"content": ""}, usage=None), PartialUsage(), ""),
        ({"choices": []}, Usage(), ""),
        ({"choices": [], "usage": {"prompt_tokens": 9}}, Usage(9), ""),
    ],
)
def test_no_answer_is_billed_where_the_model_said_something(body, usage, words):
    """What it said is counted where nothing tells; of what may be no model's nothing is."""
    failure = failed(body, 200)
    assert (failure.kind, failure.usage, failure.said) == (Kind.NO_ANSWER, usage, words)


def test_what_the_headers_say_comes_along():
    """Request id, limits and hint of a good answer, too; without the header the answer's own id stands."""
    headers = {"x-request-id": "req_1", "x-ratelimit-remaining-tokens": "5", "retry-after": "2"}
    reply = replied(WIRE, GOOD, headers=headers)
    assert (reply.provider_request_id, reply.retry_after_s) == ("req_1", 2.0)
    assert [(seen.dimension, seen.remaining) for seen in reply.limits] == [(Dimension.TOKENS, 5)]
    assert replied(WIRE, GOOD).provider_request_id == "chatcmpl-1"
    assert replied(WIRE, GOOD).model_version == "gpt-4o-mini-2024-07-18"
    replied(WIRE, GOOD, headers={"x-request-id": "r\udcff"}).provider_request_id.encode()


def test_responses_bodies_are_understood():
    """A gateway may answer as the Responses API does: messages, reasoning and function calls in one list."""
    reasoning = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}
    said = {"type": "message", "content": [{"type": "output_text", "text": "x"}, {"type": "output_text", "text": "y"}]}
    usage = {"input_tokens": 9, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 1}}
    body = {"object": "response", "status": "completed", "error": None, "output": [reasoning, said], "usage": usage}
    reply = replied(WIRE, body)
    assert (reply.text, reply.stop, reply.usage) == ("xy", Stop.DONE, Usage(9, 0, 0, 4, 1))
    called = {"type": "function_call", "name": "Thing", "arguments": "{}"}
    assert replied(WIRE, {**body, "output": [said, called]}).text == "{}"
    refused = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
    assert replied(WIRE, {**body, "output": [refused]}).stop is Stop.REFUSED
    for reason, stop in (("max_output_tokens", Stop.TRUNCATED), ("content_filter", Stop.BLOCKED)):
        cut = {**body, "status": "incomplete", "incomplete_details": {"reason": reason}}
        assert (replied(WIRE, cut).stop, replied(WIRE, cut).finish_reason) == (stop, reason)
    assert failed({**body, "status": "cancelled"}, 200).kind is Kind.NO_ANSWER


# ── failures ────────────────────────────────────────────────────────────────────────────────────────────────────────

TOO_LARGE = "Rate limit reached on tokens per min: Limit 30000, Used 0, Requested 39143."


@each_case(
    ("status", "body", "kind"),
    [
        (401, error("bad", "invalid_api_key"), Kind.AUTH),
        (401, b"", Kind.AUTH),
        (403, error("no"), Kind.AUTH),
        (403, error("the project has no access to model `x`"), Kind.MODEL_UNAVAILABLE),
        (403, error("x", "model_not_found"), Kind.MODEL_UNAVAILABLE),
        (403, error("your input was flagged", 403, metadata={"reasons": ["x"]}), Kind.BLOCKED),
        (403, error("the team has used all available credits"), Kind.QUOTA),
        (402, error("insufficient balance"), Kind.QUOTA),
        (404, error("The model `x` does not exist", "model_not_found"), Kind.MODEL_UNAVAILABLE),
        (404, error('model "x" not found, try pulling it first', kind="api_error"), Kind.MODEL_UNAVAILABLE),
        (404, error("No endpoints found for x/y.", 404), Kind.MODEL_UNAVAILABLE),
        (404, b"404 page not found", Kind.INVALID_REQUEST),
        (410, error("gone"), Kind.MODEL_UNAVAILABLE),
        (400, error("x", "context_length_exceeded"), Kind.CONTEXT_EXCEEDED),
        (400, error("x", "string_above_max_length"), Kind.CONTEXT_EXCEEDED),
        (400, error("This model's maximum context length is 4096 tokens."), Kind.CONTEXT_EXCEEDED),
        (400, error("the request exceeds the context", 400, "exceed_context_size_error"), Kind.CONTEXT_EXCEEDED),
        (422, error("inputs tokens + max_new_tokens: `inputs` tokens must be <= 4096"), Kind.CONTEXT_EXCEEDED),
        (413, b"", Kind.CONTEXT_EXCEEDED),
        (413, error("Request too large: Limit 6000, Requested 9000", "rate_limit_exceeded"), Kind.CONTEXT_EXCEEDED),
        (400, error("x", "billing_hard_limit_reached"), Kind.QUOTA),
        (400, error("Budget has been exceeded! Max budget: 1", "400", "budget_exceeded"), Kind.QUOTA),
        (400, error("x", "content_policy_violation"), Kind.BLOCKED),
        (400, error("x", "invalid_prompt"), Kind.BLOCKED),
        (400, error("x", "bio_policy"), Kind.BLOCKED),
        (400, error("ContentPolicyViolationError: no"), Kind.BLOCKED),
        (400, error("Invalid model name passed in model=x"), Kind.MODEL_UNAVAILABLE),
        (400, {"code": "an argument is wrong", "error": "Incorrect API key provided: xa***"}, Kind.AUTH),
        (400, error("Web search options not supported with this model."), Kind.INVALID_REQUEST),
        (400, error("max_tokens is too large: 99999. This model supports at most 16384."), Kind.INVALID_REQUEST),
        (400, error("Failed to generate JSON", "json_validate_failed"), Kind.NO_ANSWER),
        (405, b"", Kind.INVALID_REQUEST),
        (422, error("x"), Kind.INVALID_REQUEST),
        (302, b"", Kind.NO_ANSWER),
        (429, error("x", "rate_limit_exceeded", "tokens"), Kind.THROTTLED),
        (429, b"slow down", Kind.THROTTLED),
        (429, error("x", "insufficient_quota"), Kind.QUOTA),
        (429, error("x", None, "insufficient_quota"), Kind.QUOTA),
        (429, error("x", "credit_balance_exhausted"), Kind.QUOTA),
        (429, error("x", "organization_spend_limit_exceeded"), Kind.QUOTA),
        (429, error("x", "billing_not_active"), Kind.QUOTA),
        (429, error("You exceeded your current quota."), Kind.QUOTA),
        (429, error("You exceeded your current quota. Please retry in 34.4s."), Kind.THROTTLED),
        (429, error("on requests per day (RPD): Limit 200", "rate_limit_exceeded"), Kind.QUOTA),
        (429, error("Request too large for gpt-4o", "rate_limit_exceeded", "tokens"), Kind.CONTEXT_EXCEEDED),
        (429, error(TOO_LARGE, "rate_limit_exceeded", "tokens"), Kind.CONTEXT_EXCEEDED),
        (429, error("x", "resource_unavailable"), Kind.THROTTLED),
        (429, error("the engine is overloaded", None, "server_error"), Kind.THROTTLED),
        (503, error("x", "slow_down"), Kind.THROTTLED),
        (503, error("x", "server_is_overloaded"), Kind.OVERLOADED),
        (500, error("the input window is too long", None, "server_error"), Kind.OVERLOADED),
        *((status, b"<html>", Kind.OVERLOADED) for status in (408, 409, 424, 425, 498, 499, 500, 502, 504, 520, 529)),
        (204, b"", Kind.NO_ANSWER),
        # in the shapes of compatible servers
        (400, {"object": "error", "message": "maximum context length", "code": 400}, Kind.CONTEXT_EXCEEDED),
        (404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, Kind.MODEL_UNAVAILABLE),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, Kind.INVALID_REQUEST),
        (429, {"statusCode": 429, "message": "Try again in 38 seconds."}, Kind.THROTTLED),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, Kind.THROTTLED),
        (200, {"object": "error", "message": "x", "code": 404}, Kind.INVALID_REQUEST),
        (200, error("Provider returned error", 429, metadata={"raw": "slow"}), Kind.THROTTLED),
        (200, error("Provider returned error", 502), Kind.OVERLOADED),
        (200, error("x", "429"), Kind.THROTTLED),
        (200, error("x", "rate_limit_exceeded"), Kind.THROTTLED),
        (200, error("strange"), Kind.NO_ANSWER),
        (200, {"error": "strange"}, Kind.NO_ANSWER),
        (200, {"choices": [{"error": {"code": 502, "message": "x"}, "finish_reason": "error"}]}, Kind.OVERLOADED),
        (200, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "x"}}], Kind.THROTTLED),
        (200, b"<html>busy</html>", Kind.NO_ANSWER),
        (200, b"null", Kind.NO_ANSWER),
        (200, b"[]", Kind.NO_ANSWER),
        (200, {"choices": []}, Kind.NO_ANSWER),
        (200, b"", Kind.CONNECTION),
    ],
)
def test_failures(status, body, kind):
    """Code before status before text; in every shape that servers of this dialect answer in."""
    failure = failed(body, status)
    assert failure.kind is kind
    assert failure.status == status
    assert failure.message


def test_what_a_failure_tells():
    """Hint, limits, request id, what it is billed for, and the words of who stands behind a gateway."""
    body = {**error("Provider returned error", 429, metadata={"raw": "try again in 3s"}), "usage": GOOD["usage"]}
    failure = failed(body, 429, {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "0"})
    assert (failure.retry_after_s, failure.provider_request_id, failure.usage) == (3.0, "req_1", Usage(10, 0, 0, 5, 0))
    assert failure.message == "Provider returned error: try again in 3s"
    assert [(seen.dimension, seen.remaining) for seen in failure.limits] == [(Dimension.REQUESTS, 0)]
    assert failed(b"", 302, {"location": "https://elsewhere.test"}).message == "redirected to https://elsewhere.test"
    assert failed(b"", 500).message == "status 500"
    assert len(failed(error("long " * 500)).message) <= 500


def test_a_429_that_must_not_be_tried_again_parks():
    """x-should-retry: false without any hint: waiting will not cure it."""
    assert failed(error("x", "rate_limit_exceeded"), 429, {"x-should-retry": "false"}).kind is Kind.QUOTA
    headers = {"x-should-retry": "false", "retry-after": "2"}
    assert failed(error("x", "rate_limit_exceeded"), 429, headers).kind is Kind.THROTTLED


def test_a_402_with_a_hint_is_waited_out():
    """OpenRouter holds back credit for calls in flight, and says for how long."""
    assert failed(error("x", 402), 402, {"retry-after": "5"}).kind is Kind.THROTTLED
