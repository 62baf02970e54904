"""Which refusals say nothing of a document, and what would mend them."""

import pytest
from each_case import each_case

from pipeline.errors import CallFailed, Kind
from pipeline.extraction.refusals import never_fits, refusal
from pipeline.types import Dimension, LimitSeen

URL = "http://h/v1/chat/completions?key=secret"


def refused(kind, message, status):
    return refusal(CallFailed(kind, message, status=status), URL)


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("This response_format type is unavailable now", 'extract.mode = "tool"'),
        ("Invalid schema for response_format 'Thing'", 'extract.mode = "tool"'),
        ("guided decoding is not supported by this backend", 'extract.mode = "tool"'),
        ("Unsupported value: 'temperature' does not support 0.0 with this model", "model.temperature"),
        ("max_tokens is too large: 99999. This model supports at most 16384", "model.max_output_tokens"),
        ("The maximum tokens you requested exceeds the model limit of 32768", "model.max_output_tokens"),
        ("This model does not support tool_choice", 'extract.mode = "json_schema"'),
        ("something that nobody has met", "Mend the job"),
    ],
)
def test_the_fix_of_a_form_that_is_refused(message, fix):
    found = refused(Kind.INVALID_REQUEST, message, 400)
    assert fix in found.told
    assert message in found.told
    assert found.most == 10


@pytest.mark.parametrize(
    "message",
    [
        "messages.0.content.0.pdf.source.base64.data: The PDF specified is password protected.",
        "messages.0.content.0.pdf.source.base64.data: The PDF specified was not valid.",
        "messages.0.content.0.pdf: PDF cannot be empty",
        "Could not process image",
        "Unable to process input image. Please retry or report",
        "The document has no pages.",
        "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 5316852 bytes > 5242880 bytes",
        "The image data you provided does not represent a valid image: image_parse_error",
        "Image does not match the provided media type image/png",
    ],
)
def test_ten_bad_files_in_a_row_are_ten_bad_files(message):
    assert refused(Kind.INVALID_REQUEST, message, 400) is None


@pytest.mark.parametrize(
    "message",
    [
        "Invalid Value: 'file'. This model does not support file content types.",
        "ValidationException: This model doesn't support documents.",
        "a file of application/pdf cannot be sent here",
        "this provider is sent text only, and the request holds a file",
    ],
)
def test_a_model_that_takes_no_files_is_known_by_three(message):
    found = refused(Kind.INVALID_REQUEST, message, 400)
    assert found.most == 3
    assert "documents.read" in found.told


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 405])
def test_an_address_that_is_refused(status):
    """Three are enough; the URL is told, and nothing that follows it."""
    found = refused(Kind.INVALID_REQUEST, "Not Found", status)
    assert found.most == 3
    assert "http://h/v1/chat/completions. " in found.told
    assert "secret" not in found.told
    assert "model.base_url" in found.told


def test_a_page_is_an_address_and_an_empty_answer_is_none():
    assert refused(Kind.NO_ANSWER, "no JSON: <!DOCTYPE html><title>Log in", 200).most == 3
    assert refused(Kind.NO_ANSWER, "redirected to http://elsewhere", 302).most == 3
    assert refused(Kind.NO_ANSWER, "no content in the answer: {}", 200) is None


@each_case("kind", sorted(set(Kind) - {Kind.INVALID_REQUEST, Kind.NO_ANSWER}), ids=str)
def test_every_other_kind_has_its_own_end(kind):
    assert refused(kind, "<html>", 404) is None


def test_ids_and_times_make_no_difference():
    one, two = (
        refused(Kind.INVALID_REQUEST, f"bad field x (request id: req_{end}, at 10:0{len(end)}:12)", 400)
        for end in ("9f3ac2", "b77")
    )
    assert one.same == two.same
    assert one.same != refused(Kind.INVALID_REQUEST, "bad field y", 400).same
    assert one.same != refused(Kind.INVALID_REQUEST, "bad field x (request id: req_a, at 10:01:12)", 422).same


@pytest.mark.parametrize(
    ("kind", "dimension", "limit", "never"),
    [
        (Kind.THROTTLED, Dimension.INPUT_TOKENS, 999.0, True),
        (Kind.THROTTLED, Dimension.TOKENS, 999.0, True),
        (Kind.THROTTLED, Dimension.TOKENS, 1000.0, False),
        (Kind.THROTTLED, Dimension.TOKENS, 0.0, False),
        (Kind.THROTTLED, Dimension.TOKENS, None, False),
        (Kind.THROTTLED, Dimension.REQUESTS, 5.0, False),
        (Kind.THROTTLED, Dimension.OUTPUT_TOKENS, 5.0, False),
        (Kind.OVERLOADED, Dimension.TOKENS, 5.0, False),
    ],
)
def test_a_limit_that_a_request_alone_exceeds(kind, dimension, limit, never):
    failure = CallFailed(kind, "", limits=(LimitSeen(dimension, limit, None, None),))
    assert never_fits(failure, 1000) is never
