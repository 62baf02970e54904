"""The Responses wire: what it sends, recorded and made-up answers, streams, and rounds through the sandbox."""

import json

import pytest
from each_case import each_case
from openai_family import (
    DOCUMENT,
    MODES,
    RECORD,
    asked,
    error,
    made,
    model_of,
    outcome,
    over_http,
    replied,
    round_in_memory,
)
from places import RECORDINGS
from sandbox_client import SCHEMA, always
from streams import sse

from pipeline.errors import CallFailed, Kind
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.sdk import SdkTransport
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.wires.openai.azure import AzureResponses
from pipeline.sandbox.wires.openai.responses import Responses
from pipeline.types import PartialUsage, Stop, Usage, tenant_hash

HOST = "https://me.openai.azure.com"
OF = {
    "openai": (Responses(), {}),
    "azure": (AzureResponses(), {"provider": "azure", "base_url": HOST}),
    "azure dated": (AzureResponses(), {"provider": "azure", "base_url": HOST, "api_version": "2025-04-01-preview"}),
}


def model(where="openai", /, **changes):
    return model_of(**{"api": "responses", **OF[where][1], **changes})


WIRE = made(model())


def sent(mode="json_schema", *said, request=None, **settings):
    return json.loads(made(model("openai", **settings), mode).body(request or asked(*said)))


# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "changes", "url"),
    [
        ("openai", {}, "https://api.test/v1/responses"),
        ("openai", {"base_url": ""}, "https://api.openai.com/v1/responses"),
        ("openai", {"api": "auto", "name": "o3-pro", "base_url": ""}, "https://api.openai.com/v1/responses"),
        ("azure", {}, f"{HOST}/openai/v1/responses"),
        ("azure", {"api_version": "preview"}, f"{HOST}/openai/v1/responses?api-version=preview"),
        ("azure", {"api": "auto", "name": "gpt-5-pro"}, f"{HOST}/openai/v1/responses"),
        ("azure dated", {}, f"{HOST}/openai/responses?api-version=2025-04-01-preview"),
    ],
)
def test_where_to(name, changes, url):
    assert made(model(name, **changes)).url == url


def test_a_request():
    """The system prompt is an item too; nothing is kept there."""
    body = sent()
    schema = {"type": "json_schema", "name": "Thing", "strict": True, "schema": SCHEMA}
    assert body == {
        "model": "gpt-4o-mini",
        "store": False,
        "text": {"format": schema},
        "input": [{"role": "system", "content": "Read."}, {"role": "user", "content": DOCUMENT}],
        "max_output_tokens": 500,
    }


def test_each_mode_asks_in_its_own_way():
    tool = sent("tool")
    function = {"type": "function", "name": "Thing", "strict": True, "parameters": SCHEMA}
    assert (tool["tools"], tool["tool_choice"]) == ([function], {"type": "function", "name": "Thing"})
    assert (tool["parallel_tool_calls"], "text" in tool) == (False, False)
    words = sent("json_object")
    assert words["text"] == {"format": {"type": "json_object"}}
    assert json.dumps(SCHEMA, separators=(",", ":")) in words["input"][0]["content"]


@pytest.mark.parametrize("mode", MODES)
def test_free_text_asks_for_no_shape(mode):
    assert set(sent(mode, request=asked(free_text=True))) == {"model", "store", "input", "max_output_tokens"}


@pytest.mark.parametrize("mode", MODES)
def test_the_fixed_part_stands_first_and_is_the_same_for_all_rows(mode):
    wire = made(model(temperature=0.0), mode)
    one, two = wire.body(asked("first")), wire.body(asked("second", cap=17))
    assert one[: one.index(b"first")] == two[: two.index(b"second")]


@each_case(
    ("settings", "member"),
    [
        ({"temperature": 0.0}, {"temperature": 0.0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"stream": True}, {"stream": True}),
        ({"name": "gpt-5-mini", "reasoning": "low"}, {"reasoning": {"effort": "low"}}),
        ({"extra": {"truncation": "auto"}}, {"truncation": "auto"}),
        ({"extra": {"reasoning": {"summary": "auto"}}}, {"reasoning": {"summary": "auto"}}),
        (
            {"name": "gpt-5-mini", "reasoning": "low", "extra": {"reasoning": {"summary": "auto"}}},
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
    ],
)
@each_case("free_text", [False, True])
def test_only_what_is_set_is_sent(settings, member, free_text):
    """In the words of this API; each is one member more."""
    body, plain = (
        sent(request=asked(free_text=free_text), **{**changes, "name": settings.get("name", "gpt-4o")})
        for changes in (settings, {})
    )
    assert body == {**plain, **member}


def test_how_much_is_said_stands_beside_the_form():
    body = sent(extra={"verbosity": "low"})
    assert (body["text"]["verbosity"], body["text"]["format"]["name"]) == ("low", "Thing")
    assert sent("tool", extra={"verbosity": "low"})["text"] == {"verbosity": "low"}


def test_the_tenants_hash_goes_along_where_the_job_says_so():
    body = made(model(send_tenant=True)).body(asked(tenant="Acme"))
    assert body.count(b"safety_identifier") == 1
    assert json.loads(body)["safety_identifier"] == tenant_hash("Acme")
    assert "safety_identifier" not in sent(send_tenant=True)
    assert "safety_identifier" not in sent(request=asked(tenant="Acme"))


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

THOUGHT = {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
USED = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
}


def said(text, kind="output_text"):
    return {"type": "message", "role": "assistant", "content": [{"type": kind, kind.removeprefix("output_"): text}]}


def call(arguments, name="Thing"):
    return {"type": "function_call", "name": name, "arguments": arguments}


def body_of(*output, status="completed", reason=None, **more):
    incomplete = None if reason is None else {"reason": reason}
    told = {"id": "resp_1", "object": "response", "status": status, "error": None, "incomplete_details": incomplete}
    return {**told, "model": "m-1", "output": list(output), "service_tier": "flex", "usage": USED, **more}


def streamed(body, *between, wire=None):
    """The body as the last event of a stream."""
    assembler = (wire or made(model(stream=True))).stream()
    created = {"type": "response.created", "response": {**body, "status": "in_progress", "output": [], "usage": None}}
    for event in (created, *between, {"type": f"response.{body['status']}", "response": body}):
        assembler.feed(sse(event, event["type"]))
    return json.loads(assembler.finish(200, {}))


ANSWERS = [
    (body_of(THOUGHT, said('{"a":1}')), Stop.DONE, '{"a":1}', "completed"),
    (body_of(said('{"a"'), said(":1}")), Stop.DONE, '{"a":1}', "completed"),
    (body_of(THOUGHT, said("Well."), call('{"a":1}')), Stop.DONE, '{"a":1}', "completed"),
    (body_of(call("1", "other"), call('{"a":1}')), Stop.DONE, '{"a":1}', "completed"),
    (
        body_of({**said("First I look."), "phase": "commentary"}, {**said('{"a":1}'), "phase": "final_answer"}),
        Stop.DONE,
        '{"a":1}',
        "completed",
    ),
    (body_of({**said('{"a":1}'), "phase": "commentary"}), Stop.DONE, '{"a":1}', "completed"),
    (body_of({"type": "web_search_call", "status": "completed"}, said('{"a":1}')), Stop.DONE, '{"a":1}', "completed"),
    (body_of(said("No.", "refusal")), Stop.REFUSED, "No.", "completed"),
    (
        body_of(said('{"a"'), status="incomplete", reason="max_output_tokens"),
        Stop.TRUNCATED,
        '{"a"',
        "max_output_tokens",
    ),
    (body_of(THOUGHT, status="incomplete", reason="max_output_tokens"), Stop.TRUNCATED, "", "max_output_tokens"),
    (
        body_of(call('{"a"'), status="incomplete", reason="max_output_tokens"),
        Stop.TRUNCATED,
        '{"a"',
        "max_output_tokens",
    ),
    (body_of(said("x"), status="incomplete", reason="content_filter"), Stop.BLOCKED, "x", "content_filter"),
]


@each_case("stream", [False, True])
@each_case(("body", "stop", "text", "finish"), ANSWERS)
def test_answers(body, stop, text, finish, stream):
    reply = replied(WIRE, streamed(body) if stream else body)
    assert (reply.stop, reply.text, reply.finish_reason) == (stop, text, finish)
    assert reply.usage == Usage(10, 4, 2, 7, 3)
    assert (reply.model_version, reply.provider_request_id, reply.tier) == ("m-1", "resp_1", "flex")


@pytest.mark.parametrize(
    "body",
    [
        body_of(said('{"a":1}'), status="incomplete"),
        body_of(said('{"a":1}'), status="incomplete", reason="a new one"),
        body_of(said('{"a":1}'), status="in_progress"),
        body_of(said('{"a":1}'), status="cancelled"),
        body_of(said('{"a":1}'), status="failed"),
        body_of(THOUGHT),
        body_of(said("")),
        body_of(),
    ],
)
def test_what_is_not_whole_is_no_answer_but_has_a_price(body):
    failed = outcome(lambda: replied(WIRE, body))
    assert (failed.kind, failed.usage, failed.tier) == (Kind.NO_ANSWER, Usage(10, 4, 2, 7, 3), "flex")


@each_case(
    ("code", "kind"),
    [
        ("server_error", Kind.OVERLOADED),
        ("vector_store_timeout", Kind.OVERLOADED),
        ("rate_limit_exceeded", Kind.THROTTLED),
        ("insufficient_quota", Kind.QUOTA),
        ("invalid_prompt", Kind.BLOCKED),
        ("bio_policy", Kind.BLOCKED),
        ("misalignment_policy_violation", Kind.BLOCKED),
        ("context_length_exceeded", Kind.CONTEXT_EXCEEDED),
        ("data_residency_mismatch", Kind.INVALID_REQUEST),
        ("image_parse_error", Kind.INVALID_REQUEST),
        ("a_new_one", Kind.NO_ANSWER),
    ],
)
@each_case("stream", [False, True])
def test_a_failed_response_is_what_its_error_says(code, kind, stream):
    """Whole or streamed, with the status 200 that both have."""
    body = body_of(status="failed", usage=None)
    body |= {"error": {"code": code, "message": "It went wrong."}}
    failed = outcome(lambda: replied(WIRE, streamed(body) if stream else body))
    assert (failed.kind, failed.status, failed.model_version) == (kind, 200, "m-1")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "This model is only supported in v1/responses and not in v1/chat/completions."),
        (
            404,
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use",
        ),
    ],
)
def test_a_model_of_tomorrow_that_has_no_chat_completions_says_what_to_write(status, message):
    failed = outcome(
        lambda: replied(made(model_of(name="gpt-9-x")), error(message, kind="invalid_request_error"), status)
    )
    assert failed.kind is Kind.MODEL_UNAVAILABLE
    assert 'Set model.api = "responses"' in failed.message


def test_azure_says_it_in_other_words():
    words = "The chatCompletion operation does not work with the specified model, x. Please choose a different model"
    wire = made(model_of("azure", base_url=HOST))
    failed = outcome(lambda: replied(wire, error(words, "OperationNotSupported"), 400))
    assert failed.kind is Kind.MODEL_UNAVAILABLE
    assert 'Set model.api = "responses"' in failed.message


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DELTA = {"type": "response.output_text.delta", "output_index": 0, "delta": "{"}
ITEM = {"type": "response.output_item.done", "output_index": 0, "item": said('{"a":1}')}
DONE = b"data: [DONE]\n\n"


def fed(*events):
    """What becomes of a stream of these events, and whether a first token was seen."""
    wire = made(model(stream=True))
    assembler, first = wire.stream(), False
    for event in events:
        first = assembler.feed(event if isinstance(event, bytes) else sse(event, event["type"]))
    return outcome(lambda: replied(wire, assembler.finish(200, {}))), first


@pytest.mark.parametrize(
    "event",
    [
        DELTA,
        {"type": "response.refusal.delta", "delta": "N"},
        {"type": "response.function_call_arguments.delta", "delta": "{"},
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
    ],
)
def test_the_first_token_is_the_first_of_substance(event):
    silent = [{"type": "response.created", "response": {}}, {"type": "response.output_item.added", "item": {}}]
    assert (fed(*silent)[1], fed(*silent, event)[1]) == (False, True)


def test_an_end_without_its_output_has_the_items_that_were_done():
    """Some servers send them once only."""
    reply, _ = fed(ITEM, {"type": "response.completed", "response": body_of()})
    assert (reply.text, reply.stop, reply.usage.output_tokens) == ('{"a":1}', Stop.DONE, 7)
    cut = body_of(status="incomplete", reason="max_output_tokens")
    assert fed(ITEM, {"type": "response.incomplete", "response": cut})[0].stop is Stop.TRUNCATED


def test_a_stream_that_says_it_is_done_is_done():
    """Without its last event nobody has told its usage."""
    reply, _ = fed(DELTA, ITEM, DONE)
    assert (reply.text, reply.stop, reply.usage) == ('{"a":1}', Stop.DONE, PartialUsage())


@each_case(
    ("events", "kind"),
    [
        ([DELTA], Kind.CONNECTION),
        ([DELTA, ITEM], Kind.CONNECTION),  # there may be more of them
        ([], Kind.CONNECTION),
        ([DELTA, DONE], Kind.NO_ANSWER),
        ([{"type": "response.created", "response": body_of(status="in_progress", usage=None)}, DONE], Kind.NO_ANSWER),
        ([DELTA, {"type": "error", "code": "server_error", "message": "x"}], Kind.OVERLOADED),
        ([DELTA, {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "x"}}], Kind.THROTTLED),
        ([DELTA, b"event: response.completed\ndata: {\n\n"], Kind.DAMAGED),
        ([b"data: {\n\n", DELTA, {"type": "response.completed", "response": body_of(said("{}"))}], Kind.DAMAGED),
        ([sse(error("busy", "server_error"))], Kind.OVERLOADED),
    ],
)
def test_a_stream_that_goes_wrong(events, kind):
    assert fed(*events)[0].kind is kind


# ── recorded answers ────────────────────────────────────────────────────────────────────────────────────────────────

FOLDER = RECORDINGS / "openai"
recorded = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not part of this repository")


def recording(name):
    """(outcome, the recording) by the wire that the recorded request is of."""
    told = json.loads((FOLDER / f"{name}.json").read_text())
    headers = {key.lower(): value for key, value in told["headers"].items()}
    wire, data = made(model(stream=told["body_kind"] == "sse")), told["body"]
    if told["body_kind"] == "sse":
        assembler = wire.stream()
        assembler.feed(data.encode())
        data = assembler.finish(told["status"], headers)
    return outcome(lambda: replied(wire, data, told["status"], headers))


@recorded
@pytest.mark.parametrize(
    ("name", "stop", "usage", "version", "text"),
    [
        ("responses-structured", Stop.DONE, Usage(45, 0, 0, 752, 704), "gpt-5-nano-2025-08-07", '{"name":"John"'),
        ("responses-incomplete", Stop.TRUNCATED, Usage(1220, 0, 1217, 100, 54), "gpt-5.6-sol", "Good API design"),
        (
            "responses-stream-incomplete-max_output_tokens", Stop.TRUNCATED, PartialUsage(), "gpt-4o-2024-08-06",
            "In the bustling city",
        ),
    ],
)  # fmt: skip
def test_recorded_answers(name, stop, usage, version, text):
    reply = recording(name)
    assert (reply.stop, reply.usage, reply.model_version, reply.tier) == (stop, usage, version, "default")
    assert reply.text.startswith(text)
    assert reply.finish_reason == ("completed" if stop is Stop.DONE else "max_output_tokens")
    assert reply.provider_request_id


@recorded
def test_a_recorded_stream_that_failed_is_a_rate_limit():
    failed = recording("log-429-responses-stream-failed-event")
    assert (failed.kind, failed.status, failed.retry_after_s) == (Kind.THROTTLED, 200, 11.054)
    assert not failed.fate_unknown


@recorded
def test_a_recorded_request_that_was_too_long():
    failed = recording("err-400-context_length-responses")
    assert (failed.kind, failed.status) == (Kind.CONTEXT_EXCEEDED, 400)


# ── rounds through the sandbox ──────────────────────────────────────────────────────────────────────────────────────


@each_case("stream", [False, True])
@each_case("mode", MODES)
@each_case("name", OF)
def test_a_round_in_memory(name, mode, stream):
    wire = made(model(name, stream=stream), mode)
    question, reply = round_in_memory(wire, OF[name][0], asked(), stream=stream)
    assert (json.loads(reply.text), reply.stop) == (RECORD, Stop.DONE)
    assert (question.tool, question.cap_tokens) == ("Thing" if mode == "tool" else None, 500)
    assert reply.usage.input_tokens == question.prompt_tokens


def test_a_round_with_a_repair_and_one_in_free_words():
    question, _ = round_in_memory(WIRE, Responses(), asked(DOCUMENT, "{", "no JSON"), stream=False)
    assert question.errors == "no JSON"
    question, reply = round_in_memory(WIRE, Responses(), asked(free_text=True), stream=False)
    assert (question.schema, reply.text) == (None, DOCUMENT)


@pytest.mark.parametrize("transport", [None, SdkTransport])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", OF)
def test_a_call_over_http(name, stream, transport):
    answered, reply = over_http(model(name, stream=stream), transport=transport, requests_per_minute=100)
    assert json.loads(reply.text) == RECORD
    assert (answered.ttft_ms is not None) == stream
    assert {seen.limit for seen in reply.limits} >= {100}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.THROTTLED, Kind.THROTTLED),
        (Fault.SERVER_ERROR, Kind.OVERLOADED),
        (Fault.TIMEOUT, Kind.TIMEOUT),
        (Fault.DISCONNECT, Kind.CONNECTION),
        (Fault.REFUSED, Stop.REFUSED),
        (Fault.TRUNCATED, Stop.TRUNCATED),
    ],
)
@pytest.mark.parametrize("name", ["openai", "azure"])
def test_faults_over_http(name, fault, kind, stream):
    found = outcome(lambda: over_http(model(name, stream=stream), **always(fault)))
    assert (found.kind if isinstance(found, CallFailed) else found[1].stop) is kind


def test_a_bad_key_over_http():
    found = outcome(lambda: over_http(model(), secret=Secret("invalid")))
    assert found.kind is Kind.AUTH
