"""Files in the bodies of all wires, in each vendor's own form; and bodies in pieces."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from documents_sent import BYTES, JPEG, PDF, PNG, loaded, part, request_of
from each_case import each_case
from every_wire import SHAPE, WIRES, model, wire
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.parts import TextPart, text_parts
from pipeline.providers import wire_for
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import LARGE_BYTES, PIECE_BYTES, PIECEMEAL_BYTES, Pieces, upload_s
from pipeline.text import repaired
from pipeline.types import Turn

MORE = {
    "responses": {"provider": "openai", "api": "responses", "name": "gpt-5.4"},
    "azure responses": {"provider": "azure", "api": "responses", "name": "mine"},
    "converse claude": {"provider": "bedrock", "name": "anthropic.claude-sonnet-4-5-v1:0", "region": "us-east-1"},
    "untaught": {"provider": "gemini", "name": "gemma-3-27b-it"},
}


def wire_named(name, shape=SHAPE):
    if name not in MORE:
        return wire(name)
    return wire_for(Model(base_url="http://127.0.0.1:9", max_output_tokens=9, **MORE[name]), shape, {})


def data(media_type):
    return b64encode(BYTES[media_type]).decode()


def url(media_type):
    return f"data:{media_type};base64,{data(media_type)}"


def chat(media_type):
    if media_type == PDF:
        return {"type": "file", "file": {"filename": "document.pdf", "file_data": url(PDF)}}
    return {"type": "image_url", "image_url": {"url": url(media_type), "detail": "high"}}


def response(media_type):
    if media_type == PDF:
        return {"type": "input_file", "filename": "document.pdf", "file_data": url(PDF)}
    return {"type": "input_image", "image_url": url(media_type), "detail": "high"}


def claude(media_type):
    kind = "document" if media_type == PDF else "image"
    source = {"type": "base64", "media_type": media_type, "data": data(media_type)}
    return {"type": kind, "source": source}


def converse(media_type):
    if media_type == PDF:
        return {"document": {"format": "pdf", "name": "document", "source": {"bytes": data(PDF)}}}
    return {"image": {"format": media_type.partition("/")[2], "source": {"bytes": data(media_type)}}}


def google(media_type):
    return {"inlineData": {"mimeType": media_type, "data": data(media_type)}}


def typed(text):
    return {"type": "text", "text": text}


def bare(text):
    return {"text": text}


FORMS = {  # wire: (a file's block, a text's, where turns stand, where a turn's content does)
    **dict.fromkeys(("openai", "sandbox"), (chat, typed, "messages", "content")),
    **dict.fromkeys(
        ("responses", "azure responses"),
        (response, lambda text: {"type": "input_text", "text": text}, "input", "content"),
    ),
    **dict.fromkeys(("anthropic", "claude"), (claude, typed, "messages", "content")),
    **dict.fromkeys(("converse", "nova"), (converse, bare, "messages", "content")),
    **dict.fromkeys(("gemini", "vertex"), (google, bare, "contents", "parts")),
}
CASES = [
    *((name, kind) for name in FORMS for kind in (PDF, PNG, JPEG)),
    *((name, kind) for name in ("azure", "azure dated") for kind in (PNG, JPEG)),
]
REFUSED = [
    *(("azure", PDF), ("azure dated", PDF)),
    *((name, kind) for name in ("llama", "mistral", "titan", "cohere", "r1", "chat") for kind in (PDF, PNG)),
]


def content(name, request):
    """Of the last turn."""
    *_, turns, inner = FORMS.get(name, FORMS["openai"])
    return json.loads(bytes(wire_named(name).body(request)))[turns][-1][inner]


@each_case(("name", "kind"), CASES)
def test_a_file_has_the_vendors_own_form_and_stands_before_the_text(name, kind):
    file, text, *_ = FORMS.get(name, FORMS["openai"])
    assert content(name, request_of(loaded(kind))) == [file(kind), text("Read it.")]


@each_case(("name", "kind"), CASES)
def test_a_blank_text_is_left_out_where_none_is_needed(name, kind):
    """All vendors refuse one; Bedrock wants some text beside a document."""
    file, text, *_ = FORMS.get(name, FORMS["openai"])
    beside = [text("The document is attached.")] if file is converse else []
    assert content(name, request_of(loaded(kind), text=" \n")) == [file(kind), *beside]


@each_case(("name", "kind"), REFUSED)
def test_what_a_wire_has_no_form_for_is_not_sent(name, kind):
    with pytest.raises(CallFailed) as failed:
        wire_named(name).body(request_of(loaded(kind)))
    assert (failed.value.kind, failed.value.sent, failed.value.fate_unknown) == (Kind.INVALID_REQUEST, False, False)


@each_case("name", sorted(FORMS))
def test_a_kind_of_file_that_nobody_takes_is_not_sent(name):
    if name in {"gemini", "vertex"}:
        return  # these take far more kinds than the others
    with pytest.raises(CallFailed, match="image/tiff cannot be sent"):
        wire_named(name).body(request_of(replace(loaded(PNG), media_type="image/tiff")))


def test_azure_says_what_takes_a_pdf():
    with pytest.raises(CallFailed, match=r"set model\.api = .responses., or documents\.read = .image."):
        wire("azure").body(request_of(loaded(PDF)))


@each_case("name", sorted(FORMS))
def test_a_file_that_nobody_has_read_is_not_sent(name):
    with pytest.raises(CallFailed, match="was not read") as failed:
        wire_named(name).body(request_of(part(PDF)))
    assert not failed.value.sent


@pytest.mark.parametrize("name", sorted(FORMS))
@given(text=st.text(st.sampled_from('\0"\\a\u00e9\ud83d\ude00 \n'), max_size=12))
def test_files_come_where_they_stand_whatever_the_text_beside_them_says(name, text):
    """A text with the mark of a gap in it moves nothing."""
    file, said, *_ = FORMS[name]
    request = request_of(loaded(PNG), TextPart(f"one{text}"), loaded(JPEG), text=f"two{text}")
    one, two = repaired(f"one{text}"), repaired(f"two{text}")
    assert content(name, request) == [file(PNG), said(one), file(JPEG), said(two)]


@each_case("name", sorted(FORMS))
def test_a_repair_sends_the_file_again(name):
    asked = request_of(loaded(PDF), loaded(PNG))
    repair = (*asked.turns, Turn("assistant", text_parts("no")), Turn("user", text_parts("Again.")))
    *_, turns, inner = FORMS[name]
    said = json.loads(bytes(wire_named(name).body(replace(asked, turns=repair))))[turns]
    assert [len(turn[inner]) for turn in said[-2:]] != [0, 0]
    assert said[-3][inner] == content(name, asked)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_large_body_holds_the_same_in_pieces(name):
    """And nothing of the file is copied into it."""
    file = loaded(PDF, b"\xfb\xff" * LARGE_BYTES)
    body = wire_named(name).body(request_of(file))
    assert isinstance(body, Pieces)
    assert len(bytes(body)) == len(body) == sum(map(len, body))
    assert max(map(len, body)) <= PIECE_BYTES
    assert any(piece.obj is file.base64 for piece in body)
    assert repr(body) == f"Pieces({len(body)} bytes)"
    json.loads(bytes(body))


def test_a_small_body_is_whole():
    body = wire("openai").body(request_of(loaded(PDF)))
    assert isinstance(body, bytes)
    assert len(body) < PIECEMEAL_BYTES
    assert upload_s(body) == 0


def test_what_has_left_is_let_go():
    told = []
    body = wire("openai").body(request_of(loaded(PDF, b"x" * LARGE_BYTES)))
    body.when_sent = lambda: told.append(len(body))
    body.sent()
    assert told == [len(body)]
    assert bytes(body) == b""


def test_an_upload_takes_two_megabytes_a_second():
    body = wire("openai").body(request_of(loaded(PDF, b"x" * 15_000_000)))
    assert 10 < upload_s(body) < 10.1


@pytest.mark.parametrize("name", ["converse", "nova", "claude"])
def test_a_large_body_is_signed_as_a_whole_one(name):
    """AWS's signature holds the hash of the body."""
    carrier, now = wire(name), datetime(2026, 11, 30, tzinfo=UTC)
    body = carrier.body(request_of(loaded(PDF, b"\xff" * LARGE_BYTES)))
    key = Secret("secret-key", "AKIA1234567890AB")
    assert carrier.headers(body, key, now) == carrier.headers(bytes(body), key, now)


@pytest.mark.parametrize("name", ["anthropic", "gemini", "vertex", "converse claude", "claude"])
def test_a_file_is_counted_where_the_provider_counts(name):
    counting = wire_named(name)
    assert counting.count_url
    counted = bytes(counting.count_body(request_of(loaded(PDF), loaded(PNG))))
    if name == "claude":
        counted = b64decode(json.loads(counted)["input"]["invokeModel"]["body"])
    json.loads(counted)
    assert data(PDF).encode() in counted
    assert data(PNG).encode() in counted


@pytest.mark.parametrize("name", ["converse", "nova"])
def test_no_two_documents_have_one_name(name):
    files = [
        loaded(PDF, name=said) for said in ("Rechnung_7.2026.pdf", "Rechnung 7 2026.pdf", "a  b", ".pdf", "\u5206")
    ]
    said = content(name, request_of(*files))
    names = [block["document"]["name"] for block in said if "document" in block]
    assert names == ["Rechnung 7 2026", "Rechnung 7 2026 (2)", "a b", "pdf", "document"]


@pytest.mark.parametrize("name", ["gemini", "vertex"])
def test_a_file_that_lies_at_google_is_named_by_its_address(name):
    address = {"vertex": "gs://bucket/a.pdf", "gemini": "https://generativelanguage.googleapis.com/v1beta/files/abc"}
    said = content(name, request_of(part(PDF, path=address[name])))
    assert said[0] == {"fileData": {"mimeType": PDF, "fileUri": address[name]}}


def test_a_model_that_knows_no_system_prompt_is_told_before_the_file():
    said = json.loads(bytes(wire_named("untaught").body(request_of(loaded(PNG), system="Be exact."))))
    parts = said["contents"][0]["parts"]
    assert "Be exact." in parts[0]["text"]
    assert parts[1:] == [google(PNG), bare("Read it.")]


@pytest.mark.parametrize("name", ["anthropic", "claude", "converse", "nova"])
def test_what_is_shared_is_marked_and_no_document(name):
    """Documents differ by row."""
    shared = (Turn("user", text_parts("one")), Turn("assistant", text_parts("{}")))
    asked = request_of(loaded(PDF))
    marked = wire_for(model(name, caching="on"), SHAPE, {})
    said = json.loads(bytes(marked.body(replace(asked, turns=(*shared, *asked.turns), shared_turns=2))))["messages"]
    assert "cache" not in json.dumps(said[2]).lower()
    assert ("cache" in json.dumps(said[1]).lower()) == (name != "nova")


def test_nothing_shows_the_bytes():
    assert "JVBERi" not in repr(request_of(loaded(PDF)))
    assert set(WIRES) >= {name for name, _ in CASES} - set(MORE)
