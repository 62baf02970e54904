"""How much a model reasons: in its own words, on every provider, or refused by name."""

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from priced_models import OWN, chat_models

from pipeline.catalog.names import longest_prefix
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.reasoning import (
    effort_of,
    expected_tokens,
    known_takes,
    members_of,
    reasoned,
    reasoning_advice,
    said_of,
    takes_of,
    thinks,
)
from pipeline.catalog.reasoning_levels import LEVELS
from pipeline.catalog.windows import limits_of
from pipeline.job.settings import Model
from pipeline.schema.dialects.rewrite import dialects_for

CAP = 10_000


def model(provider="openai", name="gpt-5", reasoning="low", **more):
    return Model(**{"provider": provider, "name": name, "max_output_tokens": CAP, "reasoning": reasoning, **more})


def effort(word):
    return {"reasoning_effort": word}


def budget(tokens):
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def adaptive(word):
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": word}}


def google(**config):
    return {"thinkingConfig": config}


def nova(word):
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": word}}


NO = None  # refused
OF_OPENAI = {  # none, minimal, low, medium, high, and 2,000 tokens
    "o1": "..lmh.",
    "o3-mini": "..lmh.",
    "openai/o4-mini-2025-04-16": "..lmh.",
    "o3-deep-research": "...m..",
    "gpt-oss-120b": "..lmh.",
    "gpt-5": ".ilmh.",
    "gpt-5-nano-2025-08-07": ".ilmh.",
    "gpt-5-pro": "....h.",
    "gpt-5-codex": "..lmh.",
    "gpt-5.1": "n.lmh.",
    "gpt-5.1-codex-mini": "..lmh.",
    "gpt-5.2-pro": "...mh.",
    "gpt-5.4-nano": "n.lmh.",
    "gpt-6.1-sol": "n.lmh.",
    "gpt-7": "n.lmh.",
    "gpt-6.2-terra": "n.lmh.",
    "o5": "..lmh.",
    "my-own-model": "nilmh.",
    "deepseek-r1": "nilmh.",
}
WORDS = dict(zip("nilmh", LEVELS, strict=True))


@each_case("name", OF_OPENAI)
def test_openai_takes_words_and_refuses_those_that_a_model_lacks(name):
    for level, letter in zip((*LEVELS, 2000), OF_OPENAI[name], strict=True):
        asked = model(name=name, reasoning=level, base_url="http://127.0.0.1:9/v1")
        advice = reasoning_advice(asked, "json_schema")
        if letter == ".":
            assert advice.sure, level
            assert all(repr(WORDS[one]) in advice.told for one in OF_OPENAI[name] if one != ".")
        else:
            assert (advice, members_of(asked), effort_of(asked)) == (None, effort(level), level)


SAID = [  # provider, model, what is asked, what is sent
    ("anthropic", "claude-3-7-sonnet-20250219", "low", budget(2000)),
    ("anthropic", "claude-opus-4-1", "minimal", budget(1024)),
    ("anthropic", "claude-sonnet-4-5-20250929", "high", budget(8000)),
    ("anthropic", "claude-haiku-4-5", 3000, budget(3000)),
    ("anthropic", "claude-haiku-4-5", "none", {}),
    ("anthropic", "claude-haiku-4-5", 1023, NO),
    ("anthropic", "claude-haiku-4-5", CAP, NO),
    ("anthropic", "claude-opus-4-6", "medium", adaptive("medium")),
    ("anthropic", "claude-sonnet-4-6", 2000, budget(2000)),
    ("anthropic", "claude-sonnet-4-6", "minimal", NO),
    ("anthropic", "claude-opus-4-7", "low", adaptive("low")),
    ("anthropic", "claude-opus-4-7", "none", {}),
    ("anthropic", "claude-opus-4-8", 2000, NO),
    ("anthropic", "claude-opus-5", "none", {"thinking": {"type": "disabled"}}),
    ("anthropic", "claude-haiku-5-5", "none", {"thinking": {"type": "disabled"}}),
    ("anthropic", "claude-sonnet-5-5", "none", {"thinking": {"type": "between_tools"}}),
    ("anthropic", "claude-opus-5-5", "high", adaptive("high")),
    ("anthropic", "claude-opus-5-5", "none", NO),
    ("anthropic", "claude-fable-5-2", "none", NO),
    ("anthropic", "claude-sonnet-6", "low", adaptive("low")),
    ("anthropic", "claude-opus-5-7", "none", NO),
    ("anthropic", "claude-3-5-haiku-latest", "low", NO),
    ("anthropic", "claude-3-5-haiku-latest", "none", {}),
    ("anthropic", "kimi-k3", 2000, budget(2000)),
    ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "medium", budget(5000)),
    ("bedrock", "global.anthropic.claude-opus-5-5", "low", adaptive("low")),
    ("bedrock", "openai.gpt-oss-120b-1:0", "low", effort("low")),
    ("bedrock", "openai.gpt-oss-20b-1:0", "minimal", NO),
    ("bedrock", "us.amazon.nova-2-lite-v1:0", "medium", nova("medium")),
    ("bedrock", "us.amazon.nova-2-lite-v1:0", "none", {}),
    ("bedrock", "us.amazon.nova-2-lite-v1:0", "minimal", NO),
    ("bedrock", "us.amazon.nova-2-lite-v1:0", "high", NO),
    ("bedrock", "amazon.nova-pro-v1:0", "low", NO),
    ("bedrock", "us.meta.llama3-3-70b-instruct-v1:0", "low", NO),
    ("bedrock", "us.deepseek.r1-v1:0", "low", NO),
    ("bedrock", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x1", "low", NO),
    ("gemini", "gemini-2.5-flash", "none", google(thinkingBudget=0)),
    ("gemini", "gemini-2.5-flash", "low", google(thinkingBudget=2000)),
    ("gemini", "gemini-2.5-flash", 24_577, NO),
    ("gemini", "gemini-2.5-flash-lite", 511, NO),
    ("gemini", "gemini-2.5-flash-lite", "none", google(thinkingBudget=0)),
    ("gemini", "gemini-2.5-pro", 128, google(thinkingBudget=128)),
    ("gemini", "gemini-2.5-pro", "none", NO),
    ("gemini", "gemini-3-pro-preview", "medium", NO),
    ("gemini", "gemini-3-flash-preview", "minimal", google(thinkingLevel="MINIMAL")),
    ("gemini", "models/gemini-3.8-flash", "low", google(thinkingLevel="LOW")),
    ("gemini", "gemini-3.8-flash", "minimal", NO),
    ("gemini", "gemini-4-argon", 2000, NO),
    ("gemini", "gemini-5-neon", "high", google(thinkingLevel="HIGH")),
    ("gemini", "gemini-2.0-flash", "low", NO),
    ("gemini", "gemma-3-27b-it", "low", NO),
    ("vertex", "publishers/google/models/gemini-2.5-pro", "high", google(thinkingBudget=8000)),
    ("openai", "gpt-4o-mini", "low", NO),
    ("openai", "ft:gpt-4.1-mini:acme::1", "low", NO),
    ("openai", "gpt-4o", "none", {}),
    ("openai", "gpt-5-chat-latest", "low", NO),
    ("sandbox", "gpt-5-mini", "low", effort("low")),
    ("sandbox", "claude-sonnet-4-5", "low", effort("low")),
    ("sandbox", "gpt-4o-mini", "low", NO),
    ("azure", "our-deployment", "low", effort("low")),
]


@each_case(("provider", "name", "asked", "sent"), SAID)
def test_each_model_is_told_in_its_own_words(provider, name, asked, sent):
    job = model(provider, name, asked)
    advice = reasoning_advice(job, "json_schema")
    if sent is NO:
        assert advice.sure
        assert repr(asked) in advice.told
        assert name in advice.told or "max_output_tokens" in advice.told
    else:
        assert (advice, members_of(job)) == (None, sent)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_default_says_nothing_of_any_model(provider):
    for name in (*PROVIDERS[provider].reasoning, "something-else"):
        job = model(provider, name, "default")
        assert (members_of(job), effort_of(job), reasoning_advice(job, "tool"), thinks(job)) == ({}, None, None, False)
        assert reasoned({"a": 1}, job) == {"a": 1}


@given(
    st.sampled_from(list(PROVIDERS)).flatmap(
        lambda provider: st.tuples(st.just(provider), st.sampled_from([*PROVIDERS[provider].reasoning, "x", "gpt-9"]))
    ),
    st.sampled_from(LEVELS) | st.integers(1, 200_000),
    st.integers(1, 200_000),
)
def test_what_is_asked_is_sent_or_refused_and_a_budget_is_inside_its_range_and_a_claude_s_cap(named, asked, cap):
    provider, name = named
    job = model(provider, name, asked, max_output_tokens=cap)
    takes, advice, sent = takes_of(job), reasoning_advice(job, "json_schema"), effort_of(job)
    assert expected_tokens(job) >= 0
    assert said_of(job)
    if advice is not None and advice.sure:
        return
    if isinstance(sent, int) and sent:
        least, most = takes.tokens or (0, 0)
        assert least <= sent <= most
        assert takes.dialect != "claude" or provider == "sandbox" or sent < cap
    assert sent is not None or asked == "none" or provider == "azure"


def test_a_name_of_ones_own_refuses_nothing_for_sure():
    """Azure: a deployment may be called what it is not, and is told what was asked."""
    job = model("azure", "gpt-4o", "low")
    assert reasoning_advice(job, "json_schema").sure is False
    assert members_of(job) == effort("low")
    assert reasoning_advice(model("azure", "our-deployment", 2000), "json_schema").sure


BESIDE = [  # what of the job does not go together with it, and what does
    (model("anthropic", "claude-sonnet-4-5", temperature=0.0), "model.temperature but 1"),
    (model("anthropic", "claude-sonnet-4-5", temperature=1.0), None),
    (model("anthropic", "claude-sonnet-4-5", "none", temperature=0.0), None),
    (model("bedrock", "anthropic.claude-opus-4-6-v1", temperature=0.2), "model.temperature but 1"),
    (model("anthropic", "claude-sonnet-4-5", top_p=0.5), "model.top_p below 0.95"),
    (model("anthropic", "claude-sonnet-4-5", top_p=0.95), None),
    (model("anthropic", "claude-sonnet-4-5", max_output_tokens=1024), "leave nothing for the answer"),
    (model(name="gpt-5.2", temperature=0.0), "model.temperature but 1"),
    (model(name="gpt-5.2", temperature=1.0), None),
    (model(name="gpt-5.2", reasoning="none", temperature=0.0), None),
    (model("bedrock", "amazon.nova-2-lite-v1:0", "high"), "128000"),
    (model("bedrock", "amazon.nova-2-lite-v1:0", "high", max_output_tokens=128_000), None),
    (model("bedrock", "amazon.nova-2-lite-v1:0", "high", max_output_tokens=128_000, temperature=0.0), "temperature"),
]


@each_case(("job", "told"), BESIDE)
def test_what_does_not_go_together_with_reasoning_is_refused(job, told):
    advice = reasoning_advice(job, "json_schema")
    assert (advice is None) if told is None else (advice.sure and told in advice.told)


def test_openai_refuses_tools_beside_an_effort_in_chat_completions_from_gpt_5_4_on():
    refused = {
        name: reasoning_advice(model(name=name), "tool") is not None
        for name in ("gpt-5", "gpt-5.1", "gpt-5.4", "gpt-5.5", "gpt-6-sol", "gpt-6.1-terra", "gpt-7", "o3")
    }
    assert [name for name, so in refused.items() if so] == ["gpt-5.4", "gpt-5.5", "gpt-6-sol", "gpt-6.1-terra", "gpt-7"]
    assert reasoning_advice(model(name="gpt-5.6", reasoning="none"), "tool") is None
    assert reasoning_advice(model(name="gpt-5.6", api="responses"), "tool") is None
    assert reasoning_advice(model(name="gpt-5.5-pro", reasoning="high"), "tool") is None  # has no chat completions
    assert reasoning_advice(model(name="gpt-5.6", base_url="http://127.0.0.1:9/v1"), "tool") is None


def test_a_budget_that_leaves_no_room_is_only_warned_of_where_the_provider_takes_it():
    advice = reasoning_advice(model("gemini", "gemini-2.5-flash", 4000, max_output_tokens=4000), "json_schema")
    assert advice.sure is False
    assert "leave nothing for the answer" in advice.told


def test_short_summaries_have_no_room_to_think_in():
    job = model("anthropic", "claude-sonnet-4-5")
    assert "rolling" in reasoning_advice(job, "tool", summaries=True).told
    assert reasoning_advice(model("anthropic", "claude-opus-5-5"), "tool", summaries=True) is None


def test_what_is_said_is_told():
    assert said_of(model()) == "low, as reasoning_effort = low"
    assert said_of(model("anthropic", "claude-opus-4-6", 2000)) == (
        "2000, as thinking.type = enabled, thinking.budget_tokens = 2000"
    )
    assert said_of(model("anthropic", "claude-opus-4-6", "none")) == "none: nothing has to be sent for it"


def test_what_to_expect_goes_by_the_level():
    levels = [expected_tokens(model(reasoning=level)) for level in ("default", *LEVELS, 2000)]
    assert levels == [300, 0, 60, 150, 300, 750, 2000]
    unasked = {"gpt-4o-mini": 0, "gpt-5.1": 0, "gpt-5.6-sol": 300, "o3": 300, "gpt-5-chat-latest": 0, "whatever": 0}
    assert {name: expected_tokens(model(name=name, reasoning="default")) for name in unasked} == unasked


def test_what_a_body_has_under_the_same_name_is_kept():
    body = {"output_config": {"format": {"type": "json_schema"}}, "temperature": 1.0}
    assert reasoned(body, model("anthropic", "claude-opus-5-5"))["output_config"] == {
        "format": {"type": "json_schema"},
        "effort": "low",
    }


@pytest.mark.parametrize("provider", OWN)
def test_every_priced_chat_model_has_a_window_a_dialect_and_a_word_on_reasoning(provider):
    names = chat_models(provider)
    assert len(names) > 20
    assert [name for name in names if not limits_of(name).known and "search-api" not in name] == []
    assert [name for name in names if known_takes(model(provider, name)) is None] == []
    assert [name for name in names if not dialects_for(provider, "json_schema", name)] == []


def test_no_entry_hides_behind_a_shorter_one_of_another_kind():
    """A region, a maker and a date make no other model of it."""
    for name, takes in PROVIDERS["anthropic"].reasoning.items():
        assert longest_prefix(PROVIDERS["bedrock"].reasoning, name) == takes
        assert takes_of(model("bedrock", f"us.anthropic.{name}-20261001-v1:0")) == takes
