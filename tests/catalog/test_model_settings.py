"""What is said of settings that not every provider, API or model takes."""

import re

import pytest
from each_case import each_case

from pipeline.catalog.model_settings import settings_advice
from pipeline.catalog.sampling import stop_advice, top_p_advice
from pipeline.job.settings import Model

NAMES = {"openai": "gpt-4.1", "azure": "mine", "anthropic": "claude-haiku-4-5", "bedrock": "amazon.nova-lite-v1:0",
         "gemini": "gemini-3.8-flash", "vertex": "gemini-3.8-flash", "sandbox": "gpt-4.1"}  # fmt: skip
STOP = ("A", "B", "C", "D", "E")
REFUSED = [  # (provider, settings, what the refusal says)
    ("anthropic", {"seed": 7}, r"model\.seed: anthropic has no such field"),
    ("bedrock", {"seed": 0}, r"model\.seed: bedrock"),
    ("bedrock", {"seed": 0, "api": "invoke"}, r"model\.seed: bedrock \(api = 'invoke'\)"),
    ("openai", {"seed": 7, "api": "responses"}, r"model\.seed: openai \(api = 'responses'\)"),
    ("openai", {"stop": ("A",), "api": "responses"}, r"model\.stop: openai"),
    ("openai", {"stop": STOP}, r"names 5 words, and openai takes 4"),
    ("gemini", {"stop": (*STOP, "F")}, r"names 6 words, and gemini takes 5"),
    ("openai", {"stop": ("A", "")}, "blank"),
    ("anthropic", {"stop": ("\n\n",)}, "blank"),
    ("anthropic", {"service_tier": "flex"}, r"a tier that anthropic does not sell\. Set it to 'default' or 'priority'"),
    *((name, {"safety": {"HARM_CATEGORY_HARASSMENT": "OFF"}}, rf"for gemini and vertex: {name} has no such field")
      for name in ("openai", "azure", "anthropic", "bedrock", "sandbox")),
    ("gemini", {"safety": {"harassment": "OFF"}}, "Write HARM_CATEGORY_HARASSMENT"),
    ("vertex", {"safety": {"HARM_CATEGORY_HARASSMENT": "BLOCK_NON"}}, "Did you mean 'BLOCK_NONE'"),
    ("gemini", {"send_tenant": True}, r"model\.send_tenant: gemini"),
    ("bedrock", {"send_tenant": True, "api": "invoke"}, "api to 'converse'"),
]  # fmt: skip
TAKEN = [
    *((name, {"seed": 7}) for name in ("openai", "azure", "gemini", "vertex", "sandbox")),
    *((name, {"stop": STOP[:4], "top_p": 0.5}) for name in NAMES),
    *((name, {"service_tier": "priority"}) for name in NAMES),
    *((name, {"service_tier": "flex", "flex_fallback": True}) for name in NAMES if name != "anthropic"),
    *((name, {"send_tenant": True}) for name in NAMES if name != "gemini"),
    ("openai", {"stop": ("\n\n",)}),
    ("openai", {"stop": STOP, "base_url": "http://127.0.0.1:8000/v1"}),
    ("gemini", {"safety": {"HARM_CATEGORY_DANGEROUS_CONTENT": "BLOCK_ONLY_HIGH"}}),
]


def told(provider, **settings):
    return list(settings_advice(Model(provider=provider, name=NAMES[provider], max_output_tokens=9, **settings)))


@each_case(("provider", "settings", "words"), REFUSED)
def test_what_every_request_would_be_refused_for_is_said_by_name(provider, settings, words):
    (advice,) = told(provider, **settings)
    assert advice.sure
    assert re.search(words, advice.told), advice.told


@each_case(("provider", "settings"), TAKEN)
def test_what_is_taken_is_nothing_to_speak_of(provider, settings):
    assert told(provider, **settings) == []


@pytest.mark.parametrize(
    ("provider", "settings"),
    [("vertex", {"service_tier": "flex", "region": "europe-west1"}), ("openai", {"flex_fallback": True})],
)
def test_what_may_be_a_slip_is_no_refusal(provider, settings):
    assert [advice.sure for advice in told(provider, **settings)] == [False]


SAMPLING = {  # model: (top_p of 0.5, stop) → surely refused, perhaps (False), or nothing known (None)
    "gpt-4o-mini": (None, None),
    "gpt-4.1": (None, None),
    "gpt-oss-120b": (None, None),
    "gpt-5-chat-latest": (None, None),
    "o1": (True, True),
    "openai/o3": (True, True),
    "o3-mini": (True, True),
    "o4-mini-2025-04-16": (True, True),
    "gpt-5": (True, True),
    "gpt-5-mini-2025-08-07": (True, True),
    "gpt-5-nano": (True, True),
    "ft:gpt-5-mini:acme::1": (True, True),
    "gpt-5.1": (False, False),
    "gpt-5.4-mini": (False, False),
    "gpt-5.5": (True, False),
    "gpt-6.1-sol": (True, False),
    "gpt-7": (True, False),
    "claude-sonnet-4-6": (None, None),
    "claude-opus-4-7": (True, None),
    "us.anthropic.claude-sonnet-5-5": (True, None),
    "gemini-2.5-flash": (None, None),
    "amazon.nova-lite-v1:0": (None, None),
    "qwen3-32b": (None, None),
}


@each_case("name", SAMPLING)
def test_models_that_reason_refuse_top_p_and_stop_words(name):
    found = top_p_advice(name, 0.5), stop_advice(name)
    assert tuple(advice and advice.sure for advice in found) == SAMPLING[name]


@pytest.mark.parametrize("name", ["claude-opus-4-1", "claude-haiku-4-5", "us.anthropic.claude-sonnet-4-6"])
def test_some_take_a_temperature_or_top_p_but_not_both(name):
    """In the provider's words: "cannot both be specified for this model"."""
    assert top_p_advice(name, 0.5) is None
    assert top_p_advice(name, 0.5, 0.0).sure
    assert top_p_advice("claude-3-haiku", 0.5, 0.0) is None


def test_a_deployments_name_says_nothing_for_sure():
    model = Model(provider="azure", name="o3", max_output_tokens=9, stop=("A",), top_p=0.5)
    assert [advice.sure for advice in settings_advice(model)] == [False, False]
