"""What pictures and pages cost: the published figures by value, and a ceiling over all that can be billed."""

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from priced_models import OWN, chat_models

from pipeline.catalog.image_rules import UNKNOWN_CEILING
from pipeline.catalog.page_tokens import RULES, image_tokens, known_rule, pdf_page_tokens, pdf_text_billed
from pipeline.job.settings import Model

A4_PX = {100: (827, 1170), 150: (1240, 1754), 200: (1654, 2339), 300: (2480, 3508)}
A4_PT = (595.28, 841.89)
EDGE = st.integers(0, 20_000)
NAMES = st.sampled_from(sorted(RULES)) | st.just("something-else")


def model(name, provider="openai", **more):
    return Model(provider=provider, name=name, max_output_tokens=10, **more)


def costs(name, provider="openai"):
    return [image_tokens(model(name, provider), *size).expected for size in A4_PX.values()]


PAGES = [  # an A4 page at 100, 150, 200 and 300 dpi
    ("claude-sonnet-4-6", "anthropic", [1260, 1551, 1551, 1551]),
    ("claude-haiku-4-5-20251001", "anthropic", [1260, 1551, 1551, 1551]),
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", [1260, 1551, 1551, 1551]),
    ("claude-opus-4-7", "anthropic", [1260, 2835, 4756, 4756]),
    ("claude-sonnet-5-5", "anthropic", [1260, 2835, 4756, 4756]),
    ("global.anthropic.claude-opus-5-5", "bedrock", [1260, 2835, 4756, 4756]),
    ("gpt-5.4", "openai", [1155, 2574, 2974, 2974]),
    ("gpt-5.6-sol", "openai", [1155, 2574, 2974, 2974]),
    ("gpt-5-mini-2025-08-07", "openai", [1559, 2385, 2385, 2385]),
    ("gpt-4.1-mini", "openai", [1559, 2385, 2385, 2385]),
    ("gpt-4o-2024-11-20", "openai", [1105] * 4),
    ("ft:gpt-4o-2024-08-06:acme::x", "openai", [1105] * 4),
    ("gpt-4.1", "openai", [1105] * 4),
    ("gpt-5", "openai", [910] * 4),
    ("gpt-5.1", "openai", [910] * 4),
    ("o1", "openai", [975] * 4),
    ("o3", "openai", [975] * 4),
    ("gpt-4o-mini", "openai", [36_835] * 4),
    ("ft:gpt-4o-mini-2024-07-18:acme::x", "openai", [36_835] * 4),
    ("gemini-3-flash-preview", "gemini", [1120] * 4),
    ("publishers/google/models/gemini-3.8-flash", "vertex", [1120] * 4),
]


@each_case(("name", "provider", "tokens"), PAGES)
def test_a_page_costs_what_the_provider_s_rule_says(name, provider, tokens):
    assert costs(name, provider) == tokens


MULTIPLIERS = [("gpt-4.1-nano", 2.46), ("gpt-5-nano", 2.46), ("o4-mini", 1.72), ("gpt-5.4-mini", 1.62)]


@pytest.mark.parametrize(("name", "times"), MULTIPLIERS)
def test_a_patch_costs_more_on_small_models(name, times):
    assert image_tokens(model(name), 320, 320).expected == -(-100 * times // 1)


def test_gemini_2_counts_tiles():
    gemini = model("gemini-2.5-flash", "gemini")
    assert [image_tokens(gemini, *size).expected for size in ((384, 384), (385, 10), (1240, 1754))] == [258, 258, 1548]


def test_gemini_2_may_bill_pans_and_scans_and_what_it_reads_off_a_page():
    """ai.google.dev, "Media resolution": 256 + Pan & Scan (~2048); 256 + OCR."""
    gemini = model("gemini-2.5-flash", "gemini")
    assert image_tokens(gemini, 400, 400).ceiling >= 256 + 2048
    assert pdf_page_tokens(gemini, *A4_PT).ceiling >= 256 + 4000
    assert pdf_page_tokens(model("gemini-3-flash-preview", "gemini"), *A4_PT).ceiling == 1120


def test_nova_counts_as_its_samples_say():
    nova = model("us.amazon.nova-lite-v1:0", "bedrock")
    for size, tokens in (((900, 900), 1300), ((900, 1400), 1800), ((1800, 900), 2400), ((1300, 1300), 2600)):
        cost = image_tokens(nova, *size)
        assert abs(cost.expected - tokens) <= 0.13 * tokens
        assert cost.ceiling >= tokens


PDF_PAGES = [  # tokens of the picture, and whether its text is billed beside it
    ("claude-sonnet-5-5", "anthropic", 1600, True),
    ("claude-haiku-4-5", "anthropic", 1600, True),
    ("gemini-3-flash-preview", "gemini", 560, False),
    ("gemini-3.5-flash-lite", "vertex", 560, False),
    ("gemini-2.5-pro", "gemini", 258, True),
    ("gemini-4-argon", "gemini", 560, True),
    ("gpt-5.4", "openai", 231, True),
    ("gpt-5.6-terra", "openai", 2574, True),
    ("gpt-4o", "openai", 85, True),
    ("gpt-4o-mini", "openai", 2833, True),
]


@each_case(("name", "provider", "tokens", "text"), PDF_PAGES)
def test_a_page_of_a_pdf_has_a_picture_and_its_text(name, provider, tokens, text):
    asked = model(name, provider)
    assert (pdf_page_tokens(asked, *A4_PT).expected, pdf_text_billed(asked)) == (tokens, text)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("my-own-model", "openai"),
        ("gpt-4o", "azure"),
        ("our-deployment", "azure"),
        ("arn:aws:bedrock:eu-west-1:1:application-inference-profile/x1", "bedrock"),
        ("rules", "sandbox"),
    ],
)
def test_a_name_that_says_nothing_for_sure_may_cost_the_most_that_anybody_takes(name, provider):
    asked = model(name, provider)
    assert image_tokens(asked, 100, 100).ceiling == pdf_page_tokens(asked, *A4_PT).ceiling == UNKNOWN_CEILING == 73_800
    assert pdf_text_billed(asked)


@given(NAMES, EDGE, EDGE)
def test_a_ceiling_is_never_below_what_is_expected_nor_above_that_of_an_unknown_size(name, width, height):
    asked = model(name)
    for cost, most in (
        (image_tokens(asked, width, height), image_tokens(asked, 0, 0)),
        (pdf_page_tokens(asked, width, height), pdf_page_tokens(asked, 0, 0)),
    ):
        assert 0 <= cost.expected <= cost.ceiling <= most.ceiling


@given(NAMES, st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 4))
def test_a_larger_picture_of_the_same_shape_has_no_lower_ceiling(name, width, height, times):
    small = image_tokens(model(name), width, height)
    assert small.ceiling <= image_tokens(model(name), width * times, height * times).ceiling


@given(NAMES, st.integers(1, 700), st.integers(1, 700))
def test_what_fits_as_it_is_costs_more_with_every_pixel(name, width, height):
    """Within the scale of every rule: nothing is shrunk yet."""
    cost, wider = image_tokens(model(name), width, height), image_tokens(model(name), width + 1, height)
    assert cost.expected <= wider.expected or name.startswith(("gpt-4", "gpt-5", "o1", "o3", "nova", "chatgpt", "comp"))


@each_case("size", [(0, 0), (-1, 5), (float("inf"), 800.0), (float("nan"), 1.0), (1e-9, 1e-9), (1e9, 1e9)])
@each_case("name", ["gpt-5.6", "gpt-4o", "claude-opus-5", "gemini-3", "nova-lite", "x"])
def test_a_page_of_any_size_has_a_price(name, size):
    cost = pdf_page_tokens(model(name), *size)
    assert 0 < cost.expected <= cost.ceiling


@pytest.mark.parametrize("provider", OWN)
def test_every_priced_chat_model_has_a_word_on_pictures(provider):
    names = chat_models(provider)
    assert len(names) > 20
    assert [name for name in names if known_rule(model(name, provider)) is None] == []


@pytest.mark.parametrize(("newer", "like"), [("gpt-7-sol", "gpt-6"), ("o5", "gpt-6"), ("gemini-5", "gemini-4")])
def test_names_of_tomorrow_count_as_the_newest(newer, like):
    assert known_rule(model(newer)) is known_rule(model(like))
    assert known_rule(model("gpt-50")) is known_rule(model("gpt-6"))
    assert known_rule(model("gpt-5.9")) is None
