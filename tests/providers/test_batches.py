"""What holds for every provider's batch API."""

import json
from importlib import import_module

import pytest
from batch_lines import made

from pipeline.catalog.providers import ENTRIES
from pipeline.job.settings import Batch, Model
from pipeline.parts import LoadedPart, text_parts
from pipeline.providers import wire_for
from pipeline.providers.batches import BatchWire, batch_wire_for, line_model
from pipeline.providers.files import PIECEMEAL_BYTES, Pieces
from pipeline.types import AnswerShape, Purpose, Request, Turn

BATCHED = [entry.name for entry in ENTRIES if entry.batch_wire]
METHODS = [name for name in vars(BatchWire) if not name.startswith("_") and callable(getattr(BatchWire, name))]
SETTINGS = {"base_url": "https://h.test/v1", "region": "us-east-1", "project": "p", "max_output_tokens": 9}
NAMES = {"bedrock": "anthropic.claude-haiku-4-5-20251001-v1:0"}
HERE = Batch(
    deployment="mine", role_arn="arn:aws:iam::123456789012:role/b", s3_url="s3://mine/in", gcs_url="gs://mine/in"
)
each = pytest.mark.parametrize("provider", BATCHED)


def model(provider, **changes):
    return Model(**{"provider": provider, "name": NAMES.get(provider, "some-model"), **SETTINGS, **changes})


def test_who_has_one():
    assert BATCHED == ["openai", "azure", "anthropic", "bedrock", "gemini", "vertex", "sandbox"]


def test_who_has_none():
    chosen = model("instructor:mistral")
    wire = wire_for(chosen, AnswerShape("Thing", "tool", {"type": "object", "properties": {}}, strict=False), {})
    assert batch_wire_for(chosen, wire, Batch(), {}) is None


@each
def test_it_has_all_that_is_asked_of_one_and_a_price(provider):
    entry = next(entry for entry in ENTRIES if entry.name == provider)
    module, _, name = entry.batch_wire.partition(":")
    kind = getattr(import_module(module), name)
    assert [method for method in METHODS if not callable(getattr(kind, method, None))] == []
    assert kind.limits.rows >= 50_000
    assert kind.limits.least_rows == entry.batch_least
    assert entry.batch is not None or not entry.needs_key


@each
def test_files_of_a_request_stand_in_its_line(provider):
    """A large body, which is sent in pieces else, is one line."""
    live, wire = made(model(provider), batch=HERE, schema={"type": "object", "properties": {"a": {}}})
    base64 = b"QUJD" * PIECEMEAL_BYTES
    part = LoadedPart("image/png", "d1", "page.png", 1500, base64=base64)
    request = Request(b"k", 0, "r", 0, Purpose.EXTRACT, "", (Turn("user", (*text_parts("a bill"), part)),), 9, 5, 100)
    body = live.body(request)
    assert isinstance(body, Pieces)
    line = wire.line("n-1", body)
    assert base64 in line
    assert b"\n" not in line
    assert json.loads(line)


@each
def test_what_the_environment_says_counts(provider):
    """And what is said of the address when it is made goes before both."""
    chosen = line_model(model(provider, base_url=""))
    shape = AnswerShape("Thing", "json_object", {"type": "object", "properties": {}}, strict=False)
    environ = {"AZURE_OPENAI_ENDPOINT": "https://env.test"}
    wire = wire_for(chosen, shape, environ, "https://given.test/v1")
    asked = batch_wire_for(chosen, wire, HERE, environ, "https://given.test/v1")
    assert asked.listing().url.startswith("https://given.test/")
    if provider == "azure":
        asked = batch_wire_for(chosen, wire_for(chosen, shape, environ), HERE, environ)
        assert asked.look("b").url.startswith("https://env.test/openai/v1/batches")


@each
def test_only_those_that_keep_our_name_are_sent_it(provider):
    _, wire = made(model(provider), batch=HERE, schema={"type": "object", "properties": {"a": {}}})
    assert (b"n0nce" in wire.create("n0nce", "files/f").head) is wire.limits.keeps_nonce


@pytest.mark.parametrize(
    ("provider", "line"),
    [
        ("openai", {"custom_id": "n-1", "response": {"status_code": 200, "body": {"id": "x"}}}),
        ("azure", {"custom_id": "n-1", "response": {"status_code": 200, "body": {"id": "x"}}}),
        ("anthropic", {"custom_id": "n-1", "result": {"type": "expired"}}),
        ("gemini", {"key": "n-1", "response": {"candidates": []}}),
        ("bedrock", {"recordId": "n-1", "modelOutput": {"id": "x"}}),
        ("vertex", {"request": {"labels": {"pipeline-line": "n-1"}}, "response": {"candidates": []}, "status": ""}),
    ],
)
@pytest.mark.parametrize(("before", "behind"), [(b"", b"\n"), (b"\xef\xbb\xbf", b""), (b" ", b"\r\n")])
def test_what_may_stand_around_a_line(provider, line, before, behind):
    """A line that was paid for is not lost for it."""
    schema = {"type": "object", "properties": {"a": {}}}
    _, wire = made(model(provider), batch=HERE, schema=schema)
    assert wire.read(before + json.dumps(line).encode() + behind).name == "n-1"
