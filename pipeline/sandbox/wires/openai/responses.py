"""The Responses API as OpenAI's servers speak it: request, answer, and the typed events of a stream. Pure."""

from typing import Any

import orjson

from pipeline.sandbox.exchange import MODEL_VERSION, Answer, Ending, PageReader, Question, Received, no_reader
from pipeline.sandbox.wires.openai.response_requests import question_of
from pipeline.sandbox.wires.openai.wire import OpenAI, pieces_of

Event = tuple[str, dict[str, Any]]  # its type, and what it says


class Responses(OpenAI):
    name = "openai responses"
    paths: tuple[str, ...] = ("/v1/responses",)

    def parse(self, received: Received, read: PageReader = no_reader) -> Question:
        return question_of(received.body, read)

    def whole(self, question: Question, answer: Answer) -> bytes:
        return orjson.dumps(_response(question, answer, _items(question, answer)))

    def events(self, question: Question, answer: Answer) -> list[bytes]:
        items = _items(question, answer)
        begun = {**_response(question, answer, items), "status": "in_progress", "output": [], "usage": None}
        begun["incomplete_details"] = None
        ended = _response(question, answer, items)
        events: list[Event] = [
            ("response.created", {"response": begun}),
            ("response.in_progress", {"response": begun}),
            *(event for number, item in enumerate(items) for event in _told(number, item, answer)),
            (f"response.{ended['status']}", {"response": ended}),
        ]
        return [_event(kind, number, more) for number, (kind, more) in enumerate(events)]


def _told(number: int, item: dict[str, Any], answer: Answer) -> list[Event]:
    """One item, from its beginning to its end."""
    return [
        ("response.output_item.added", {"output_index": number, "item": _empty(item)}),
        *_said(item, answer, {"item_id": item["id"], "output_index": number}),
        ("response.output_item.done", {"output_index": number, "item": item}),
    ]


def _event(kind: str, number: int, more: dict[str, Any]) -> bytes:
    data = orjson.dumps({"type": kind, "sequence_number": number, **more})
    return f"event: {kind}\ndata: ".encode() + data + b"\n\n"


def _response(question: Question, answer: Answer, items: list[dict[str, Any]]) -> dict[str, Any]:
    truncated = answer.ending is Ending.TRUNCATED
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.created_s,
        "status": "incomplete" if truncated else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if truncated else None,
        "max_output_tokens": question.cap_tokens,
        "model": MODEL_VERSION,
        "output": items,
        "service_tier": question.tier,
        "store": False,
        "usage": {
            "input_tokens": answer.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": answer.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        },
    }


def _items(question: Question, answer: Answer) -> list[dict[str, Any]]:
    """What the model made: look-ups that it asks for, or one item."""
    if not answer.calls:
        return [_item(question, answer)]
    ids = [f"{answer.id}_{call.number}" for call in answer.calls]
    return [
        {"id": f"fc_{name}", "type": "function_call", "status": "completed", "call_id": f"call_{name}"}
        | {"name": call.name, "arguments": call.arguments}
        for name, call in zip(ids, answer.calls, strict=True)
    ]


def _item(question: Question, answer: Answer) -> dict[str, Any]:
    """What the model made: a message, or a call of the function."""
    status = "incomplete" if answer.ending is Ending.TRUNCATED else "completed"
    if question.tool is not None and answer.ending is not Ending.REFUSED:
        call = {"id": f"fc_{answer.id}", "type": "function_call", "status": status, "call_id": f"call_{answer.id}"}
        return {**call, "name": question.tool, "arguments": answer.text}
    message = {"id": f"msg_{answer.id}", "type": "message", "status": status, "role": "assistant"}
    return {**message, "content": [_part(answer, answer.text)]}


def _part(answer: Answer, text: str) -> dict[str, Any]:
    if answer.ending is Ending.REFUSED:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    name, nothing = ("arguments", "") if "arguments" in item else ("content", [])
    return {**item, "status": "in_progress", name: nothing}


def _said(item: dict[str, Any], answer: Answer, place: dict[str, Any]) -> list[Event]:
    """The item in pieces, and once more as a whole."""
    pieces = pieces_of(item.get("arguments", answer.text))
    if "arguments" in item:
        kind = "response.function_call_arguments"
        whole = {"name": item["name"], "arguments": item["arguments"]}
        return [*((f"{kind}.delta", {**place, "delta": one}) for one in pieces), (f"{kind}.done", {**place, **whole})]
    place = {**place, "content_index": 0}
    refused = answer.ending is Ending.REFUSED
    kind, name = ("response.refusal", "refusal") if refused else ("response.output_text", "text")
    return [
        ("response.content_part.added", {**place, "part": _part(answer, "")}),
        *((f"{kind}.delta", {**place, "delta": one}) for one in pieces),
        (f"{kind}.done", {**place, name: answer.text}),
        ("response.content_part.done", {**place, "part": _part(answer, answer.text)}),
    ]
