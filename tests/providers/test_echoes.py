"""Bytes of files in what servers say: gone in every spelling, and nothing else is."""

import json
from base64 import b64encode, encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spellings import SPELLINGS

from pipeline.providers.credentials.secret import Secret
from pipeline.providers.echoes import LEAST, TAKEN_OUT, unechoed, unechoed_body
from pipeline.providers.hints import shortened
from pipeline.providers.transport.connection import Raw
from pipeline.providers.transport.received import told

WRITTEN = {
    "plain": lambda data: b64encode(data).decode(),
    "data url": lambda data: f"data:application/pdf;base64,{b64encode(data).decode()}",
    "hex": lambda data: data.hex(),
    "slashes": lambda data: b64encode(data).decode().replace("/", "\\/"),
    "lines": lambda data: json.dumps(encodebytes(data).decode())[1:-1],
    "percent": lambda data: b64encode(data).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
    "escaped": lambda data: b64encode(data).decode().replace("+", "\\u002b").replace("=", "\\u003d"),
}
KINDS = sorted(WRITTEN)


@given(
    data=st.binary(min_size=LEAST, max_size=600),
    kind=st.sampled_from(KINDS),
    before=st.sampled_from(["", "bad value: ", '\\"', "\\u00e9", "\\n", "<"]),
    behind=st.sampled_from([" is no PDF", "\\n", "", ">", '\\"']),
)
def test_no_run_is_left_and_json_stays_json(data, kind, before, behind):
    body = f'{{"error":{{"message":"{before}{WRITTEN[kind](data)}{behind}"}}}}'.encode()
    left = unechoed_body(body)
    json.loads(left)
    assert TAKEN_OUT.encode() in left
    assert len(left) < 150


@given(st.text(max_size=300), st.integers(0, 3))
def test_what_is_taken_out_of_any_json_leaves_json(text, times):
    body = json.dumps({"message": text * (1 + 40 * times)}, ensure_ascii=bool(times % 2)).encode()
    json.loads(unechoed_body(body))


@pytest.mark.parametrize(
    "text",
    [
        "The model `gpt-4o` does not exist or you do not have access to it. " * 8,
        "messages.0.content.0.pdf.source.base64.data: Could not process PDF",
        "req_011CVKWY6Ue1FZoyBfkgAqyc",
        "a\nb\nc\n" * 100,
        "sha256 " + "0f" * 32 + " is not it",
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" * 9,
        "",
    ],
)
def test_words_stay_as_they_are(text):
    assert unechoed(text) == text
    assert unechoed_body(text.encode()) == text.encode()


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_a_message_is_cut_where_it_may_and_holds_no_run(before, size):
    """The window that a message is cut by may end within a run."""
    run = b64encode(b"\xfb\xff\x00" * 1500).decode()
    text = shortened(f"{'word ' * (before // 5)}{run[:size]} and then {run}")
    assert len(text) <= 500
    assert "+/8A" * (LEAST // 4) not in text


def test_an_answer_is_the_models_own_and_stays():
    body = json.dumps({"choices": [{"message": {"content": "A" * 500}}]}).encode()
    assert told(Raw(200, {}, body), {}, Secret("sk-abcdefgh"), None).body == body


def test_an_error_is_cleared_with_its_headers():
    run = b64encode(b"%PDF" * 100)
    found = told(Raw(400, {"x-echo": run.decode()}, b'{"a": "' + run + b'"}'), {}, Secret("sk-abcdefgh"), None)
    assert (found.headers, found.body) == ({"x-echo": TAKEN_OUT}, b'{"a": "[bytes of a file]"}')


def test_the_spellings_of_secrets_are_those_of_files_too():
    run = b64encode(b"\xfb\xef" * 300).decode()
    for name, spelled in SPELLINGS.items():
        assert unechoed(f"a {spelled(run)} b").endswith(f" {TAKEN_OUT} b"), name
