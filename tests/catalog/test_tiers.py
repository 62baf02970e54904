"""Service tiers: what answers call them, and what they cost."""

import json
from decimal import Decimal

import pytest
from each_case import each_case
from streams import CLAUDE, GEMINI, OPENAI, STREAMS, frame, sse

from pipeline.catalog.prices import rate_for
from pipeline.catalog.providers import ENTRIES
from pipeline.catalog.tiers import FACTORS, tier_named
from pipeline.job.settings import Prices
from pipeline.money import cost_usd, rate_at
from pipeline.types import HttpAnswer, Usage

USED = Usage(1_000_000, 0, 0, 1_000_000, 0)


@pytest.mark.parametrize(
    "word", ["", "default", "standard", "STANDARD", "auto", "ON_DEMAND", "PROVISIONED_THROUGHPUT", "scale"]
)
def test_words_for_the_standard_tier(word):
    assert tier_named(word) == ""


@pytest.mark.parametrize(
    ("word", "name"),
    [("priority", "priority"), ("ON_DEMAND_PRIORITY", "priority"), ("SERVICE_TIER_FLEX", "flex"), ("gold", "gold")],
)
def test_words_for_others(word, name):
    assert tier_named(word) == name


def test_every_provider_has_its_factors():
    assert FACTORS.keys() == {entry.name for entry in ENTRIES}


@each_case(
    ("provider", "model", "service", "usd"),
    [
        ("openai", "gpt-5", "", "11.25"),
        ("openai", "gpt-5", "priority", "22.5"),  # by the table, as is what follows
        ("azure", "gpt-5", "priority", "22.5"),
        ("openai", "gpt-5", "flex", "5.625"),
        ("openai", "gpt-4o-mini", "priority", "1.25"),
        ("openai", "gpt-4o-mini", "flex", "0.75"),  # not known there: never the cheaper
        ("openai", "gpt-4o-mini", "gold", "1.25"),  # not known at all: the dearest
        ("openai", "gpt-3.5-turbo", "priority", "5"),
        ("gemini", "gemini-2.5-flash", "priority", "5.6"),
        ("vertex", "gemini-2.5-flash", "flex", "1.4"),
        ("anthropic", "claude-haiku-4-5", "priority", "6"),
        ("bedrock", "us.amazon.nova-lite-v1:0", "priority", "0.525"),
        ("bedrock", "us.amazon.nova-lite-v1:0", "flex", "0.3"),
    ],
)
def test_what_a_tier_costs(provider, model, service, usd):
    rate = rate_for(provider, model, Prices())
    assert cost_usd(USED, rate_at(rate, service)) == Decimal(usd)


def test_the_jobs_own_prices_hold_for_every_tier():
    own = rate_for("openai", "x", Prices(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2)))
    assert rate_at(own, "priority") == own


def test_a_long_request_at_a_dearer_tier_is_dearer_by_both():
    rate = rate_for("gemini", "gemini-2.5-pro", Prices())
    (tier,) = rate_at(rate, "priority").tiers
    assert (tier.from_input_tokens, tier.output) == (200_001, 2 * rate.tiers[0].output)


USAGE = {"prompt_tokens": 1, "completion_tokens": 1}
CHAT = {
    "choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}],
    "usage": USAGE,
    "service_tier": "priority",
}
MESSAGE = {"content": [{"type": "text", "text": "{}"}], "stop_reason": "end_turn"}
CONVERSE = {
    "output": {"message": {"content": [{"text": "{}"}]}},
    "stopReason": "end_turn",
    "serviceTier": {"type": "priority"},
}
GENERATED = {"candidates": [{"content": {"parts": [{"text": "{}"}]}, "finishReason": "STOP"}]}
RESPONSE = {
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "{}"}]}],
    "status": "completed",
    "usage": {"input_tokens": 1, "output_tokens": 1},
    "service_tier": "priority",
}
WHOLE = {
    "openai responses": (RESPONSE, {}),
    "azure responses": (RESPONSE, {}),
    "openai": (CHAT, {}),
    "azure": (CHAT, {}),
    "anthropic": ({**MESSAGE, "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": "priority"}}, {}),
    "converse": (CONVERSE, {}),
    "invoke": (MESSAGE, {"x-amzn-bedrock-service-tier": "priority"}),
    "gemini": ({**GENERATED, "usageMetadata": {"promptTokenCount": 1, "serviceTier": "priority"}}, {}),
    "vertex": ({**GENERATED, "usageMetadata": {"promptTokenCount": 1, "trafficType": "ON_DEMAND_PRIORITY"}}, {}),
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_wire_says_the_tier_of_its_answers(name):
    body, headers = WHOLE[name]
    reply = STREAMS[name].wire().reply(HttpAnswer(200, headers, json.dumps(body).encode()))
    assert tier_named(reply.tier) == "priority"


def _told(event, **more):
    return sse({**json.loads(event.split(b"data: ")[1]), **more})


STREAMED = {
    "openai": (*OPENAI[:3], _told(OPENAI[3], service_tier="priority")),
    "anthropic": (
        sse({**CLAUDE[0], "message": {"usage": {"input_tokens": 1, "service_tier": "priority"}}}),
        *map(sse, CLAUDE[1:]),
    ),
    "gemini": (GEMINI[0], _told(GEMINI[1], usageMetadata={"promptTokenCount": 1, "serviceTier": "priority"})),
    "converse": (
        *STREAMS["converse"].events[:4],
        frame("metadata", b'{"usage": {"inputTokens": 1, "outputTokens": 1}, "serviceTier": {"type": "priority"}}'),
    ),
}


@pytest.mark.parametrize("name", STREAMED)
def test_so_does_every_stream(name):
    assert STREAMS[name].wire().reply(STREAMS[name].answered(*STREAMED[name])).tier == "priority"
