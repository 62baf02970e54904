"""The sandbox as Bedrock: signatures verified, strict on the way in, spoken to by our own wires and by AWS's SDK."""

import asyncio
import base64
import json
import os
from datetime import UTC, datetime, timedelta
from itertools import product

import orjson
import pytest
from bedrock_wires import HAIKU, MODES, NOVA, REPAIR, anything, made, mutated, request
from each_case import each_case
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_client import SCHEMA, STUB, always, client_of, nested

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Limits, Model, Sandbox
from pipeline.parts import text_parts
from pipeline.providers.bedrock.converse import ConverseWire
from pipeline.providers.bedrock.eventstream import Decoder
from pipeline.providers.bedrock.invoke import InvokeWire
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.http import HttpTransport
from pipeline.sandbox.exchange import Answer, Ending, Question, Received, Refused, Stamp, tokens_of
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.quota import Denial
from pipeline.sandbox.wires.bedrock import sigv4
from pipeline.sandbox.wires.bedrock.invoke import Invoke
from pipeline.sandbox.wires.bedrock.schemas import problem
from pipeline.sandbox.wires.bedrock.wire import Converse
from pipeline.types import Answer as ModelAnswer
from pipeline.types import AnswerShape, HttpAnswer, Stop, Turn, Usage

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY = Secret("sandbox-secret", "AKIASANDBOX1")
TEMPORARY = Secret("sandbox-secret", "ASIASANDBOX1", "a token")
OPUS, ARN = "us.anthropic.claude-opus-5-5", f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{HAIKU}"
PAIRS = {
    "converse-claude": (ConverseWire, HAIKU),
    "converse-nova": (ConverseWire, NOVA),
    "converse-unforced": (ConverseWire, OPUS),
    "converse-arn": (ConverseWire, ARN),
    "converse-mistral": (ConverseWire, "mistral.mistral-large-2407-v1:0"),
    "invoke-claude": (InvokeWire, HAIKU),
    "invoke-nova": (InvokeWire, NOVA),
}
LONG = "x" * 500


UNENFORCED = {"converse-nova", "converse-unforced", "converse-mistral"}  # they take no output format


def cells(pairs):
    return [
        pytest.param(pair, mode, stream, id=f"{pair}-{mode}-{'stream' if stream else 'whole'}")
        for pair, mode, stream in product(pairs, MODES, (False, True))
        if mode != "json_schema" or pair not in UNENFORCED
    ]


MATRIX = cells(PAIRS)


def asking(text="a document", **changes):
    return request("Read.", [Turn("user", text_parts(text))], max_output_tokens=1000, **changes)


def wire(pair, mode="json_schema", base_url="http://sandbox", *, stream=False):
    kind, name = PAIRS[pair]
    model = {"provider": "bedrock", "name": name, "max_output_tokens": 1000, "region": "us-east-1"}
    return kind(Model(**model, base_url=base_url, stream=stream), AnswerShape("Thing", mode, SCHEMA, strict=True))


def sandbox_of(ours):
    return (Converse if isinstance(ours, ConverseWire) else Invoke)(lambda: NOW)


def received(ours, body, secret=KEY, now=NOW):
    """What a server sees of a call by our wire."""
    url = ours.count_url if body.startswith(b'{"input"') else ours.url
    headers = {name.lower(): value for name, value in ours.headers(body, secret, now).items()}
    path = url.removeprefix("http://sandbox")
    return Received("POST", path, "", {**headers, "host": "sandbox"}, body)


def answered(ours, asked, text=None, ending=Ending.DONE):
    """Our wire's question, the sandbox's answer to it, and our wire's reading of that; no network."""
    theirs, call = sandbox_of(ours), received(ours, ours.body(asked))
    theirs.authorise(call)
    question = theirs.parse(call)
    if text is None:
        schema = question.schema
        record = STUB.extract(question.document, schema) if schema else None
        record = STUB.repair(question.document, schema, question.errors) if question.errors else record
        text = json.dumps(record, separators=(",", ":")) if schema else question.document
    answer = Answer("7", text, ending, question.prompt_tokens, tokens_of(text), 0)
    headers = theirs.headers(Stamp("req_7"))
    if not question.stream:
        return ours.reply(HttpAnswer(200, headers, theirs.whole(question, answer)))
    assembler = ours.stream()
    flags = [assembler.feed(event) for event in theirs.events(question, answer)]
    assert (flags[0], flags[-1]) == (False, True)
    return ours.reply(HttpAnswer(200, headers, assembler.finish(200, headers)))


@each_case(("pair", "mode", "stream"), MATRIX)
def test_each_way_of_asking_is_answered(pair, mode, stream):
    """A document and a repair come back as records, free text as text; usage and request id with them."""
    ours = wire(pair, mode, stream=stream)
    reply = answered(ours, asking(LONG))
    assert json.loads(reply.text) == {"name": LONG, "note": None}
    assert reply.stop is Stop.DONE
    assert reply.finish_reason in {"end_turn", "tool_use"}
    assert reply.model_version == ("sandbox-rules-1" if pair == "invoke-claude" else None)
    assert len(reply.provider_request_id) == 36
    assert reply.usage.output_tokens == tokens_of(reply.text)
    assert reply.usage.input_tokens > tokens_of(LONG)
    assert json.loads(answered(ours, request("Read.", REPAIR)).text) == {"name": "a document", "note": "no JSON"}
    free = answered(ours, asking(LONG, free_text=True))
    assert (free.text, free.finish_reason) == (LONG, "end_turn")


@each_case(("pair", "mode", "stream"), MATRIX)
def test_each_ending_is_read_as_it_was_meant(pair, mode, stream):
    """Cut off, declined, and an answer that fits no schema, in every mode; both ways of reading agree."""
    ours = wire(pair, mode, stream=stream)
    cut = answered(ours, asking(), '{"name":"a do', Ending.TRUNCATED)
    assert (cut.stop, cut.finish_reason) == (Stop.TRUNCATED, "max_tokens")
    assert cut.text in {'{"name":"a do', "{}"}
    refused = answered(ours, asking(), "No.", Ending.REFUSED)
    assert (refused.stop, refused.finish_reason, refused.text) == (Stop.REFUSED, "refusal", "No.")
    assert answered(ours, asking(), '{"name": 7,').text == '{"name": 7,'
    assert answered(ours, asking(), "It says x.").text == "It says x."


def shapes(pair, mode, *, stream):
    """The sandbox's answer to a document, raw: a body, or events by name."""
    ours = wire(pair, mode, stream=stream)
    theirs = sandbox_of(ours)
    question = theirs.parse(received(ours, ours.body(asking())))
    answer = Answer("7", '{"name":"x","note":null}', Ending.DONE, 30, 6, 0)
    if not stream:
        return json.loads(theirs.whole(question, answer))
    decoder, found = Decoder(), []
    for event in theirs.events(question, answer):
        (one,) = decoder.feed(event)
        assert (one.header(":message-type"), one.header(":content-type")) == ("event", "application/json")
        data = {name: value for name, value in json.loads(one.payload).items() if name != "p"}
        data = json.loads(base64.b64decode(data["bytes"])) if one.header(":event-type") == "chunk" else data
        found.append((one.header(":event-type"), data))
    return found


TEXT, RECORD = '{"name":"x","note":null}', {"name": "x", "note": None}
TOLD = {"inputTokens": 30, "outputTokens": 6, "totalTokens": 36, "serverToolUsage": {}}
CACHE = dict.fromkeys(("cacheReadInputTokens", "cacheReadInputTokenCount"), 0)
CACHE |= dict.fromkeys(("cacheWriteInputTokens", "cacheWriteInputTokenCount"), 0)
SPENT = {"input_tokens": 30, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 6}
METERED = {"inputTokenCount": 30, "outputTokenCount": 6, "invocationLatency": 1, "firstByteLatency": 1}


def test_converse_answers_in_its_own_shape():
    """As recorded: Claude's usage with each cache figure twice, a call's parts in their own events."""
    call = {"toolUse": {"input": RECORD, "name": "Thing", "toolUseId": "tooluse_7"}}
    assert shapes("converse-claude", "tool", stream=False) == {
        "metrics": {"latencyMs": 1},
        "output": {"message": {"role": "assistant", "content": [call]}},
        "stopReason": "tool_use",
        "usage": {**CACHE, **TOLD},
    }
    start = {"toolUse": {"name": "Thing", "toolUseId": "tooluse_7"}}
    assert shapes("converse-nova", "tool", stream=True) == [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockStart", {"contentBlockIndex": 0, "start": start}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": TEXT}}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "tool_use"}),
        ("metadata", {"metrics": {"latencyMs": 1}, "usage": TOLD}),
    ]


def test_claude_and_nova_answer_in_their_own_shapes():
    """As their makers have it, with Bedrock's metrics on the last chunk."""
    message = {"id": "msg_bdrk_7", "type": "message", "role": "assistant", "model": "sandbox-rules-1"}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    block = {"type": "text", "text": TEXT}
    assert shapes("invoke-claude", "json_schema", stream=False) == {
        **message, **ended, "content": [block], "usage": SPENT
    }  # fmt: skip
    begun = {**message, **ended, "stop_reason": None, "content": [], "usage": {**SPENT, "output_tokens": 1}}
    metrics = {"amazon-bedrock-invocationMetrics": METERED}
    assert [data for _, data in shapes("invoke-claude", "json_schema", stream=True)] == [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 6}},
        {"type": "message_stop", **metrics},
    ]
    assert set(shapes("invoke-nova", "tool", stream=False)) == {"output", "stopReason", "usage"}
    chunks = [data for _, data in shapes("invoke-nova", "tool", stream=True)]
    assert [next(iter(data)) for data in chunks[:2]] == ["messageStart", "contentBlockStart"]
    assert chunks[-1] == {"metadata": {"metrics": {"latencyMs": 1}, "usage": TOLD}, **metrics}


async def over_http(config, ours_of, asked, limits=None):
    """What our transport brings back for each request: a Reply, or the CallFailed."""
    async with client_of(Sandbox(**config)) as client:
        ours = ours_of(client.url)
        transport = HttpTransport(limits or Limits(), FixedKey(TEMPORARY), stream="stream" in ours.url)
        try:
            return [await sent(transport, ours, one) for one in asked], await client.counters()
        finally:
            await transport.aclose()


async def sent(transport, ours, asked):
    try:
        answer = await transport.send(ours, asked)
        return ours.reply(answer), answer
    except CallFailed as failure:
        return failure, None


def exchanged(pair, mode, stream, *asked, limits=None, **config):
    made = over_http(config, lambda url: wire(pair, mode, url, stream=stream), asked or [asking()], limits)
    return asyncio.run(made)


@pytest.mark.parametrize(("pair", "mode", "stream"), MATRIX)
def test_over_http_a_signed_question_is_answered(pair, mode, stream):
    """The same over a real connection with a real signature, and the books of both sides agree."""
    ((reply, answer),), counters = exchanged(pair, mode, stream, asking("a dócument"))
    assert json.loads(reply.text) == {"name": "a dócument", "note": None}
    assert (reply.stop, reply.retry_after_s, reply.limits) == (Stop.DONE, None, ())
    assert reply.usage == Usage(counters["billed_prompt_tokens"], 0, 0, counters["billed_completion_tokens"], 0)
    assert (answer.ttft_ms is not None) == stream
    assert reply.provider_request_id == answer.headers["x-amzn-requestid"]


FAULTS = {
    Fault.THROTTLED: Kind.THROTTLED,
    Fault.SERVER_ERROR: Kind.OVERLOADED,
    Fault.DISCONNECT: Kind.CONNECTION,
    Fault.TIMEOUT: Kind.TIMEOUT,
    Fault.TRUNCATED: Stop.TRUNCATED,
    Fault.REFUSED: Stop.REFUSED,
    Fault.INVALID_OUTPUT: Stop.DONE,
}


@pytest.mark.parametrize(("pair", "mode", "stream"), cells(["converse-claude", "invoke-claude", "invoke-nova"]))
@pytest.mark.parametrize("fault", FAULTS)
def test_over_http_every_fault_arrives_as_what_it_is(fault, pair, mode, stream):
    """Each fault has its kind or its ending, and never another's; the service never says how long to wait."""
    limits = Limits(timeout_s=0.2 if fault is Fault.TIMEOUT else 20)
    asked = map(asking, "abcd"[: 1 if fault is Fault.TIMEOUT else 4])
    results, _ = exchanged(pair, mode, stream, *asked, limits=limits, **always(fault))
    for got, _answer in results:
        assert (got.stop if isinstance(got, ModelAnswer) else got.kind) is FAULTS[fault]
        assert got.retry_after_s is None
        if isinstance(got, ModelAnswer):
            assert got.usage.input_tokens > 0
        elif fault is Fault.SERVER_ERROR:
            assert got.status in {500, 503}


def test_over_http_an_empty_bucket_names_its_lane():
    """A 429 for requests and one for tokens, without a hint; what no bucket can hold is too long."""
    (_, (second, _)), _ = exchanged("converse-claude", "tool", False, asking("a"), asking("b"), requests_per_minute=1)
    assert (second.kind, second.status) == (Kind.THROTTLED, 429)
    assert "Too many requests" in second.message
    (_, (second, _)), _ = exchanged("invoke-nova", "tool", False, asking("a"), asking("b"), tokens_per_minute=1100)
    assert "Too many tokens" in second.message
    ((never, _),), _ = exchanged("converse-claude", "tool", False, tokens_per_minute=500)
    assert never.kind is Kind.CONTEXT_EXCEEDED


@pytest.mark.parametrize("pair", ["converse-claude", "invoke-claude"])
def test_over_http_a_request_is_counted_for_free(pair):
    """What counting says is what the answer is billed, and counting bills nothing; its path is signed, too."""

    async def main():
        async with client_of(Sandbox()) as client:
            ours = wire(pair, "tool", client.url)
            transport = HttpTransport(Limits(), FixedKey(KEY), stream=False)
            try:
                body = ours.count_body(asking(LONG))
                headers = ours.headers(body, KEY, datetime.now(UTC))
                answer = await transport.post(ours.count_url, body, headers, KEY, ours)
                assert (await client.counters())["answered"] == 0
                reply = ours.reply(await transport.send(ours, asking(LONG)))
                return ours.counted(answer), reply.usage.input_tokens
            finally:
                await transport.aclose()

    counted, billed = asyncio.run(main())
    assert counted == billed > tokens_of(LONG)


def test_over_http_a_bad_key_and_a_missing_model_are_named():
    """As our wire reads them: the run parks."""

    async def main():
        async with client_of(Sandbox()) as client:
            found = []
            wrong = Secret("wrong", "AKIASANDBOX")
            wrong = Secret("wrong", "AKIASANDBOX")
            for secret, name in ((wrong, HAIKU), (Secret("invalid"), HAIKU), (KEY, "missing-model")):
                ours = made(ConverseWire, name=name, base_url=client.url)
                transport = HttpTransport(Limits(), FixedKey(secret), stream=False)
                found.append((await sent(transport, ours, asking()))[0])
                await transport.aclose()
            return found

    wrong, invalid, missing = asyncio.run(main())
    assert (wrong.kind, wrong.status) == (Kind.AUTH, 403)
    assert "signature we calculated does not match" in wrong.message
    assert (invalid.kind, invalid.status) == (Kind.AUTH, 403)
    assert (missing.kind, missing.status) == (Kind.MODEL_UNAVAILABLE, 400)


def test_awss_own_sdk_speaks_with_the_sandbox(monkeypatch):
    """It signs, we verify; it parses what we answer, at once and as events, and raises what we refuse."""
    session = pytest.importorskip("aiobotocore.session", reason="AWS's SDK is an extra").get_session()
    from botocore.config import Config
    from botocore.exceptions import ClientError

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    messages = [{"role": "user", "content": [{"text": "a document"}]}]
    spec = {"name": "Thing", "inputSchema": {"json": SCHEMA}}
    tools = {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": "Thing"}}}
    body = json.dumps(own(messages=[{"role": "user", "content": "words"}]))

    keys = {"aws_access_key_id": "ASIASANDBOX9", "aws_secret_access_key": "sandbox-secret", "aws_session_token": "t"}
    once = {"region_name": "eu-west-1", "config": Config(retries={"total_max_attempts": 1}), **keys}

    async def main():
        async with (
            client_of(Sandbox()) as client,
            session.create_client("bedrock-runtime", endpoint_url=client.url, **once) as aws,
        ):
            told = await aws.converse(modelId=ARN, messages=messages, toolConfig=tools)
            assert told["output"]["message"]["content"][0]["toolUse"]["input"] == {"name": "a document", "note": None}
            assert told["usage"]["inputTokens"] > 0
            stream = await aws.converse_stream(modelId=NOVA, messages=messages, inferenceConfig={"maxTokens": 99})
            events = [event async for event in stream["stream"]]
            said = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
            assert ("".join(said), "usage" in events[-1]["metadata"]) == ("a document", True)
            answer = json.loads(await (await aws.invoke_model(modelId=HAIKU, body=body))["body"].read())
            assert answer["content"] == [{"type": "text", "text": "words"}]
            chunks = (await aws.invoke_model_with_response_stream(modelId=HAIKU, body=body))["body"]
            kinds = [json.loads(event["chunk"]["bytes"])["type"] async for event in chunks]
            assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
            bare = HAIKU.removeprefix("us.")
            counted = await aws.count_tokens(modelId=bare, input={"converse": {"messages": messages}})
            assert counted["inputTokens"] > 0
            with pytest.raises(ClientError, match="model identifier is invalid"):
                await aws.converse(modelId="missing-model", messages=messages)

    asyncio.run(main())


# Keys and signatures


def judged(call, now=NOW):
    found = sigv4.problem(call, now)
    return (found.status, found.code) if found else None


def changed(call, **changes):
    """The call with other parts; headers by name, None to leave one out."""
    headers = {name.replace("_", "-"): value for name, value in changes.pop("headers", {}).items()}
    kept = {name: value for name, value in {**call.headers, **headers}.items() if value is not None}
    parts = {"method": call.method, "path": call.path, "query": call.query, "headers": kept, "body": call.body}
    return Received(**{**parts, **changes})


OURS = wire("converse-claude")
GOOD = received(OURS, b"{}", TEMPORARY)
MISMATCH, UNKNOWN = (403, "InvalidSignatureException"), (403, "UnrecognizedClientException")
INCOMPLETE = (403, "IncompleteSignatureException")
SIGNED = GOOD.headers["authorization"]


@each_case(
    ("call", "code"),
    [
        (GOOD, None),
        (received(OURS, b"{}", KEY), None),
        (changed(GOOD, body=b"{ }"), MISMATCH),
        (changed(GOOD, path=GOOD.path + "-stream"), MISMATCH),
        (changed(GOOD, path=GOOD.path.replace(":", "%3A")), MISMATCH),
        (changed(GOOD, method="PUT"), MISMATCH),
        (changed(GOOD, query="a=b"), MISMATCH),
        (changed(GOOD, headers={"host": "other"}), MISMATCH),
        (changed(GOOD, headers={"content_type": None}), MISMATCH),
        (changed(GOOD, headers={"x_amz_content_sha256": "0" * 64}), MISMATCH),
        (changed(GOOD, headers={"user_agent": "whoever"}), None),
        (received(OURS, b"{}", Secret("wrong", "AKIASANDBOX")), MISMATCH),
        (received(OURS, b"{}", Secret("sandbox-secret", "AKIAOTHER")), UNKNOWN),
        (received(OURS, b"{}", Secret("sandbox-secret", "ASIASANDBOX")), UNKNOWN),
        (received(OURS, b"{}", Secret("sandbox-secret", "ASIASANDBOX", "expired")), (403, "ExpiredTokenException")),
        (received(OURS, b"{}", KEY, NOW - timedelta(minutes=20)), MISMATCH),
        (received(OURS, b"{}", KEY, NOW + timedelta(minutes=20)), MISMATCH),
        (received(OURS, b"{}", KEY, NOW - timedelta(minutes=10)), None),
        (changed(GOOD, headers={"x_amz_date": None}), INCOMPLETE),
        (changed(GOOD, headers={"x_amz_date": "20261125T115500Z"}), MISMATCH),
        (changed(GOOD, headers={"authorization": SIGNED.replace("20261125/", "20261124/")}), MISMATCH),
        (changed(GOOD, headers={"authorization": SIGNED.replace("/bedrock/", "/s3/")}), MISMATCH),
        (changed(GOOD, headers={"authorization": SIGNED.replace("us-east-1", "us-west-2")}), MISMATCH),
        (changed(GOOD, headers={"authorization": SIGNED.replace("us-east-1", "mars")}), MISMATCH),
        (changed(GOOD, headers={"authorization": SIGNED.replace(";x-amz-security-token", "")}), MISMATCH),
        (changed(GOOD, headers={"authorization": SIGNED.partition(", Signature")[0]}), INCOMPLETE),
        (changed(GOOD, headers={"authorization": "AWS4-HMAC-SHA256 nonsense"}), INCOMPLETE),
        (changed(GOOD, headers={"authorization": SIGNED.replace("aws4_request", "aws4")}), INCOMPLETE),
    ],
)
def test_a_signature_is_good_for_one_request_only(call, code):
    """What was signed may not be changed; what was not, may. Keys, dates and scopes that cannot be are refused."""
    assert judged(call) == code


@given(
    st.text(max_size=80), st.dictionaries(st.sampled_from(["host", "x-amz-date", "x-amz-security-token"]), st.text())
)
@settings(max_examples=40)
def test_any_authorization_is_judged(text, headers):
    """Nothing raises, and nothing passes."""
    assert judged(changed(GOOD, headers={**headers, "authorization": f"AWS4-HMAC-SHA256 {text}"})) is not None


@pytest.mark.parametrize(
    ("authorization", "code"),
    [("Bearer any", None), ("bearer any", None), ("Bearer invalid", "AccessDeniedException"),
     ("Bearer ", "MissingAuthenticationTokenException"), ("Basic eA==", "MissingAuthenticationTokenException"),
     (None, "MissingAuthenticationTokenException"), (SIGNED, None),
     ("AWS4-HMAC-SHA256 x", "IncompleteSignatureException")],
)  # fmt: skip
def test_a_key_or_a_signature_lets_in(authorization, code):
    """And nothing else, with the exception's name in a header."""
    call = changed(GOOD, headers={"authorization": authorization})
    for theirs in (Converse(lambda: NOW), Invoke(lambda: NOW)):
        if code is None:
            theirs.authorise(call)
            continue
        with pytest.raises(Refused) as refused:
            theirs.authorise(call)
        assert refused.value.status == 403
        assert refused.value.headers["x-amzn-errortype"].startswith(code + ":")
        assert json.loads(refused.value.body)["message"]


# What is refused


def parsed(body, path=None, model=HAIKU):
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    theirs = Invoke() if path in {"invoke", "invoke-with-response-stream"} else Converse()
    return theirs.parse(Received("POST", f"/model/{model}/{path or 'converse'}", "", {}, data))


def ask(**changes):
    """A Converse body; a part of ... is left out."""
    body = {"messages": [USER], "inferenceConfig": {"maxTokens": 1000}, **changes}
    return {key: value for key, value in body.items() if value is not ...}


def own(**changes):
    """Claude's own body."""
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "messages": [SAID], **changes}
    return {key: value for key, value in body.items() if value is not ...}


def text_format(schema, **changes):
    inner = {"schema": schema if isinstance(schema, str) else json.dumps(schema), "name": "Thing"}
    return ask(outputConfig={"textFormat": {"type": "json_schema", "structure": {"jsonSchema": inner}, **changes}})


def tools(choice=None, **changes):
    spec = {"name": "Thing", "inputSchema": {"json": SCHEMA}, **changes}
    return ask(toolConfig={"tools": [{"toolSpec": spec}], **({} if choice is None else {"toolChoice": choice})})


USER, SAID = {"role": "user", "content": [{"text": "a document"}]}, {"role": "user", "content": "a document"}
ROBOT = {"role": "assistant", "content": [{"text": "x"}]}
TOOL = {"name": "Thing", "input_schema": SCHEMA}
REFUSALS = {
    "no json": (b"{", "not a JSON object"),
    "no object": ([], "not a JSON object"),
    "unknown parameter": (ask(stream=True), "extraneous key [stream]"),
    "no messages": (ask(messages=...), "messages field is required"),
    "empty messages": (ask(messages=[]), "at least one message"),
    "message no object": (ask(messages=["x"]), "expected type: JSONObject"),
    "message with more": (ask(messages=[{**USER, "name": "x"}]), "extraneous key [name]"),
    "unknown role": (ask(messages=[{"role": "system", "content": USER["content"]}]), "enum value set"),
    "assistant first": (ask(messages=[ROBOT, USER]), "must start with a user message"),
    "no alternation": (ask(messages=[USER, USER]), "roles must alternate"),
    "prefill": (ask(messages=[USER, ROBOT]), "prefill"),
    "content a string": (ask(messages=[SAID]), "content field"),
    "no content": (ask(messages=[{"role": "user", "content": []}]), "is empty"),
    "blank text": (ask(messages=[{"role": "user", "content": [{"text": " \n"}]}]), "messages.0.content.0 is blank"),
    "picture": (ask(messages=[{"role": "user", "content": [{"image": {}}]}]), "reads bytes only"),
    "blank system": (ask(system=[{"text": ""}]), "is blank"),
    "inference no object": (ask(inferenceConfig=[]), "#/inferenceConfig"),
    "inference with more": (ask(inferenceConfig={"topK": 5}), "extraneous key [topK]"),
    "cap no number": (ask(inferenceConfig={"maxTokens": "9"}), "maxTokens"),
    "cap of nothing": (ask(inferenceConfig={"maxTokens": 0}), "maxTokens"),
    "cap over the model's": (ask(inferenceConfig={"maxTokens": 64_001}), "exceeds the model limit of 64000"),
    "too warm": (ask(inferenceConfig={"temperature": 1.5}), "inferenceConfig.temperature"),
    "no tools": (ask(toolConfig={"tools": []}), "toolConfig.tools"),
    "tool without spec": (ask(toolConfig={"tools": [{}]}), "toolSpec"),
    "tool named badly": (tools(name="no good"), "toolSpec.name"),
    "tool without schema": (tools(inputSchema={}), "inputSchema.json.type"),
    "tool that is no object": (tools(inputSchema={"json": {"type": "array"}}), "must be one of the following: object"),
    "two choices": (tools({"any": {}, "auto": {}}), "exactly one of"),
    "choice of nothing": (tools({"tool": {"name": "Other"}}), "names no tool"),
    "strict tool with bad schema": (tools(strict=True, inputSchema={"json": {"type": "object", "properties": {}}}),
                                    "additionalProperties"),
    "format without schema": (ask(outputConfig={"textFormat": {"type": "json_schema"}}), "a schema that is a string"),
    "config without format": (ask(outputConfig={"effort": "low"}), "textFormat field"),
    "format unknown": (text_format(SCHEMA, type="xml"), "type json_schema"),
    "schema no json": (text_format("{"), "not valid JSON"),
    "schema open": (text_format({"type": "object"}), "'additionalProperties' must be explicitly set to false"),
}  # fmt: skip


@each_case("case", REFUSALS)
def test_what_converse_would_refuse_is_refused(case):
    """A 400 with the exception in a header and the service's words in the body."""
    body, words = REFUSALS[case]
    with pytest.raises(Refused) as refused:
        parsed(body)
    assert refused.value.status == 400
    assert refused.value.headers["x-amzn-errortype"].split(":")[0] in {"ValidationException", "SerializationException"}
    assert words in json.loads(refused.value.body)["message"]


OWN_REFUSALS = {
    "unknown parameter": (own(model="x"), "extraneous key [model]"),
    "no version": (own(anthropic_version=...), "required key [anthropic_version]"),
    "version of another day": (own(anthropic_version="2026-10-21"), "Invalid API version"),
    "no cap": (own(max_tokens=...), "required key [max_tokens]"),
    "no messages": (own(messages=...), "required key [messages]"),
    "messages no list": (own(messages="x"), "valid list"),
    "unknown role": (own(messages=[{"role": "system", "content": "x"}]), "messages.0.role"),
    "assistant first": (own(messages=[{"role": "assistant", "content": "x"}, SAID]), "start with a user message"),
    "blank text": (own(messages=[{"role": "user", "content": " "}]), "non-empty content"),
    "a picture": (own(messages=[{"role": "user", "content": [{"type": "image"}]}]), "image.source: Field required"),
    "cap over the model's": (own(max_tokens=64_001), "exceeds the model limit"),
    "too warm": (own(temperature=2), "temperature"),
    "no tools": (own(tools=[]), "at least 1 item"),
    "tool with more": (own(tools=[{**TOOL, "cache": 1}]), "tools.0.custom.cache: Extra inputs"),
    "choice unknown": (own(tools=[TOOL], tool_choice={"type": "some"}), "tool_choice.type"),
    "choice of nothing": (own(tools=[TOOL], tool_choice={"type": "tool", "name": "x"}), "not found in provided tools"),
    "choice without tools": (own(tool_choice={"type": "auto"}), "while providing tools"),
    "format without schema": (own(output_config={"format": {"type": "json_schema"}}), "a schema are required"),
    "schema open": (own(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}), "explicitly"),
}


@each_case("case", OWN_REFUSALS)
def test_what_claude_would_refuse_is_refused(case):
    """In its own body, that is."""
    body, words = OWN_REFUSALS[case]
    with pytest.raises(Refused) as refused:
        parsed(body, "invoke")
    assert refused.value.status == 400
    assert words in json.loads(refused.value.body)["message"]


LLAMA, TITAN, MISTRAL = (
    "us.meta.llama3-3-70b-instruct-v1:0",
    "amazon.titan-text-lite-v1",
    "mistral.mistral-large-2407-v1:0",
)
BY_NAME, ANY = {"tool": {"name": "Thing"}}, {"any": {}}


@each_case(
    ("model", "body", "path", "words"),
    [
        (NOVA, text_format(SCHEMA), "converse", "output_config.format: Extra inputs"),
        (OPUS, text_format(SCHEMA), "converse", "output_config.format: Extra inputs"),
        (OPUS, tools(strict=True), "converse", "strict: Extra inputs"),
        (OPUS, tools(BY_NAME), "converse", 'type "tool" and "any" are not supported'),
        (OPUS, tools(ANY), "converse", 'type "tool" and "any" are not supported'),
        (OPUS, ask(inferenceConfig={"temperature": 0}), "converse", "`temperature` is deprecated"),
        (OPUS, own(temperature=0), "invoke", "`temperature` is deprecated"),
        (OPUS, own(tools=[TOOL], tool_choice={"type": "any"}), "invoke", 'type "tool" and "any"'),
        (OPUS, own(output_config={"format": {}}), "invoke", "output_config.format: Extra inputs"),
        (MISTRAL, tools(BY_NAME), "converse", "toolConfig.toolChoice.tool"),
        (LLAMA, tools(ANY), "converse", "toolConfig.toolChoice.any"),
        (TITAN, tools(), "converse", "doesn't support tool use"),
        (LLAMA, {"prompt": "x"}, "invoke", "use Converse"),
        (NOVA, {**ask(), "outputConfig": {}}, "invoke", "extraneous key [outputConfig]"),
        (HAIKU, {"input": {"converse": ask(inferenceConfig=...)}}, "count-tokens", "doesn't support counting"),
        (NOVA, {"input": {"converse": ask(inferenceConfig=...)}}, "count-tokens", "doesn't support counting"),
        ("anthropic.claude-x", {"input": {}}, "count-tokens", "exactly one"),
        ("anthropic.claude-x", {"input": {"converse": ask()}}, "count-tokens", "extraneous key [inferenceConfig]"),
        ("anthropic.claude-x", {"input": {"invokeModel": {"body": "*"}}}, "count-tokens", "no base64"),
    ],
)
def test_what_a_model_does_not_take_is_refused(model, body, path, words):
    """Enforced schemas, strict and forced tools, temperatures, bodies and counting, each by the models that lack it."""
    with pytest.raises(Refused) as refused:
        parsed(body, path, model)
    assert words in json.loads(refused.value.body)["message"]


def test_what_is_too_long_is_refused():
    """By itself, and with the room that its answer asks for."""
    with pytest.raises(Refused) as refused:
        parsed(ask(messages=[{"role": "user", "content": [{"text": "x" * 900_000}]}]))
    assert b"Input is too long" in refused.value.body
    with pytest.raises(Refused) as refused:
        parsed(
            ask(messages=[{"role": "user", "content": [{"text": "x" * 799_000}]}], inferenceConfig={"maxTokens": 9000})
        )
    assert b"exceed context limit" in refused.value.body


def test_all_that_the_service_takes_is_taken():
    """Every parameter of the operations' own lists, and text in blocks."""
    objects = ("additionalModelRequestFields", "guardrailConfig", "performanceConfig", "promptVariables")
    more = {name: {} for name in (*objects, "requestMetadata", "serviceTier")}
    more["additionalModelResponseFieldPaths"] = []
    assert parsed(ask(**more, system=[])).document == "a document"
    blocks = [{"type": "text", "text": "a "}, {"type": "text", "text": "document"}]
    taken = {"anthropic_beta": [], "metadata": {}, "stop_sequences": [], "thinking": {"type": "disabled"}, "top_k": 5,
             "top_p": 0.5, "temperature": 1, "system": blocks}  # fmt: skip
    assert parsed(own(**taken, messages=[{"role": "user", "content": blocks}]), "invoke").document == "a document"
    nova = ask(schemaVersion="messages-v1", inferenceConfig={"topK": 5, "topP": 0.5, "max_new_tokens": 7})
    assert parsed(nova, "invoke", NOVA).cap_tokens == 7


def test_a_system_prompt_may_tell_a_schema():
    """Its record is then what is asked for; without one it is free text."""
    told = ask(system=[{"text": f"JSON of {json.dumps(SCHEMA)}"}, {"cachePoint": {"type": "default"}}])
    assert parsed(told).schema == SCHEMA
    assert parsed(own(system=f"JSON of {json.dumps(SCHEMA)}"), "invoke").schema == SCHEMA
    assert parsed(ask()).schema is None
    assert parsed(ask()).prompt_tokens == 9  # 3 for the frame, 3 for the message, 3 for its text
    assert parsed(tools()).prompt_tokens == 9 + tokens_of(json.dumps(SCHEMA, separators=(",", ":")))
    assert parsed(tools(description="x")).tool == "Thing"
    assert parsed(own(tools=[TOOL], tool_choice={"type": "none"}), "invoke").schema is None
    body = base64.b64encode(orjson.dumps(own())).decode()
    counted = parsed({"input": {"invokeModel": {"body": body}}}, "count-tokens", "anthropic.claude-x")
    assert (counted.count_only, counted.prompt_tokens) == (True, parsed(own(), "invoke").prompt_tokens)


SCHEMAS = {
    **{
        word: ({"type": "object", "additionalProperties": False, word: {}}, f"'{word}' is not supported")
        for word in ("not", "oneOf", "if", "patternProperties", "propertyNames", "prefixItems", "maxProperties")
    },
    "bounds of numbers": (nested({"type": "integer", "minimum": 1}), "'minimum' is not supported"),
    "many items": (nested({"type": "array", "items": {"type": "string"}, "minItems": 2}), "other than 0 or 1"),
    "at most so many": (nested({"type": "array", "items": {"type": "string"}, "maxItems": 2}), "'maxItems'"),
    "open inside": (nested({"type": "object", "properties": {}}), "'additionalProperties' must be explicitly"),
    "reference to nothing": (nested({"$ref": "#/$defs/Nothing"}), "is not found in the schema"),
    "reference elsewhere": (nested({"$ref": "https://example.com/x"}), "is not found in the schema"),
    "recursion": ({**nested({"$ref": "#/$defs/A"}), "$defs": {"A": nested({"$ref": "#/$defs/A"})}}, "recursive"),
    "empty": ({}, "not empty"),
    "no schema": ([], "JSON object"),
}
FINE = [
    SCHEMA,
    nested({"type": "string", "minLength": 1, "format": "date"}),
    nested({"type": ["string", "null"], "enum": ["a", None]}),
    nested({"type": "array", "items": {"type": "string"}, "minItems": 1}),
    nested({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    {**nested({"$ref": "#/$defs/A"}), "$defs": {"A": nested({"type": "number"})}},
    {"type": "object", "properties": {"x": {"type": "string", "default": "y"}}, "additionalProperties": False},
]


@each_case("case", SCHEMAS)
def test_a_schema_outside_the_subset_is_named(case):
    """By keyword, wherever it is."""
    schema, words = SCHEMAS[case]
    assert words in problem(schema)


@pytest.mark.parametrize("schema", FINE)
def test_a_schema_of_the_subset_passes(schema):
    """Optional fields, unions with null, lengths of strings, references that end."""
    assert problem(schema) is None


@given(anything)
@settings(max_examples=40)
def test_any_schema_is_judged(schema):
    """Nothing raises."""
    assert problem(schema) is None or isinstance(problem(schema), str)


BODIES = [
    ("converse", HAIKU, tools(BY_NAME, strict=True)),
    ("converse", HAIKU, text_format(SCHEMA)),
    ("invoke", HAIKU, own(tools=[TOOL], tool_choice={"type": "tool", "name": "Thing"}, system="x")),
    ("invoke", HAIKU, own(output_config={"format": {"type": "json_schema", "schema": SCHEMA}})),
    ("invoke", NOVA, tools(BY_NAME)),
    ("count-tokens", "anthropic.claude-x", {"input": {"converse": ask(inferenceConfig=..., system=[{"text": "x"}])}}),
]


@given(st.sampled_from(BODIES), st.data())
@settings(max_examples=60)
def test_any_request_is_a_question_or_refused(good, data):
    """Whatever is in it."""
    path, model, body = good
    spoiled = json.dumps(mutated(data.draw, body)).encode()
    found = question_or_refusal(spoiled, path, model)
    assert isinstance(found, Question) or (found.status == 400 and json.loads(found.body)["message"])


def question_or_refusal(body, path, model):
    try:
        return parsed(body, path, model)
    except Refused as refused:
        return refused


def test_the_service_gives_no_hints():
    """Neither limits nor times to wait are in its headers; only the request's id, in its shape."""
    theirs = Converse()
    assert set(theirs.headers(Stamp("req_00ff", retry_after_s=3.0))) == {"x-amzn-requestid"}
    assert theirs.headers(Stamp("req_1")) != theirs.headers(Stamp("req_2"))
    refused = theirs.throttled(parsed(ask()), Denial("tokens", 10, 9, 5, 3.0), 3.0)
    assert (refused.status, json.loads(refused.body)) == (
        429,
        {"message": "Too many tokens, please wait before trying again."},
    )
    assert {theirs.broken(status).status for status in (500, 503)} == {500, 503}
