"""Which API a job speaks, and what is known against it."""

from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.catalog.apis import api_advice, api_of, apis_of, only_api
from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import Model

RESPONSES_ALONE = """
    o1-pro o1-pro-2025-03-19 o3-pro o3-pro-2025-06-10 gpt-5-pro gpt-5-pro-2025-10-06 gpt-5.2-pro
    gpt-5.4-pro
    gpt-5.5-pro-2026-04-23 gpt-5-codex gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5.2-codex gpt-5.3-codex
    codex-mini-latest computer-use-preview computer-use-preview-2025-03-11 o3-deep-research o4-mini-deep-research
    o4-mini-deep-research-2025-06-26 gpt-5.6-cyber gpt-6-cyber gpt-daybreak-blue-latest gpt-rosalind-research
    gpt-6-rosalind gpt-6.2-astra-law ft:o3-pro:me::x O3-Pro"""
CHAT_ALONE = "gpt-4o-search-preview gpt-4o-mini-search-preview-2025-03-11 gpt-5-search-api gpt-audio-mini o1-mini"
BOTH = """gpt-4o gpt-4o-mini o1 o1-2024-12-17 o3 o3-mini o4-mini gpt-5 gpt-5-mini gpt-5.1 gpt-5.4 gpt-6.2-astra
    gpt-5-chat-latest
    my-model llama3.2 gpt-oss-120b gpt-5-production codextra deepseek-chat codestral qwen-pro claude-o3-pro"""


def model(provider="openai", name="gpt-4o", **changes):
    return Model(provider=provider, name=name, **{"max_output_tokens": 100, **changes})


@each_case(
    ("name", "api"),
    [
        *((name, "responses") for name in RESPONSES_ALONE.split()),
        *((name, "chat") for name in CHAT_ALONE.split()),
        *((name, "") for name in BOTH.split()),
        ("openai/o3-pro", ""),  # a gateway's
    ],
)
def test_which_models_have_one_api_only(name, api):
    assert only_api(name) == api


@each_case(
    ("provider", "name", "asked", "spoken"),
    [
        ("openai", "gpt-4o", "auto", "chat"),
        ("openai", "a model of tomorrow", "auto", "chat"),
        ("openai", "o3-pro", "auto", "responses"),
        ("openai", "o3-pro", "chat", "chat"),
        ("openai", "gpt-4o", "responses", "responses"),
        ("openai", "openai/o3-pro", "auto", "chat"),
        ("azure", "gpt-5-codex", "auto", "responses"),
        ("azure", "my-deployment", "auto", "chat"),
        ("sandbox", "gpt-5.5-pro", "auto", "responses"),
        ("sandbox", "gpt-4o", "invoke", "chat"),  # the job of another, rehearsed
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "auto", "converse"),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "invoke", "invoke"),
        ("bedrock", "o3-pro", "auto", "converse"),
        ("anthropic", "claude-sonnet-4-5", "auto", ""),
        ("gemini", "gemini-2.5-flash", "auto", ""),
    ],
)
def test_what_a_job_speaks(provider, name, asked, spoken):
    assert api_of(model(provider, name, api=asked)) == spoken


@each_case(
    ("settings", "sure", "told"),
    [
        ({"api": "converse"}, True, "openai has 'chat' and 'responses'. Write one of them, or leave the key out"),
        ({"api": "invoke", "provider": "azure"}, True, "azure has 'chat' and 'responses'"),
        ({"api": "chat", "provider": "bedrock"}, True, "bedrock has 'converse' and 'invoke'"),
        ({"api": "responses", "provider": "bedrock"}, True, "bedrock has 'converse' and 'invoke'"),
        *(
            ({"api": api, "provider": provider}, True, f"{provider} has one API only. Leave the key out")
            for provider in ("anthropic", "gemini", "vertex")
            for api in ("chat", "responses", "converse", "invoke")
        ),
        ({"api": "chat", "name": "o3-pro"}, True, "o3-pro in the Responses API only. every"),
        (
            {"api": "chat", "name": "o3-pro", "base_url": "https://eu.api.openai.com/v1"},
            True,
            "Write api = 'responses'",
        ),
        ({"api": "chat", "name": "o3-pro", "base_url": "http://gateway.test/v1"}, False, "Write api = 'responses'"),
        ({"api": "chat", "name": "o3-pro", "provider": "azure"}, False, "Write api = 'responses'"),
        ({"api": "responses", "name": "gpt-4o-search-preview"}, True, "chat completions only"),
        ({"api": "responses", "seed": 0}, True, "model.seed: the Responses API has no such parameter"),
        ({"api": "responses", "stop": ("x",)}, True, "Leave the key out, or set model.api = 'chat'"),
        ({"name": "gpt-5-pro", "stop": ("x",)}, True, "model.stop: the Responses API has no such parameter"),
        ({"api": "responses", "max_output_tokens": 15}, True, "takes 16 at the least. Raise it"),
    ],
)
def test_what_is_known_against_it(settings, sure, told):
    advice = api_advice(model(**settings))
    assert advice.sure is sure
    assert told.lower() in advice.told.lower()


@each_case(
    "settings",
    [
        {"seed": 1, "stop": ("x",)},
        {"api": "chat", "max_output_tokens": 1},
        {"api": "responses", "max_output_tokens": 16, "temperature": 0.0, "top_p": 0.5},
        {"api": "responses", "name": "o3-pro"},
        {"api": "chat", "name": "openai/o3-pro"},
        *({"provider": "sandbox", "api": api} for api in ("auto", "chat", "responses", "converse", "invoke")),
        {"provider": "bedrock", "api": "invoke", "seed": 1},
        {"provider": "anthropic"},
    ],
)
def test_what_nothing_is_known_against(settings):
    assert api_advice(model(**settings)) is None


@given(
    st.sampled_from(sorted(PROVIDERS)), st.text(), st.sampled_from(["auto", "chat", "responses", "converse", "invoke"])
)
def test_whatever_a_job_says_it_speaks_what_its_provider_has(provider, name, asked):
    """And what it asks for, where that is known there."""
    spoken, apis = api_of(model(provider, name, api=asked)), apis_of(provider)
    assert spoken in apis or (spoken, apis) == ("", ())
    assert asked not in apis or spoken == asked
