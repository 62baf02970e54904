"""What the pictures and pages of files cost in tokens, by model: which rule each family has. Data of 2026-11-30, pure.

OpenAI: developers.openai.com, "Images and vision" (tiles, patches and their multipliers), read 2026-10; of gpt-5.2 to
5.4 its multipliers as billed, community.openai.com/t/1377015 (2026-03), where gpt-5.4-mini and nano were billed at 1.2
with 2,500 patches while the page says 1.62 with 1,536. gpt-6: 1.2 by docs.rs, vision-squeezer 0.6 (third hand).
What a page of a PDF costs is not published: the picture at `low`, from gpt-5.6 on at `high`, is assumed.
Anthropic: platform.claude.com, "Images and vision", read 2026-10; pages of PDFs as counted by huggingface.co,
JOHNISKING/pdf-token-cost (2026-10): 1,592 to 1,620 beside their text, of any size and on every model.
Google: ai.google.dev, "Media resolution" and "Document processing", read 2026-10: from Gemini 3 on the text of a PDF
is not billed; before, a page is 256 with "Native Text", or "OCR" of a scan, and an image 256 with "Pan & Scan (~2048)".
Amazon: docs.aws.amazon.com/nova, "Image understanding", read 2026-11: five samples, no formula, and none for documents;
Nova 2 is said to be billed 230 an image, and reports what it processed.

A ceiling covers what was published and what was seen billed. One report that gpt-5.4-mini billed an image's base64 as
text (community.openai.com/t/1380539, 66,000 tokens for 131 KB) was not confirmed, and is in none.
"""

import re
from collections.abc import Mapping
from fractions import Fraction

from pipeline.catalog.image_rules import (
    MOST_PATCHES,
    UNKNOWN_CEILING,
    Grid,
    PageTokens,
    Patches,
    Rule,
    Tiles,
    flat,
    google_tiles,
    nova_pixels,
    pixels_of,
    unknown_image,
)
from pipeline.catalog.names import family_name, longest_prefix
from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import Model

__all__ = ["PageTokens", "image_tokens", "known_rule", "pdf_page_tokens", "pdf_text_billed"]

DEAREST_PATCH = Fraction("2.46")
NEWER = (  # names of tomorrow
    (re.compile(r"gpt-(?:[7-9]|[1-9]\d)(?!\d)|o[5-9](?![\w.])"), "gpt-6"),
    (re.compile(r"claude-(?:opus|sonnet|haiku|fable|mythos)-[6-9]"), "claude-opus-5"),
    (re.compile(r"gemini-(?:[5-9]|[1-9]\d)(?!\d)"), "gemini-4"),
)


def image_tokens(model: Model, width_px: int, height_px: int) -> PageTokens:
    """One image, at detail `high`. 0 x 0: its size is not known, and it costs the most that one can."""
    return _sure(model, _rule(model).image(width_px, height_px))


def pdf_page_tokens(model: Model, width_pt: float, height_pt: float) -> PageTokens:
    """The picture of one page of a PDF that goes as it is; its text is counted apart, where `pdf_text_billed`."""
    return _sure(model, _rule(model).page(*pixels_of(width_pt, height_pt)))


def pdf_text_billed(model: Model) -> bool:
    """Whether the text of a PDF that goes as it is is billed beside the pictures of its pages."""
    return PROVIDERS[model.provider].own_names or _rule(model).text


def known_rule(model: Model) -> Rule | None:
    """What is known of how the model counts pictures."""
    name = family_name(model.name)
    newer = (RULES[like] for names, like in NEWER if names.match(name))
    return longest_prefix(RULES, name) or next(newer, None)


def _rule(model: Model) -> Rule:
    return known_rule(model) or UNKNOWN


def _sure(model: Model, tokens: PageTokens) -> PageTokens:
    """A deployment may be called what it is not."""
    if not PROVIDERS[model.provider].own_names:
        return tokens
    return PageTokens(tokens.expected, max(tokens.ceiling, UNKNOWN_CEILING))


def _patches(times: str, budget: int, most_times: str = "", most_budget: int = 0, *, high: bool = False) -> Rule:
    rule = Patches(Fraction(times), budget, Fraction(most_times or times), most_budget or budget)
    return Rule(rule.image, rule.high if high else rule.low)


def _tiles(base: int, tile: int) -> Rule:
    rule = Tiles(base, tile)
    return Rule(rule.image, rule.page)


def _claude(edge: int, most: int) -> Rule:
    return Rule(Grid(edge, most).image, flat(1600, most + 150))


def _family(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


UNKNOWN = Rule(unknown_image, flat(1600, UNKNOWN_CEILING))
TEXT_ALONE = Rule(flat(0, UNKNOWN_CEILING), flat(0, UNKNOWN_CEILING))  # it takes no picture
GEMINI_2 = Rule(google_tiles, flat(258, 258 + 8000))  # a scan is billed what is read off it as well
GEMINI_3 = Rule(flat(1120), flat(560, 1120), text=False)
GEMINI_NEWEST = Rule(flat(1120, 2240), flat(560, 2240))  # whether the text is billed is not published
NOVA = Rule(nova_pixels, nova_pixels)
ORIGINAL = 10_000  # patches of a picture that is not shrunk: github.com/openai/codex/pull/19865, 2026-04

RULES: Mapping[str, Rule] = {  # by the beginning of a name
    # OpenAI, by tiles
    **_family(_tiles(85, 170), "gpt-4o chatgpt-4o gpt-4.1 gpt-4.5 gpt-4-turbo gpt-4-vision gpt-4-1106"),
    **_family(_tiles(2833, 5667), "gpt-4o-mini"),
    **_family(_tiles(70, 140), "gpt-5 gpt-5-chat gpt-5-pro gpt-5-codex gpt-5-search-api gpt-5.1 gpt-5.1-codex"),
    **_family(_tiles(75, 150), "o1 o3"),
    **_family(_tiles(65, 129), "computer-use"),
    # OpenAI, by patches
    **_family(_patches("1.62", 1536), "gpt-4.1-mini"),
    **_family(_patches("1.62", 1536, "1.62", 2500), "gpt-5-mini"),
    **_family(_patches("2.46", 1536), "gpt-4.1-nano"),
    **_family(_patches("2.46", 1536, "2.46", 2500), "gpt-5-nano"),
    **_family(_patches("1.72", 1536), "o4-mini codex-mini gpt-5.1-codex-mini"),
    **_family(_patches("1.2", 1536, "1.72", 2500), "gpt-5.2 gpt-5.3"),
    **_family(_patches("1.2", 2500), "gpt-5.4 gpt-5.5"),
    **_family(_patches("1.62", 2500), "gpt-5.4-mini gpt-5.4-nano"),
    **_family(_patches("1.2", 2500, "1.62", ORIGINAL, high=True), "gpt-5.6"),
    **_family(_patches("1.62", 2500, str(DEAREST_PATCH), MOST_PATCHES, high=True), "gpt-6 gpt-6.1 gpt-6.2 gpt-chat"),
    **_family(TEXT_ALONE, "gpt-3.5 gpt-3.5-turbo gpt-35-turbo gpt-4 o1-mini o1-preview"),
    **_family(TEXT_ALONE, "o3-mini gpt-oss gpt-oss-safeguard gpt-4o-search-preview gpt-4o-mini-search-preview"),
    # Anthropic, here and on Bedrock
    **_family(_claude(1568, 1568), "claude-3 claude-4 claude-opus-4 claude-sonnet-4 claude-haiku-4"),
    **_family(_claude(2576, 4784), "claude-opus-4-7 claude-opus-4-8 claude-opus-4-9 claude-opus-5 claude-sonnet-5"),
    **_family(_claude(2576, 4784), "claude-haiku-5 claude-fable-5 claude-mythos-5"),
    **_family(TEXT_ALONE, "claude-v1 claude-v2 claude-2 claude-2.0 claude-2.1 claude-instant"),
    # Google
    **_family(GEMINI_2, "gemini-1.0-pro-vision gemini-1.5 gemini-1.5-flash gemini-1.5-pro gemini-2.0 gemini-2.0-flash"),
    **_family(GEMINI_2, "gemini-2.5 gemini-2.5-flash gemini-2.5-pro gemini-flash-1.5 gemini-pro-1.5 gemma-3 gemma-3n"),
    **_family(GEMINI_3, "gemini-3 gemini-3.1 gemini-3.5 gemini-3.6 gemini-3.7 gemini-3.8"),
    **_family(GEMINI_NEWEST, "gemini-4 gemini-flash gemini-flash-lite gemini-pro-latest gemma-4"),
    **_family(TEXT_ALONE, "gemini-pro gemini-1.0-pro gemma-2"),
    # Bedrock's others
    **_family(NOVA, "nova-lite nova-pro nova-premier nova-2-lite"),
    **_family(TEXT_ALONE, "nova-micro titan-text-express titan-text-lite llama3-1 llama3-3 llama3-8b llama3-70b"),
    **_family(TEXT_ALONE, "llama3 llama3-2-1b llama3-2-3b mistral-7b mixtral-8x7b mistral-large-2402"),
    **_family(TEXT_ALONE, "mistral-large-2407 mistral-small-2402 devstral-2 voxtral-mini voxtral-small"),
    **_family(TEXT_ALONE, "r1 command-r nemotron-nano-3 nemotron-nano-9b glm-5.3 qwen3-32b qwen3-coder"),
    **_family(TEXT_ALONE, "nemotron-super palmyra-x4 palmyra-x5 minimax-m2"),
    **_family(TEXT_ALONE, "v3 v3.1 jamba-1-5 deepseek phi-4 phi-4-mini phi-4-reasoning mai-ds-r1"),
    **_family(UNKNOWN, "llama3-2 llama4 llama4-maverick llama4-scout mistral-large-3 ministral-3 magistral-small"),
    **_family(UNKNOWN, "pixtral-large pixtral-large-2502 kimi-k2 kimi-k3 kimi-k3.1 qwen3-vl nemotron-nano-12b"),
    **_family(UNKNOWN, "phi-4-multimodal"),
}  # fmt: skip
