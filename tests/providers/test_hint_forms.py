"""Each form of a hint and of a day's allowance, on each wire: gateways put any provider's error into any dialect."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from each_case import each_case

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.providers import wire_for
from pipeline.types import AnswerShape, HttpAnswer

NOW = datetime(2026, 11, 30, 9, 0, 0, tzinfo=UTC)
DATE = {"date": format_datetime(NOW, usegmt=True)}
SHAPE = AnswerShape("Thing", "json_object", {}, strict=False)
SETTINGS = {"base_url": "http://127.0.0.1:9", "region": "us-east-1", "project": "p", "api_version": "2024-10-21"}
WIRES = {
    "openai": {"provider": "openai", "name": "gpt-4o-mini"},
    "azure": {"provider": "azure", "name": "gpt-4o-mini"},
    "openai responses": {"provider": "openai", "name": "gpt-4o-mini", "api": "responses"},
    "azure responses": {"provider": "azure", "name": "gpt-4o-mini", "api": "responses"},
    "anthropic": {"provider": "anthropic", "name": "claude-haiku-4-5"},
    "bedrock": {"provider": "bedrock", "name": "amazon.nova-lite-v1:0"},
    "bedrock invoke": {"provider": "bedrock", "name": "amazon.nova-lite-v1:0", "api": "invoke"},
    "gemini": {"provider": "gemini", "name": "gemini-2.5-flash"},
    "vertex": {"provider": "vertex", "name": "gemini-2.5-flash"},
}
GOOGLE = (
    "openai",
    "openai responses",
    "azure",
    "gemini",
    "vertex",
)  # its own, and its endpoint that speaks OpenAI's dialect
QUOTA = "You exceeded your current quota, please check your plan and billing details."


def retry_info(delay):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def failure(quota_id):
    violation = {"quotaId": quota_id, "quotaValue": "60"}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def unix_ms(seconds):
    return str(int((NOW + timedelta(seconds=seconds)).timestamp() * 1000))


def exhausted(message, *details):
    return {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": list(details)}


def openrouter(message, reset, remaining="0"):
    headers = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset}
    return {"code": 429, "message": message, "metadata": {"headers": headers, "provider_name": None}}


def failed(wire, headers, error, *, listed=False):
    model = Model(**SETTINGS, **WIRES[wire], max_output_tokens=9)
    body = {"type": "error", "error": error, "user_id": "user_x"}
    raw = json.dumps([body] if listed else body).encode()
    with pytest.raises(CallFailed) as found:
        wire_for(model, SHAPE, {}).reply(HttpAnswer(429, {**DATE, **headers}, raw))
    return found.value


PER_MINUTE = failure("GenerateRequestsPerMinutePerProjectPerModel")
BUSY = {"message": "Too many requests"}
FORMS = {  # name → headers, error, seconds
    "seconds": ({"retry-after": "7"}, BUSY, 7.0),
    "milliseconds": ({"retry-after-ms": "250"}, BUSY, 0.25),
    "a date": ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, BUSY, 90.0),
    "in words": ({}, {"message": "Rate limit reached. Please try again in 6m0s."}, 360.0),
    "RetryInfo": ({}, exhausted("Slow down.", retry_info("34.4s")), 34.4),
    "RetryInfo, and what it is of": ({}, exhausted(QUOTA, PER_MINUTE, retry_info("34s")), 34.0),
    "a longer one in words": ({}, exhausted("Please retry in 34.07s.", retry_info("34s")), 34.07),
    "a shorter one in words": ({}, exhausted("Please retry in 33.9s.", retry_info("34s")), 34.0),
    "header before body": ({"retry-after": "2"}, exhausted("Please retry in 34.07s.", retry_info("34s")), 2.0),
    "reset in ms": ({}, openrouter("Rate limit exceeded: free-models-per-min. ", unix_ms(8)), 8.0),
    "reset in s": ({}, openrouter("Rate limit exceeded", unix_ms(8)[:-3]), 8.0),
    "reset with some left": ({}, openrouter("Rate limit exceeded", unix_ms(8), remaining="3"), None),
    "none": ({}, BUSY, None),
}


@each_case("form", FORMS)
@each_case(("wire", "listed"), [*((wire, False) for wire in WIRES), *((wire, True) for wire in GOOGLE)])
def test_each_form_of_a_hint_is_read_on_each_wire(wire, form, listed):
    """Also where the error is in a list, as Google's endpoints send it."""
    headers, error, seconds = FORMS[form]
    found = failed(wire, headers, error, listed=listed)
    assert found.retry_after_s == (seconds if seconds is None else pytest.approx(seconds))
    assert found.kind is Kind.THROTTLED


DAYS = {  # what holds until tomorrow, whatever it says of seconds
    "per day": ("openai anthropic bedrock gemini", {"message": "Too many tokens per day, please wait."}),
    "TPD": ("openai", {"message": "Rate limit reached on tokens per day (TPD): Limit 9, try again in 5m11.04s."}),
    "OpenRouter's": ("openai", openrouter("Rate limit exceeded: free-models-per-day. ", unix_ms(54_000))),
    "OpenRouter's, with credit": (
        "openai",
        openrouter("Rate limit exceeded: free-models-per-day-high-balance. ", unix_ms(54_000)),
    ),
    "Google's quota": (
        "openai gemini vertex",
        exhausted(QUOTA, failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), retry_info("43s")),
    ),
}


@each_case(("wire", "form"), [(wire, form) for form, (wires, _) in DAYS.items() for wire in wires.split()])
def test_a_day_s_allowance_that_is_used_up_is_no_rate_limit(wire, form):
    """It parks the run, and is not waited out."""
    error = DAYS[form][1]
    found = failed(wire, {}, error)
    assert found.kind is Kind.QUOTA
    assert found.retry_after_s == (54_000 if "metadata" in error else found.retry_after_s)


def test_a_reset_is_read_by_the_clock_where_the_answer_has_no_date():
    """As any other time of day."""
    until = datetime.now(UTC) + timedelta(hours=15)
    error = openrouter("free-models-per-day-high-balance", str(int(until.timestamp() * 1000)))
    assert 53_900 < failed("openai", {"date": ""}, error).retry_after_s <= 54_000
