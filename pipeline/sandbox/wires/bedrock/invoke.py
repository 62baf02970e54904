"""Amazon Bedrock's InvokeModel: Claude's and Nova's own answers, whole and in chunks. Pure, as Converse is."""

import base64
from collections.abc import Iterator
from typing import Any

import orjson

from pipeline.catalog.names import bare_model
from pipeline.sandbox.exchange import MODEL_VERSION, Answer, PageReader, Question, Received, no_reader
from pipeline.sandbox.wires.bedrock import answers
from pipeline.sandbox.wires.bedrock.frames import event
from pipeline.sandbox.wires.bedrock.invoke_requests import invoke_question
from pipeline.sandbox.wires.bedrock.requests import model_of, object_of
from pipeline.sandbox.wires.bedrock.wire import Runtime


class Invoke(Runtime):
    name = "bedrock invoke"
    paths: tuple[str, ...] = ("/model/{model}/invoke", "/model/{model}/invoke-with-response-stream")

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        stream = received.path.endswith("-stream")
        return invoke_question(model_of(received), object_of(received.body), read, stream=stream)

    def whole(self, question: Question, answer: Answer) -> bytes:
        if not _is_claude(question):
            found = answers.whole(question, answer)
            return orjson.dumps({name: found[name] for name in ("output", "stopReason", "usage")})
        return orjson.dumps({**_message(question, answer, [_block(question, answer)]), "usage": _usage(answer)})

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        chunks = list(_claude_chunks(question, answer) if _is_claude(question) else _nova_chunks(question, answer))
        cached = {
            "cacheReadInputTokenCount": answer.cache_read_tokens,
            "cacheWriteInputTokenCount": answer.cache_write_tokens,
        }
        chunks[-1]["amazon-bedrock-invocationMetrics"] = {
            "inputTokenCount": answer.prompt_tokens - answer.cache_read_tokens - answer.cache_write_tokens,
            **(cached if any(cached.values()) else {}),
            "outputTokenCount": answer.completion_tokens,
            "invocationLatency": 1,
            "firstByteLatency": 1,
        }
        return [_chunk(chunk) for chunk in chunks]


def _is_claude(question: Question) -> bool:
    return bare_model(question.model).startswith("claude")


def _message(question: Question, answer: Answer, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_bdrk_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": MODEL_VERSION,
        "content": content,
        "stop_reason": answers.stop_reason(question, answer),
        "stop_sequence": None,
    }


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "input_tokens": answer.prompt_tokens - answer.cache_read_tokens - answer.cache_write_tokens,
        "cache_creation_input_tokens": answer.cache_write_tokens,
        "cache_read_input_tokens": answer.cache_read_tokens,
        "output_tokens": answer.completion_tokens,
    }


def _block(question: Question, answer: Answer) -> dict[str, Any]:
    if not answers.called(question, answer):
        return {"type": "text", "text": answer.text}
    return {**_call(question, answer), "input": answers.tool_input(answer)}


def _call(question: Question, answer: Answer) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_bdrk_{answer.id}", "name": question.tool, "input": {}}


def _claude_chunks(question: Question, answer: Answer) -> Iterator[dict[str, Any]]:
    begun = {**_message(question, answer, []), "stop_reason": None, "usage": {**_usage(answer), "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    calls = answers.called(question, answer)
    block = _call(question, answer) if calls else {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for piece in answers.pieces(answer.text):
        delta = {"type": "input_json_delta", "partial_json": piece} if calls else {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": answers.stop_reason(question, answer), "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": answer.completion_tokens}}
    yield {"type": "message_stop"}


def _nova_chunks(question: Question, answer: Answer) -> Iterator[dict[str, Any]]:
    for kind, data in answers.parts(question, answer):
        yield {kind: data}


def _chunk(chunk: dict[str, Any]) -> bytes:
    payload = {"bytes": base64.b64encode(orjson.dumps(chunk)).decode(), "p": answers.PADDING}
    return event("chunk", orjson.dumps(payload))
