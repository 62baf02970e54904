"""Files that a provider would refuse, the sandbox refuses, in its words."""

import orjson
import pytest
from sandbox_client import with_client
from sent_files import (
    HAIKU,
    PDF,
    PNG,
    WIRES,
    b64,
    chat_part,
    claude_part,
    converse_part,
    gemini_part,
    png,
    responses_part,
)  # fmt: skip
from small_pdfs import pdf, text

WORDS = "Total 42.17 EUR"
BILL = pdf(text(72, 700, WORDS), text(72, 700, "Thank you"))
OWNED = pdf(text(72, 700, WORDS), user="")  # anybody may read it
LOCKED, EMPTY, BROKEN = pdf(text(72, 700, WORDS), user="secret"), b"", b"%PDF-1.7 and no more"
PAGE = png(640, 900, WORDS)


def sent(name, kind=PDF, data=None, *, stream=False, model=""):
    wire = WIRES[name]
    part = wire.part(data if data is not None else BILL if kind == PDF else PAGE, kind)
    return posted(name, [part], stream=stream, model=model)


def posted(name, parts, *, stream=False, model=""):
    return with_client(lambda client: WIRES[name].post(client, parts, stream=stream, model=model))


def image_url(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def changed(part, **changes):
    kind = next(iter(part)) if len(part) == 1 else None
    return {kind: {**part[kind], **changes}} if kind else {**part, **changes}


def sourced(part, **changes):
    return {**part, "source": {**part["source"], **changes}}


DATA = f"data:image/png;base64,{b64(PAGE)}"
PDF_URL = f"data:application/pdf;base64,{b64(BILL)}"
CHAT_REFUSALS = {
    "pdf as an image": ([image_url(PDF_URL)], "unsupported MIME type 'application/pdf'", "invalid_value"),
    "no data url": ([image_url(b64(PAGE))], "without the 'data:' prefix", "invalid_value"),
    "no base64": ([image_url("data:image/png;base64,%%%")], "invalid base64", "invalid_base64_image"),
    "empty image": ([image_url("data:image/png;base64,")], "empty", "empty_image_file"),
    "no picture": (
        [image_url(f"data:image/png;base64,{b64(b'no picture')}")],
        "unsupported image",
        "invalid_image_format",
    ),
    "from the web": ([image_url("http://127.0.0.1/a.png")], "fetches nothing", "invalid_image_url"),
    "detail unknown": ([image_url(DATA, detail="best")], "'low', 'high', 'auto'", "invalid_value"),
    "image no object": ([{"type": "image_url", "image_url": DATA}], "expected an object", "invalid_type"),
    "detail of a file": (
        [{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF_URL, "detail": "low"}}],
        "Unknown parameter: 'messages[0].content[0].file.detail'",
        "unknown_parameter",
    ),
    "file without a name": (
        [{"type": "file", "file": {"file_data": PDF_URL}}],
        "file.filename",
        "missing_required_parameter",
    ),
    "file by id": ([{"type": "file", "file": {"file_id": "file-1"}}], "keeps and fetches no files", "invalid_value"),
    "file bare": (
        [{"type": "file", "file": {"filename": "a.pdf", "file_data": b64(BILL)}}],
        "'data:' prefix",
        "invalid_value",
    ),
    "image as a file": (
        [{"type": "file", "file": {"filename": "a.png", "file_data": DATA}}],
        "unsupported MIME type 'image/png'",
        "invalid_value",
    ),
    "pdf locked": ([chat_part(LOCKED)], "password", "invalid_file"),
    "pdf broken": ([chat_part(BROKEN)], "cannot be read as a PDF", "invalid_file"),
    "pdf empty": ([chat_part(EMPTY)], "empty file", "invalid_file"),
    "part unknown": ([{"type": "input_audio", "input_audio": {}}], "Invalid value: 'input_audio'", "invalid_value"),
}


@pytest.mark.parametrize("name", CHAT_REFUSALS)
def test_chat_completions_refuse(name):
    parts, words, code = CHAT_REFUSALS[name]
    status, body = posted("chat", parts)
    error = orjson.loads(body)["error"]
    assert (status, error["code"], error["type"]) == (400, code, "invalid_request_error")
    assert words in error["message"]


def test_chat_completions_take_files_from_the_user_and_by_models_that_see():
    async def use(client):
        body = WIRES["chat"].body([chat_part(PAGE, PNG)])
        body["messages"].insert(0, {"role": "system", "content": [chat_part(PAGE, PNG)]})
        return await client.post(body)

    got = with_client(use)
    assert (got.status, "only allowed for messages with role 'user'" in got.error["message"]) == (400, True)
    status, body = sent("chat", PNG, model="o3-mini")
    assert (status, "only supported by certain models" in orjson.loads(body)["error"]["message"]) == (400, True)


def test_azure_s_chat_completions_take_no_file():
    status, body = posted("azure", [chat_part(BILL)])
    error = orjson.loads(body)["error"]
    assert (status, error["message"]) == (400, "Invalid Value: 'file'. This model does not support file content types.")


RESPONSES_REFUSALS = {
    "pdf as an image": ([{"type": "input_image", "image_url": PDF_URL}], "unsupported MIME type 'application/pdf'"),
    "detail unknown": ([changed(responses_part(PAGE, PNG), detail="best")], "Invalid value: 'best'"),
    "detail of a file": ([{**responses_part(BILL), "detail": "best"}], "'auto', 'low', 'high'"),
    "file by url": ([{"type": "input_file", "file_url": "https://a/b.pdf"}], "keeps and fetches no files"),
    "chat's part": ([chat_part(BILL)], "Invalid value: 'file'"),
    "pdf locked": ([responses_part(LOCKED)], "password"),
}


@pytest.mark.parametrize("wire", ["responses", "azure responses"])
@pytest.mark.parametrize("name", RESPONSES_REFUSALS)
def test_responses_refuse(name, wire):
    parts, words = RESPONSES_REFUSALS[name]
    status, body = posted(wire, parts)
    assert (status, words in orjson.loads(body)["error"]["message"]) == (400, True), body


PICTURE, PAPER = claude_part(PAGE, PNG), claude_part(BILL)
CLAUDE_REFUSALS = {
    "pdf empty": ([claude_part(EMPTY)], "document.source.base64.data: PDF cannot be empty"),
    "pdf broken": ([claude_part(BROKEN)], "The PDF specified was not valid."),
    "pdf locked": ([claude_part(LOCKED)], "The PDF specified is password protected."),
    "pdf locked by its owner alone": ([claude_part(OWNED)], "The PDF specified is password protected."),
    "pdf no pdf": ([claude_part(PAGE)], "The PDF specified was not valid."),
    "media type does not match": (
        [sourced(PICTURE, media_type="image/jpeg")],
        "Image does not match the provided media type image/jpeg",
    ),
    "media type unknown": ([sourced(PICTURE, media_type="image/tiff")], "media_type: Input should be 'image/jpeg'"),
    "pdf as an image": ([sourced(PICTURE, media_type=PDF)], "media_type: Input should be 'image/jpeg'"),
    "docx": ([sourced(PAPER, media_type="application/msword")], "media_type: Input should be 'application/pdf'"),
    "no base64": ([sourced(PICTURE, data="%%%")], "invalid base64 data"),
    "a data url": ([sourced(PICTURE, data=DATA)], "invalid base64 data"),
    "no picture": ([claude_part(b"no picture", PNG)], "Could not process image"),
    "too wide": ([claude_part(png(8001, 10), PNG)], "exceed max allowed size: 8000 pixels"),
    "many and wide": ([claude_part(png(2001, 10), PNG)] * 21, "for many-image requests: 2000 pixels"),
    "too many images": ([claude_part(png(8, 8), PNG)] * 101, "Too much media: 0 document pages + 101 images > 100"),
    "too many pages": ([claude_part(pdf(*[""] * 101))], "A maximum of 100 PDF pages may be provided."),
    "member unknown": ([{**PAPER, "name": "a"}], "Extra inputs are not permitted"),
    "cited with a schema": ([{**PAPER, "citations": {"enabled": True}}], "citations"),
    "by url": ([{"type": "image", "source": {"type": "url", "url": "https://a"}}], "keeps and fetches no files"),
    "unknown block": ([{"type": "video"}], "'video'"),
}


@pytest.mark.parametrize("wire", ["anthropic", "invoke"])
@pytest.mark.parametrize("name", CLAUDE_REFUSALS)
def test_claude_refuses(name, wire):
    parts, words = CLAUDE_REFUSALS[name]
    status, body = posted(wire, parts)
    found = orjson.loads(body)
    message = found["error"]["message"] if wire == "anthropic" else found["message"]
    assert (status, words in message) == (400, True), message


@pytest.mark.parametrize(("wire", "most_mb"), [("anthropic", 10), ("invoke", 5)])
def test_an_image_of_a_claude_has_its_size_as_base64(wire, most_mb):
    large = png() + b"\0" * (most_mb * 1024 * 1024 * 3 // 4)
    status, body = posted(wire, [claude_part(large, PNG)])
    assert status == 400
    assert f"image exceeds {most_mb} MB maximum".encode() in body


def renamed(name):
    return converse_part(BILL) | {"document": {**converse_part(BILL)["document"], "name": name}}


CONVERSE_REFUSALS = {
    "name with a dot": ([renamed("bill.pdf")], "The document file name can only contain alphanumeric characters"),
    "name with two blanks": ([renamed("a  bill")], "The document file name can only contain alphanumeric characters"),
    "name missing": ([renamed(None)], "document.name"),
    "format unknown": ([changed(converse_part(BILL), format="rtf")], "Member must satisfy enum value set"),
    "image format": ([changed(converse_part(PAGE, PNG), format="tiff")], "Member must satisfy enum value set"),
    "image of another": ([changed(converse_part(PAGE, PNG), format="jpeg")], "does not match the provided media type"),
    "member unknown": ([changed(converse_part(BILL), title="a")], "extraneous key [title]"),
    "no base64": ([changed(converse_part(BILL), source={"bytes": "%%%"})], "no base64"),
    "from S3": ([changed(converse_part(BILL), source={"s3Location": {}})], "reads bytes only"),
    "image too large": ([converse_part(png() + b"\0" * 3_750_000, PNG)], "3750000 bytes"),
    "too many images": ([converse_part(png(), PNG)] * 21, "too many images"),
    "no picture": ([converse_part(b"no picture", PNG)], "Could not process image"),
    "pdf locked": ([converse_part(LOCKED)], "password protected"),
    "pdf broken": ([converse_part(BROKEN)], "was not valid"),
}


@pytest.mark.parametrize("name", CONVERSE_REFUSALS)
def test_converse_refuses(name):
    parts, words = CONVERSE_REFUSALS[name]
    status, body = posted("converse", parts)
    assert (status, words in orjson.loads(body)["message"]) == (400, True), body


def test_converse_says_nothing_where_no_text_stands_beside_a_document():
    async def use(client):
        body = WIRES["converse"].body([converse_part(BILL)])
        del body["messages"][0]["content"][1]
        return await client.post(body, path=f"/model/{HAIKU}/converse")

    got = with_client(use)
    assert (got.status, got.text) == (400, "{}")
    assert got.headers["x-amzn-errortype"].startswith("ValidationException")


def test_other_makers_models_take_five_documents_of_4_5_mb_and_no_picture_where_they_are_text_alone():
    mistral, llama = "mistral.pixtral-large-2502-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"
    large = converse_part(BILL + b"\n" * 4_500_000)

    async def use(client):
        found = []
        for model, parts in (
            (mistral, [converse_part(BILL)] * 6),
            (mistral, [large]),
            (llama, [converse_part(PAGE, PNG)]),
            ("us.amazon.nova-micro-v1:0", [converse_part(BILL)]),
        ):
            body = {"messages": [{"role": "user", "content": [*parts, {"text": "Read."}]}]}
            wire = WIRES["converse"]._replace(body=lambda parts, *, stream, model, body=body: body)
            status, got = await wire.post(client, [], model=model)
            found.append((status, orjson.loads(got)["message"]))
        return found

    six, too_large, picture, paper = with_client(use)
    assert (six[0], "maximum is 5" in six[1]) == (400, True)
    assert (too_large[0], "4500000" in too_large[1]) == (400, True)
    assert picture == (400, "This model doesn't support the image field. Remove image and try again.")
    assert paper == (400, "This model doesn't support the document field. Remove document and try again.")


def test_nova_takes_no_document_by_invoke():
    async def use(client):
        body = {"messages": [{"role": "user", "content": [converse_part(BILL), {"text": "Read."}]}]}
        return await client.post(body, path="/model/us.amazon.nova-pro-v1:0/invoke")

    got = with_client(use)
    assert (got.status, "extraneous key [document]" in got.body["message"]) == (400, True)


GEMINI_REFUSALS = {
    "pdf broken": ([gemini_part(BROKEN)], "The document has no pages."),
    "pdf locked": ([gemini_part(LOCKED)], "The document has no pages."),
    "too many pages": (
        [gemini_part(pdf(*[""] * 1001))],
        "The document contains 1001 pages which exceeds the supported page limit of 1000.",
    ),
    "no base64": ([{"inlineData": {"mimeType": PDF, "data": "%%%"}}], "Base64 decoding failed"),
    "no picture": ([gemini_part(b"no picture", PNG)], "Unable to process input image"),
    "kind unknown": ([gemini_part(b"x", "application/msword")], "Unsupported MIME type: application/msword"),
    "gif": ([gemini_part(b"GIF89a", "image/gif")], "Unsupported MIME type: image/gif"),
    "member unknown": ([{"inlineData": {"type": PDF}}], 'Unknown name "type"'),
    "too large": ([gemini_part(png() + b"\0" * 16_000_000, PNG)], "Request payload size exceeds the limit"),
}


@pytest.mark.parametrize("wire", ["gemini", "vertex"])
@pytest.mark.parametrize("name", GEMINI_REFUSALS)
def test_google_refuses(name, wire):
    parts, words = GEMINI_REFUSALS[name]
    status, body = posted(wire, parts)
    error = orjson.loads(body)["error"]
    assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert words in error["message"], error["message"]


@pytest.mark.parametrize(
    ("bound", "part", "words"),
    [
        ("MOST_FILE_BYTES", chat_part(PAGE, PNG), "may have 1 bytes in all"),
        ("MOST_FILE_BYTES", chat_part(BILL), "may have 1 bytes in all"),
        ("MOST_IMAGES", chat_part(PAGE, PNG), "Too many images. The maximum is 1."),
    ],
)
def test_openai_counts_all_files_of_a_request(monkeypatch, bound, part, words):
    monkeypatch.setattr(f"pipeline.sandbox.wires.openai.parts.{bound}", 1)
    status, body = posted("chat", [part, part])
    assert (status, words in orjson.loads(body)["error"]["message"]) == (400, True)
