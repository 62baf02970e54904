"""A service tier that has no room now, and limits of one's own, which are something else."""

import json

import pytest
from each_case import each_case
from every_wire import wire

from pipeline.errors import CallFailed, Kind
from pipeline.types import HttpAnswer


def _openai(**error):
    return json.dumps({"error": {"message": "x", "type": None, "param": None, "code": None, **error}}).encode()


def _google(message, *details):
    return {"error": {"status": "RESOURCE_EXHAUSTED", "message": message, "details": details}}


SLOW = {"x-should-retry": "false"}
TOLD = {  # (wire, status, body, headers) → (kind, whether there is no room)
    "by its code": ("openai", 429, _openai(code="resource_unavailable"), {}, Kind.THROTTLED, True),
    "by its type": ("openai", 429, _openai(type="resource_unavailable"), {}, Kind.THROTTLED, True),
    "by its words": ("openai", 429, _openai(message="429 Resource Unavailable: no flex now"), {}, Kind.THROTTLED, True),
    "not to be retried": ("openai", 429, _openai(code="resource_unavailable"), SLOW, Kind.THROTTLED, True),
    "Azure's": ("azure", 429, _openai(message="Resource unavailable"), {}, Kind.THROTTLED, True),
    "Groq's": ("openai", 498, _openai(code="capacity_exceeded"), {}, Kind.OVERLOADED, True),
    "a limit": ("openai", 429, _openai(code="rate_limit_exceeded"), {}, Kind.THROTTLED, False),
    "no money": ("openai", 429, _openai(code="insufficient_quota"), {}, Kind.QUOTA, False),
    "down": ("openai", 503, _openai(code="server_is_overloaded"), {}, Kind.OVERLOADED, False),
    "Bedrock's": (
        *("converse", 503, b'{"message":"busy"}', {"x-amzn-errortype": "ServiceUnavailableException"}),
        *(Kind.OVERLOADED, True),
    ),
    "Bedrock's limit": (
        *("claude", 429, b'{"message":"Too many requests"}', {"x-amzn-errortype": "ThrottlingException"}),
        *(Kind.THROTTLED, False),
    ),
    "Gemini's": ("gemini", 503, {"error": {"status": "UNAVAILABLE", "message": "busy"}}, {}, Kind.OVERLOADED, True),
    "Gemini's 429": ("gemini", 429, _google("Resource has been exhausted (check quota)."), {}, Kind.THROTTLED, True),
    "Vertex's": ("vertex", 429, _google("Resource exhausted. Please try again later."), {}, Kind.THROTTLED, True),
    "Gemini's limit": (
        *("gemini", 429),
        _google("x", {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel", "quotaValue": "10"}]}),
        *({}, Kind.THROTTLED, False),
    ),
    "down at Google": ("gemini", 500, {"error": {"status": "INTERNAL", "message": "x"}}, {}, Kind.OVERLOADED, False),
}  # fmt: skip


@each_case("name", TOLD)
def test_no_room_is_no_limit_of_ones_own(name):
    """What has none is not billed, and may go out at the standard tier; a limit that is used up holds for both."""
    by, status, body, headers, kind, no_room = TOLD[name]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(CallFailed) as failed:
        wire(by).reply(HttpAnswer(status, headers, data))
    assert (failed.value.kind, failed.value.no_room) == (kind, no_room)
