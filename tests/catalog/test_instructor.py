"""What is known of the providers behind instructor, without it."""

from decimal import Decimal

import pytest
from each_case import each_case

from pipeline.catalog.instructor import KEYWORDS, LEFT_ALONE, VENDORS
from pipeline.catalog.known_as import known_as
from pipeline.catalog.limit_profiles import UNKNOWN
from pipeline.catalog.model_settings import settings_advice
from pipeline.catalog.modes import mode_for, mode_problem
from pipeline.catalog.prices import rate_for
from pipeline.catalog.providers import PROVIDERS, key_variable, profile_of
from pipeline.catalog.reasoning import reasoning_advice
from pipeline.job.settings import Model, Prices

PRICED = [  # (NAME, a model of its, USD for a million tokens in)
    ("groq", "llama-3.3-70b-versatile", "0.59"),
    ("mistral", "mistral-small-latest", None),
    ("cohere", "command-r-08-2024", "0.15"),
    ("fireworks", "accounts/fireworks/models/deepseek-v3p2", None),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", None),
    ("deepseek", "deepseek-chat", None),
    ("perplexity", "sonar", None),
    ("cerebras", "llama3.1-8b", None),
    ("openrouter", "mistralai/mistral-nemo", None),
]
OTHERS = {"api": "chat", "stream": True, "transport": "sdk", "service_tier": "flex", "caching": "on", "region": "eu",
          "project": "p", "api_version": "2024-10-21", "betas": ("b",), "send_tenant": True,
          "safety": {"HARM_CATEGORY_HARASSMENT": "OFF"}}  # fmt: skip


def model(name="groq", **more):
    return Model(**{"provider": f"instructor:{name}", "name": "a-model", "max_output_tokens": 9, **more})


def test_they_are_no_part_of_the_list():
    assert PROVIDERS["instructor:groq"].name == "instructor:groq"
    assert not [name for name in PROVIDERS if name.startswith("instructor")]
    with pytest.raises(KeyError):
        PROVIDERS["groq"]


@pytest.mark.parametrize(("name", "priced", "usd"), PRICED, ids=[name for name, *_ in PRICED])
def test_a_price_is_known_without_a_word_in_the_job(name, priced, usd):
    rate = rate_for(f"instructor:{name}", priced, Prices())
    assert rate is not None
    assert rate.input > 0
    assert usd is None or rate.input == Decimal(usd)


@pytest.mark.parametrize("name", ["anyscale", "nobody", "ollama"])
def test_without_a_table_there_is_none_and_a_job_may_give_one(name):
    assert rate_for(f"instructor:{name}", "llama3.1", Prices()) is None
    own = Prices(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2))
    assert rate_for(f"instructor:{name}", "llama3.1", own).output == 2


@pytest.mark.parametrize(
    ("name", "variable"),
    [("groq", "GROQ_API_KEY"), ("cohere", "CO_API_KEY"), ("databricks", "DATABRICKS_TOKEN"), ("a-b", "A_B_API_KEY")],
)
def test_the_variable_of_a_key(name, variable):
    assert key_variable(model(name)) == variable
    assert key_variable(model(name, api_key_env="MINE")) == "MINE"


@pytest.mark.parametrize(
    ("name", "auto", "refused"),
    [("groq", "tool", ()), ("nobody", "tool", ()), ("mistral", "tool", ("json_schema",)),
     ("cohere", "json_schema", ("tool",)), ("perplexity", "json_object", ("tool", "json_schema"))],
)  # fmt: skip
def test_modes(name, auto, refused):
    provider = f"instructor:{name}"
    assert mode_for(provider, "a-model", "", "auto") == auto
    assert (
        tuple(mode for mode in ("tool", "json_schema", "json_object") if mode_problem(provider, "m", "", mode))
        == refused
    )


@each_case(("key", "value"), OTHERS.items(), ids=list(OTHERS))
def test_a_setting_that_means_nothing_here_is_refused_by_its_name(key, value):
    from pipeline.catalog.apis import api_advice

    asked = model(**{key: value})
    found = [*settings_advice(asked), *filter(None, [api_advice(asked)])]
    assert any(one.sure and f"model.{key}" in one.told for one in found), found


@each_case("key", KEYWORDS)
def test_a_keyword_of_instructors_own_is_refused_by_its_name(key):
    (advice,) = settings_advice(model(extra={key: 1}))
    assert advice.sure
    assert f"model.extra.{key}" in advice.told


def test_what_goes_along_is_nothing_to_speak_of():
    taken = {
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 7,
        "stop": ("A", "B", "C", "D", "E", "F"),
        "extra": {"user": "u"},
    }
    assert list(settings_advice(model(**taken, base_url="https://gateway.example"))) == []


def test_every_key_that_is_left_alone_is_one():
    assert set(LEFT_ALONE) <= set(Model.__struct_fields__)


def test_reasoning_cannot_be_set():
    assert reasoning_advice(model(reasoning="low"), "tool").sure


@pytest.mark.parametrize("name", [*VENDORS, "groq"])
def test_limits_are_the_cautious_ones(name):
    assert profile_of(f"instructor:{name}", "a-model") is UNKNOWN
    assert known_as(model(name), Prices()) == "a-model"
