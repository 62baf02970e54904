"""What vendors say of files they do not take, on every wire: whether fewer pages, another attempt or nothing helps."""

import json

import pytest
from each_case import each_case
from every_wire import wire

from pipeline.errors import CallFailed, Kind
from pipeline.types import HttpAnswer

FEWER, AGAIN, ROW = Kind.CONTEXT_EXCEEDED, Kind.NOT_PROCESSED, Kind.INVALID_REQUEST
AT = "messages.0.content.0.pdf.source.base64.data"
SAID = {  # words, and what they mean whoever says them
    f"{AT}: A maximum of 100 PDF pages may be provided.": FEWER,
    "A maximum of 600 PDF pages may be provided.": FEWER,
    "The document contains 1204 pages which exceeds the supported page limit of 1000.": FEWER,
    "You can't include more than 5 documents in a request.": FEWER,
    "The PDF has 120 pages; the limit is 100 pages": FEWER,
    "The request's total referenced files bytes are too large to be read": FEWER,
    "At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels": FEWER,
    f"{AT}: Could not process PDF": AGAIN,
    f"{AT}: PDF cannot be empty": ROW,
    f"{AT}: The PDF specified was not valid.": ROW,
    f"{AT}: The PDF specified is password protected": ROW,
    "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 5316852 bytes > 5242880 bytes": ROW,
    "Image does not match the provided media type image/png": ROW,
    "Could not process image": ROW,
    "Invalid file data: 'messages[0]'. Expected an application/pdf, but got unsupported MIME type 'image/png'": ROW,
    "Invalid Value: 'file'. This model does not support file content types.": ROW,
    "The document has no pages.": ROW,
    "Unable to process input image. Please retry or report in https://example.org": ROW,
    "The document file name can only contain alphanumeric characters, whitespace characters, hyphens": ROW,
    "This model doesn't support documents.": ROW,
    "Messages can't contain duplicate document names.": ROW,
}
ERRORS = {  # wire: an error's body and headers
    "openai": lambda words: ({"error": {"message": words, "type": "invalid_request_error", "code": None}}, {}),
    "anthropic": lambda words: (
        {"type": "error", "error": {"type": "invalid_request_error", "message": words}},
        {},
    ),
    "gemini": lambda words: ({"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}, {}),
    "converse": lambda words: ({"message": words}, {"x-amzn-errortype": "ValidationException"}),
}


def failed(name, status, body, headers):
    with pytest.raises(CallFailed) as failure:
        wire(name).reply(HttpAnswer(status, headers, json.dumps(body).encode()))
    return failure.value


@each_case("name", ERRORS)
@each_case("words", SAID)
def test_the_words_mean_the_same_on_every_wire(name, words):
    """A gateway passes on those of the vendor behind it."""
    failure = failed(name, 400, *ERRORS[name](words))
    assert failure.kind is SAID[words]
    assert not failure.fate_unknown


@each_case(
    ("name", "status", "body", "headers", "kind"),
    [
        ("anthropic", 413, {"type": "error", "error": {"type": "request_too_large", "message": "x"}}, {}, FEWER),
        *(
            ("anthropic", 400, {"type": "error", "error": {"type": "invalid_request_error", "message": "x",
             "details": {"error_code": code}}}, {}, FEWER)
            for code in ("image_dimensions_too_large", "request_body_too_large_after_decoding")
        ),
        *(
            ("openai", 400, {"error": {"message": "x", "type": "invalid_request_error", "code": code}}, {}, ROW)
            for code in ("invalid_image_format", "invalid_base64_image", "image_too_large", "image_parse_error",
                         "image_file_too_large", "unsupported_image_media_type", "empty_image_file")
        ),
        ("converse", 400, {"message": "Input is too long for requested model"},
         {"x-amzn-errortype": "ValidationException"}, FEWER),
        ("converse", 424, {"message": "x"}, {"x-amzn-errortype": "ModelErrorException"}, Kind.OVERLOADED),
        ("converse", 424, {"message": f"{AT}: A maximum of 100 PDF pages may be provided."},
         {"x-amzn-errortype": "ModelErrorException"}, FEWER),
        ("converse", 400, {}, {"x-amzn-errortype": "ValidationException"}, ROW),
        ("openai", 413, {"error": {"message": "x"}}, {}, FEWER),
        ("gemini", 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message":
         "Request payload size exceeds the limit: 20971520 bytes."}}, {}, FEWER),
    ],
)  # fmt: skip
def test_a_code_goes_before_the_words(name, status, body, headers, kind):
    assert failed(name, status, body, headers).kind is kind
