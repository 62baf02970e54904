"""Settings of [model] in each wire's own words, and what of a body is nobody's business but the tenant's."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from each_case import each_case
from every_wire import HASH, REQUEST, SHAPE, WIRES, model, wire
from msgspec.structs import replace

from pipeline.errors import JobError
from pipeline.providers import standard_wire
from pipeline.providers.credentials.secret import Secret

NOW = datetime(2026, 11, 30, tzinfo=UTC)
CHAT = {"top_p": 0.5, "stop": ["END"]}
TOP_P_AND_STOP = {  # where in the body, and what
    **dict.fromkeys(("openai", "sandbox", "azure", "azure dated", "mistral", "r1", "chat"), ("", CHAT)),
    **dict.fromkeys(("anthropic", "claude"), ("", {"top_p": 0.5, "stop_sequences": ["END"]})),
    **dict.fromkeys(("gemini", "vertex"), ("generationConfig", {"topP": 0.5, "stopSequences": ["END"]})),
    **dict.fromkeys(("converse", "nova"), ("inferenceConfig", {"topP": 0.5, "stopSequences": ["END"]})),
    "titan": ("textGenerationConfig", {"topP": 0.5, "stopSequences": ["END"]}),
    "cohere": ("", {"p": 0.5, "stop_sequences": ["END"]}),
}


def body(name, request=REQUEST, **more):
    return json.loads(wire(name, **more).body(request))


def added(name, request=REQUEST, **more):
    """What of a body is there because of these settings: (where, names and values)."""
    before, after = body(name, request), body(name, request, **more)
    places = [key for key, value in after.items() if isinstance(value, dict) and value != before.get(key, {})]
    place = places[0] if places and places[0] in before else ""
    was, now = (before[place], after[place]) if place else (before, after)
    assert {key: now[key] for key in was} == was
    return place, {key: value for key, value in now.items() if key not in was}


@each_case("name", TOP_P_AND_STOP)
@each_case("free_text", [False, True])
def test_top_p_and_stop_words_stand_where_the_wire_has_them(name, free_text):
    request = replace(REQUEST, free_text=free_text)
    assert added(name, request, top_p=0.5, stop=("END",)) == TOP_P_AND_STOP[name]


def test_a_body_that_has_no_field_for_stop_words_is_not_made():
    assert added("llama", top_p=0.5) == ("", {"top_p": 0.5})
    with pytest.raises(JobError, match=r"model\.stop.*Leave the key out"):
        wire("llama", stop=("END",))


@pytest.mark.parametrize("name", ["openai", "sandbox", "azure", "gemini", "vertex"])
def test_a_seed_goes_to_those_that_take_one(name):
    place = "generationConfig" if name in {"gemini", "vertex"} else ""
    assert added(name, seed=0) == (place, {"seed": 0})


@pytest.mark.parametrize("name", ["anthropic", "converse", "claude", "nova", "llama", "mistral", "titan", "cohere"])
def test_a_seed_is_not_left_out_in_silence(name):
    with pytest.raises(JobError, match=r"model\.seed"):
        wire(name, seed=7)


BOTH = ("flex", "priority")
TIERS = {  # (tier, what the body has more)
    **{(name, tier): {"service_tier": tier} for name in ("openai", "azure", "sandbox") for tier in BOTH},
    ("anthropic", "priority"): {"service_tier": "auto"},
    **{("converse", tier): {"serviceTier": {"type": tier}} for tier in BOTH},
    **{("gemini", tier): {"serviceTier": tier} for tier in BOTH},
}


@each_case(("name", "tier"), TIERS)
def test_a_service_tier_stands_in_the_body(name, tier):
    assert added(name, service_tier=tier) == ("", TIERS[name, tier])


@pytest.mark.parametrize(
    ("name", "header"),
    [("vertex", "X-Vertex-AI-LLM-Shared-Request-Type"), ("claude", "x-amzn-bedrock-service-tier")],
)
@pytest.mark.parametrize("secret", [Secret("t", bearer=True), Secret("s", access_key_id="AKIA1")])
def test_or_in_a_header_that_is_signed_too(name, header, secret):
    asked, plain = wire(name, service_tier="flex"), wire(name)
    sent = asked.headers(asked.body(REQUEST), secret, NOW)
    assert (asked.body(REQUEST), sent[header]) == (plain.body(REQUEST), "flex")
    assert header not in plain.headers(plain.body(REQUEST), secret, NOW)
    if name == "claude" and not secret.bearer:
        assert "host;x-amz-date;x-amzn-bedrock-service-tier" in sent["Authorization"]


@pytest.mark.parametrize("name", ["gemini", "vertex"])
def test_safety_settings_are_those_of_the_job(name):
    asked = {"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE", "HARM_CATEGORY_HATE_SPEECH": "OFF"}
    told = [{"category": category, "threshold": threshold} for category, threshold in asked.items()]
    assert added(name, safety=asked) == ("", {"safetySettings": told})


@each_case("name", WIRES)
@each_case("free_text", [False, True])
def test_what_is_extra_stands_at_the_top_of_every_body(name, free_text):
    extra = {"provider": {"order": ["a", "b"], "allow_fallbacks": False}, "min_p": 0.1}
    assert added(name, replace(REQUEST, free_text=free_text), extra=extra) == ("", extra)


TENANTS = {
    **{name: {"safety_identifier": HASH} for name in ("openai", "azure", "sandbox")},
    "azure dated": {"user": HASH},
    "anthropic": {"metadata": {"user_id": HASH}},
    "vertex": {"labels": {"tenant": HASH}},
    "converse": {"requestMetadata": {"tenant": HASH}},
}


@pytest.mark.parametrize("name", TENANTS)
def test_a_tenant_is_told_as_a_hash_and_only_when_asked_for(name):
    assert added(name, send_tenant=True) == ("", TENANTS[name])
    nobodys = replace(REQUEST, tenant=None)
    assert wire(name, send_tenant=True).body(nobodys) == wire(name).body(nobodys) == wire(name).body(REQUEST)


@pytest.mark.parametrize("name", ["anthropic", "gemini", "vertex", "converse"])
def test_counting_takes_none_of_it(name):
    more = {"stop": ("END",), "send_tenant": True, "extra": {"more": 1}, "service_tier": "priority"}
    counted = json.loads(wire(name, **more).count_body(REQUEST))
    text = json.dumps(counted)
    assert not any(word in text for word in ("more", "priority", "auto", HASH))


def test_the_standard_tier_is_asked_in_place_of_flex_alone():
    """Where the job wants it; with the same body but for the tier."""
    flex = model("openai", service_tier="flex", flex_fallback=True)
    assert json.loads(standard_wire(flex, SHAPE, {}).body(REQUEST)) == body("openai")
    for other in (replace(flex, flex_fallback=False), replace(flex, service_tier="priority")):
        assert standard_wire(other, SHAPE, {}) is None


PLAIN = {  # of each wire's bodies, with a temperature and without, shaped and free: as they were before these settings
    "openai": "95c3d8f61ec9af83",
    "sandbox": "95c3d8f61ec9af83",
    "azure": "237b2acc5c667576",
    "azure dated": "237b2acc5c667576",
    "anthropic": "7add9f103e68c0cd",
    "gemini": "b64865757c60c5c6",
    "vertex": "b64865757c60c5c6",
    "converse": "ed1cbe02b35cbc03",
    "claude": "9662855b14c1d6b2",
    "nova": "9e1e64b504dfbeaa",
    "llama": "ce5bedf7065559ac",
    "mistral": "32b44f638ca702f4",
    "titan": "51576fedcf9878d9",
    "cohere": "417dfe1969df0811",
    "r1": "80e81ea756ff058e",
    "chat": "0bc150307d16db12",
}


@each_case("name", WIRES)
def test_bodies_without_any_of_it_are_what_they_were(name):
    """To the byte: what providers keep of a prompt is found by it."""
    digest = hashlib.blake2b(digest_size=8)
    for temperature in (None, 0.0):
        for free_text in (False, True):
            digest.update(wire(name, temperature=temperature).body(replace(REQUEST, free_text=free_text)))
    assert digest.hexdigest() == PLAIN[name]
