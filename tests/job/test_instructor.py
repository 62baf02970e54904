"""`instructor:NAME` as a word."""

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.job.instructor import NATIVE, PREFIX, name_in, refused, split_model

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-./", min_size=1)


@each_case(
    ("name", "native"),
    [("openai", "openai"), ("azure_openai", "azure"), ("azure", "azure"), ("anthropic", "anthropic"),
     ("bedrock", "bedrock"), ("google", "gemini"), ("gemini", "gemini"), ("generative-ai", "gemini"),
     ("vertexai", "vertex"), ("vertex", "vertex"), ("sandbox", "sandbox"), ("OpenAI", "openai")],
)  # fmt: skip
def test_what_is_spoken_to_here_is_led_to_its_own_word(name, native):
    assert f'Write provider = "{native}"' in refused(f"instructor:{name}")


@pytest.mark.parametrize("provider", ["openai", "gemini", "instructor:groq", "instructor:mistral", "sandbox"])
def test_nothing_is_said_of_the_others(provider):
    assert refused(provider) == ""


@given(WORDS, st.sampled_from([*NATIVE, "groq", "cohere"]))
def test_a_model_is_split_where_its_provider_ends(model, name):
    assert split_model(f"{name}:{model}") == (name, model)
    assert split_model(f"{PREFIX}{name}:{model}") == (f"{PREFIX}{name}", model)
    assert split_model(f"{PREFIX}{name}") == (f"{PREFIX}{name}", "")
    assert name_in(f"{PREFIX}{name}") == name
    assert split_model(model) == ("", model)
