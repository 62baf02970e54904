"""What each model takes of files, on every provider and API."""

import pytest
from each_case import each_case
from priced_models import OWN, chat_models

from pipeline.catalog.file_limits import file_limits
from pipeline.catalog.page_tokens import TEXT_ALONE, known_rule
from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import Model


def limits(provider, name, mode="json_schema", api="auto"):
    return file_limits(Model(provider=provider, name=name, max_output_tokens=10, api=api), mode)


PDFS = [  # provider, model, mode, api: a PDF is seen, or the words that say why not
    ("openai", "gpt-4o-mini", "json_schema", "chat", True),
    ("openai", "gpt-5.6-sol", "tool", "responses", True),
    ("openai", "ft:gpt-4o-2024-08-06:acme::x", "json_schema", "auto", True),
    ("openai", "gpt-4-turbo", "tool", "auto", "no PDF"),
    ("openai", "gpt-4", "tool", "auto", "text alone"),
    ("openai", "gpt-3.5-turbo", "tool", "auto", "text alone"),
    ("openai", "o3-mini", "json_schema", "auto", "text alone"),
    ("openai", "o1-mini", "json_object", "auto", "text alone"),
    ("openai", "openai/gpt-oss-120b", "json_schema", "auto", "text alone"),
    ("openai", "deepseek-chat", "json_object", "auto", "text alone"),
    ("azure", "gpt-4o", "json_schema", "auto", "model.api = 'responses'"),
    ("azure", "our-deployment", "json_schema", "chat", "model.api = 'responses'"),
    ("azure", "our-deployment", "json_schema", "responses", True),
    ("azure", "o3-mini", "json_schema", "responses", True),
    ("anthropic", "claude-sonnet-4-5-20250929", "json_schema", "auto", True),
    ("anthropic", "claude-3-haiku-20240307", "tool", "auto", "no PDF"),
    ("anthropic", "claude-2.1", "json_object", "auto", "text alone"),
    ("anthropic", "claude-opus-7", "json_schema", "auto", True),
    ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "json_schema", "converse", "citations"),
    ("bedrock", "anthropic.claude-opus-4-6-v1", "tool", "auto", "citations"),
    ("bedrock", "anthropic.claude-opus-4-6-v1", "json_object", "auto", "citations"),
    ("bedrock", "anthropic.claude-opus-4-6-v1", "json_schema", "invoke", True),
    (
        "bedrock",
        "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "json_schema",
        "invoke",
        True,
    ),
    ("bedrock", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x1", "json_schema", "auto", "not known"),
    ("bedrock", "us.amazon.nova-pro-v1:0", "tool", "converse", True),
    ("bedrock", "us.amazon.nova-pro-v1:0", "tool", "invoke", "model.api = 'converse'"),
    ("bedrock", "amazon.nova-micro-v1:0", "tool", "auto", "text alone"),
    ("bedrock", "us.meta.llama3-3-70b-instruct-v1:0", "json_object", "auto", "text alone"),
    ("bedrock", "us.meta.llama4-scout-17b-instruct-v1:0", "json_object", "auto", "not known"),
    ("bedrock", "mistral.mistral-large-2402-v1:0", "tool", "auto", "text alone"),
    ("bedrock", "us.deepseek.r1-v1:0", "json_object", "auto", "text alone"),
    ("bedrock", "openai.gpt-5.5", "json_schema", "auto", "not known"),
    ("gemini", "gemini-2.5-flash", "json_schema", "auto", True),
    ("gemini", "gemma-3-27b-it", "json_object", "auto", "no PDF"),
    ("vertex", "publishers/google/models/gemini-3.8-flash", "json_schema", "auto", True),
    ("sandbox", "gpt-4o-mini", "json_schema", "auto", True),
    ("sandbox", "rules", "json_schema", "auto", True),
]


@each_case(("provider", "name", "mode", "api", "seen"), PDFS)
def test_a_pdf_is_seen_or_it_is_said_why_not_and_what_to_do(provider, name, mode, api, seen):
    found = limits(provider, name, mode, api)
    assert found.pdf is (seen is True)
    if seen is True:
        assert found.why_no_pdf == ""
    else:
        assert seen in found.why_no_pdf
        assert "documents.read" in found.why_no_pdf


def test_text_models_take_no_image_and_the_rest_those_that_their_provider_reads():
    found = limits("openai", "o3-mini")
    assert found.images == frozenset()
    assert "o3-mini takes no images" in found.why_no_images
    for provider in ("openai", "azure", "anthropic", "bedrock", "sandbox"):
        taken = limits(provider, "gpt-4o")
        assert taken.images == {"image/png", "image/jpeg", "image/webp", "image/gif"}
        assert taken.why_no_images == ""
    assert "image/heic" in limits("gemini", "gemini-2.5-pro").images
    assert "image/gif" not in limits("vertex", "gemini-2.5-pro").images


def test_sizes_are_of_the_provider_the_window_and_the_api():
    assert limits("anthropic", "claude-haiku-4-5").pdf_pages == 100
    assert limits("anthropic", "claude-opus-4-6").pdf_pages == 600
    assert limits("bedrock", "us.meta.llama4-scout-17b-instruct-v1:0").file_bytes == 4_500_000
    assert limits("bedrock", "us.amazon.nova-2-lite-v1:0").max_images == 5
    assert limits("bedrock", "anthropic.claude-opus-4-6-v1").image_bytes == 3_750_000


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_file_of_the_largest_size_fits_a_request_as_base64(provider):
    for name in ("gpt-4o", "claude-opus-4-6", "us.amazon.nova-pro-v1:0", "gemini-2.5-pro", "x"):
        found = limits(provider, name)
        assert found.image_bytes <= found.file_bytes
        assert found.file_bytes * 4 / 3 < found.request_bytes


@pytest.mark.parametrize("provider", OWN)
def test_every_priced_chat_model_has_a_word_on_pdfs_and_images(provider):
    for name in chat_models(provider):
        found, text = limits(provider, name), known_rule(Model(provider=provider, name=name, max_output_tokens=1))
        assert bool(found.images) is (text is not TEXT_ALONE)
        assert bool(found.why_no_pdf) is not found.pdf
        assert not found.pdf or found.images
