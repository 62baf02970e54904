"""Which models take a temperature: what providers answered, and names of tomorrow."""

from each_case import each_case

from pipeline.catalog.prices import priced_names
from pipeline.catalog.sampling import temperature_advice

KNOWN = {  # model: whether 0.0 is surely refused; None: nothing is said
    "gpt-4o-mini": None,
    "gpt-4.1": None,
    "ft:gpt-4o-mini:acme::1": None,
    "gpt-oss-120b": None,
    "gpt-5-chat-latest": None,
    "gpt-5": True,
    "gpt-5-mini-2025-08-07": True,
    "gpt-5-nano": True,
    "gpt-5-pro": True,
    "gpt-5.1": False,
    "gpt-5.1-codex-mini": True,
    "gpt-5.2-pro": True,
    "gpt-5.4-mini": False,
    "gpt-5.6-luna": True,
    "gpt-6.1-sol": True,
    "gpt-7": True,
    "openai/o3": True,
    "o1": True,
    "o4-mini-2025-04-16": True,
    "us.openai.gpt-6-sol": True,
    "openai.gpt-5.5": True,
    "gpt-4o-search-preview": True,
    "claude-sonnet-4-6": None,
    "claude-opus-4-7": True,
    "us.anthropic.claude-sonnet-5-5": True,
    "claude-fable-5-2@20261001": True,
    "gemini-2.5-flash": None,
    "models/gemini-3-pro": None,
    "amazon.nova-lite-v1:0": None,
    "qwen3-32b": None,
    "deepseek-chat": None,
}


@each_case("model", KNOWN)
def test_a_temperature_of_nothing(model):
    advice = temperature_advice(model, 0.0)
    assert (advice and advice.sure) == KNOWN[model]


def test_the_default_is_taken_where_others_are_not():
    """OpenAI's words; a Claude that refuses it refuses 1 as well."""
    assert temperature_advice("gpt-5", 1.0) is None
    assert temperature_advice("claude-opus-5", 1.0).sure
    assert temperature_advice("claude-sonnet-4-5", 1.5).sure


def test_every_priced_model_of_openai_that_reasons_is_known():
    """From gpt-5 on all do, but for those that chat."""
    names = [name for name in priced_names("openai") if name.startswith(("o1", "o3", "o4", "gpt-5", "gpt-6"))]
    assert len(names) > 30
    assert all(temperature_advice(name, 0.0) for name in names)
