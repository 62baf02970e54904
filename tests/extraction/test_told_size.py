"""What the numbers in a refusal of length mean: parts that are small enough, and no smaller than they have to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extraction.told_size import MARGIN, MOST_PARTS, smaller_tokens, told_pages

ROOM = 100  # of a request's input, beside the chunk
FORMS = {  # i: its input, o: its cap, t: both, m: the most. What counts against the most is told with each
    "openai": (
        (
            "This model's maximum context length is {m} tokens. However, you requested {t} tokens ({i} in the "
            "messages, {o} in the completion). Please reduce the length of the messages or completion."
        ),
        "both",
    ),
    "openai-input": (
        (
            "Input tokens exceed the configured limit of {m} tokens. Your messages resulted in {i} tokens. Please "
            "reduce the length of the messages."
        ),
        "input",
    ),
    "openai-429": (
        (
            "Request too large for gpt-4o-2024-08-06 in organization org-x on tokens per min (TPM): Limit {m}, "
            "Requested {t}. The input or output tokens must be reduced in order to run successfully."
        ),
        "both",
    ),
    "vllm": (
        (
            "This model's maximum context length is {m} tokens. However, you requested {o} output tokens and your "
            "prompt contains at least {i} input tokens, for a total of at least {t} tokens."
        ),
        "both",
    ),
    "vllm-cap": (
        (
            "'max_tokens' or 'max_completion_tokens' is too large: {o}. This model's maximum context length is {m} "
            "tokens and your request has {i} input tokens ({o} > {m} - {i})."
        ),
        "both",
    ),
    "tgi": (
        (
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= {m}. Given: {i} `inputs` tokens and "
            "{o} `max_new_tokens`"
        ),
        "both",
    ),
    "llama.cpp": ("request ({i} tokens) exceeds the available context size ({m} tokens), try increasing it", "input"),
    "anthropic": ("prompt is too long: {i} tokens > {m} maximum", "input"),
    "anthropic-both": (
        "input length and `max_tokens` exceed context limit: {i} + {o} > {m}, decrease input length or `max_tokens`",
        "both",
    ),
    "bedrock-claude": (
        "ValidationException: The model returned the following errors: prompt is too long: {i} tokens > {m} maximum",
        "input",
    ),
    "bedrock-mistral": (
        "Prompt contains {i} tokens and 0 draft tokens, too large for model with {m} maximum context length",
        "input",
    ),
    "bedrock-titan": ("Too many input tokens. Max input tokens: {m}, request input token count: {i}", "input"),
    "gemini": ("The input token count ({i}) exceeds the maximum number of tokens allowed ({m}).", "input"),
    "vertex": (
        (
            "Unable to submit request because the input token count is {i} but the model only supports up to {m}. "
            "Reduce the input token count and try again."
        ),
        "input",
    ),
    "commas": ("Your prompt has {i:,} tokens; this model takes {m:,} at most.", "input"),
}


@given(
    form=st.sampled_from(sorted(FORMS)),
    most=st.integers(4_000, 2_000_000),
    times=st.floats(1.01, 20),
    cap=st.integers(600, 1_900),
    scale=st.floats(0.7, 1.5),
)
def test_parts_fit_and_are_no_smaller_than_they_need(form, most, times, cap, scale):
    """`scale`: how many tokens the provider counts for one of ours."""
    text, counted = FORMS[form]
    extra = cap if counted == "both" else 0
    inputs = int(most * times) - extra
    ours = round(inputs / scale)
    message = f"context_exceeded: {text.format(i=inputs, o=cap, t=inputs + cap, m=most)} (HTTP 400)"
    found = smaller_tokens(message, ours - ROOM, ours, cap)
    fits = (most - extra) / scale - ROOM  # of the chunk, by our count
    if fits * MOST_PARTS < ours * 1.1:
        return  # what goes with every request leaves no room for the document
    assert found is not None
    assert found <= fits * 1.001
    assert found >= (fits - 3.3 * cap / scale - 1) * MARGIN - 1  # whether the cap counts is not always told


@pytest.mark.parametrize(
    "message",
    [
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "The model returned the following errors: Input is too long for requested model.",
        "context_exceeded: too long (HTTP 413)",
        "Request payload size exceeds the limit: 20971520 bytes.",
        "This model's maximum context length is 128000 tokens.",  # more than we count: it counts otherwise
        "prompt is too long: 200000 tokens > 2999 maximum",  # a chunk would not be a sixty-fourth
    ],
)
def test_where_nothing_is_told_that_helps(message):
    assert smaller_tokens(message, 9_000, 200_000 if "200000" in message else 10_000, 1_024) is None


def test_the_most_alone_is_held_against_our_own_count():
    """OpenAI's shortest form, and llama.cpp's."""
    message = "This model's maximum context length is 8192 tokens. Please reduce the length of the prompt"
    assert smaller_tokens(message, 19_000, 20_000, 1_024) == int((19_000 - (21_024 - 8_192)) * MARGIN)


def test_characters_are_told_in_their_own_measure():
    """What counts is how much too much it is: here, twice as much."""
    message = (
        "Invalid 'messages[1].content': string too long. Expected a string with maximum length 1048576, but got a "
        "string with length 2097152 instead."
    )
    found = smaller_tokens(message, 499_000, 500_000, 1_000)
    assert found is not None
    assert 0.99 * MARGIN < found / 249_000 <= MARGIN


PAGE_FORMS = (
    "messages.4.content.0.pdf.source.base64.data: A maximum of {m} PDF pages may be provided.",
    "The document contains {a} pages which exceeds the supported page limit of {m}.",
    "The document contains {a:,} pages which exceeds the supported page limit of {m:,}",
    "Too many images in request: {a} > {m}",
    "messages.0.content: at most {m} images are allowed; got {a} images. The request was 31457280 bytes of 32 MB",
    "You can upload up to {m} pages and 32MB of total content",
    "maximum number of pages ({m}) exceeded",
    "Too many images in request ({a}). The maximum is {m}.",
    "Invalid 'messages[0].content': too many images. Expected an array with maximum length {m}, but got {a} instead.",
    "The PDF has {a} pages; the limit is {m} pages",
    "ValidationException: The model returned errors: messages.0.content.12.pdf: A maximum of {m} PDF pages may be",
)


@given(form=st.sampled_from(PAGE_FORMS), most=st.integers(1, 3000), more=st.integers(1, 5000))
def test_the_most_pages_are_told_in_every_form(form, most, more):
    message = f"context_exceeded: {form.format(m=most, a=most + more)} (HTTP 400)"
    assert told_pages(message) == most


@given(st.text(max_size=200))
def test_no_words_break_it(text):
    assert (told_pages(text) or 1) >= 1


@pytest.mark.parametrize(
    "message",
    [
        "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 5316852 bytes > 5242880 bytes",
        "image dimensions exceed max allowed size for many-image requests: 2000 pixels",
        "context_exceeded: Request exceeds the maximum size (HTTP 413)",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "page 3 of the document is too large",
        "You can't include more than 5 documents in a request.",
    ],
)
def test_where_no_pages_are_told(message):
    assert told_pages(message) is None
