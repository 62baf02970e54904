"""An answer as Converse gives it, whole and as events; Nova's own is nearly the same. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pipeline.catalog.names import bare_model
from pipeline.sandbox.exchange import Answer, Ending, Question
from pipeline.sandbox.wires.bedrock.frames import event

PIECE_CHARS = 48  # of a streamed answer
PADDING = "abcdefghijklmnopqrstuvwxyz"
STOPS = {Ending.TRUNCATED: "max_tokens", Ending.REFUSED: "refusal"}


def whole(question: Question, answer: Answer) -> dict[str, Any]:
    asked = [{"toolUse": {**called, "input": orjson.loads(told)}} for called, told in lookups(answer)]
    message = {"role": "assistant", "content": asked or [_block(question, answer)]}
    return {
        "metrics": {"latencyMs": 1},
        "output": {"message": message},
        "stopReason": stop_reason(question, answer),
        "usage": usage(question, answer),
    }


def converse_events(question: Question, answer: Answer) -> list[bytes]:
    return [event(kind, orjson.dumps({**data, "p": PADDING})) for kind, data in parts(question, answer)]


def parts(question: Question, answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events by name, in order: the usage comes last."""
    yield "messageStart", {"role": "assistant"}
    if answer.calls:
        yield from _lookup_parts(answer)
        yield "messageStop", {"stopReason": "tool_use"}
        yield "metadata", {"metrics": {"latencyMs": 1}, "usage": usage(question, answer)}
        return
    calls = called(question, answer)
    if calls:
        start = {"toolUse": {"name": question.tool, "toolUseId": f"tooluse_{answer.id}"}}
        yield "contentBlockStart", {"contentBlockIndex": 0, "start": start}
    for piece in pieces(answer.text):
        delta: dict[str, Any] = {"toolUse": {"input": piece}} if calls else {"text": piece}
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": stop_reason(question, answer)}
    yield "metadata", {"metrics": {"latencyMs": 1}, "usage": usage(question, answer)}


def lookups(answer: Answer) -> list[tuple[dict[str, Any], str]]:
    """Each look-up that is asked for, and its arguments."""
    ids = (f"tooluse_{answer.id}_{call.number}" for call in answer.calls)
    return [
        ({"name": call.name, "toolUseId": name}, call.arguments) for name, call in zip(ids, answer.calls, strict=True)
    ]


def _lookup_parts(answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, (call, told) in enumerate(lookups(answer)):
        yield "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": call}}
        for piece in pieces(told):
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}
        yield "contentBlockStop", {"contentBlockIndex": index}


def pieces(text: str) -> list[str]:
    return [text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS)]


def called(question: Question, answer: Answer) -> bool:
    return question.tool is not None and answer.ending is not Ending.REFUSED


def stop_reason(question: Question, answer: Answer) -> str:
    called = question.tool is not None or answer.calls
    return STOPS.get(answer.ending) or ("tool_use" if called else "end_turn")


def tool_input(answer: Answer) -> object:
    """The arguments. Where they are no JSON: nothing, if the cap cut them off, else the text as it is."""
    try:
        return json.loads(answer.text)
    except ValueError:
        return {} if answer.ending is Ending.TRUNCATED else answer.text


def usage(question: Question, answer: Answer) -> Mapping[str, Any]:
    """Claude's cache figures come twice, under both of their names."""
    cached = {
        **dict.fromkeys(("cacheReadInputTokenCount", "cacheReadInputTokens"), answer.cache_read_tokens),
        **dict.fromkeys(("cacheWriteInputTokenCount", "cacheWriteInputTokens"), answer.cache_write_tokens),
    }
    return {
        **(cached if bare_model(question.model).startswith("claude") or any(cached.values()) else {}),
        "inputTokens": answer.prompt_tokens - answer.cache_read_tokens - answer.cache_write_tokens,
        "outputTokens": answer.completion_tokens,
        "serverToolUsage": {},
        "totalTokens": answer.prompt_tokens + answer.completion_tokens,
    }


def _block(question: Question, answer: Answer) -> dict[str, Any]:
    if not called(question, answer):
        return {"text": answer.text}
    call = {"input": tool_input(answer), "name": question.tool, "toolUseId": f"tooluse_{answer.id}"}
    return {"toolUse": call}
