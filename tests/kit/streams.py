"""One streamed answer in every dialect, event by event, for what holds of all of them."""

import base64
import json

from msgspec import Struct

from pipeline.job.settings import Model
from pipeline.providers import wire_for
from pipeline.sandbox.wires.bedrock.frames import event as frame
from pipeline.types import AnswerShape, HttpAnswer

TEXT = '{"name": "Anna", "count": 3}'
SHAPE = AnswerShape("Item", "json_object", {"type": "object"}, strict=False)
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


class Streamed(Struct, frozen=True):
    """`events` as they go over the wire; `said` are those that hold the text, `end` is the last that is needed."""

    model: Model
    events: tuple[bytes, ...]
    said: tuple[int, ...]
    end: int
    media_type: str = "text/event-stream"

    def wire(self, **changes):
        settings = {
            name: getattr(self.model, name) for name in ("provider", "name", "region", "api", "base_url", "project")
        }
        return wire_for(Model(max_output_tokens=100, stream=True, **{**settings, **changes}), SHAPE, {})

    def answered(self, *events):
        """What a wire is handed when these have come, and the connection was closed."""
        assembler = self.wire().stream()
        for one in events:
            assembler.feed(one)
        return HttpAnswer(200, {}, assembler.finish(200, {}))


def sse(data, name=""):
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def chunk(data):
    return frame("chunk", json.dumps({"bytes": base64.b64encode(json.dumps(data).encode()).decode()}).encode())


def _openai(delta, finish=None, **more):
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "model": "m", "choices": choices, **more}


def _claude(text):
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


HALVES = (TEXT[:12], TEXT[12:])
CLAUDE = (
    {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 10, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *map(_claude, HALVES),
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)
CONVERSE = (
    ("messageStart", {"role": "assistant"}),
    *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": half}}) for half in HALVES),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"inputTokens": 10, "outputTokens": 5}}),
)


def _gemini(text, **more):
    return {"candidates": [{"index": 0, "content": {"parts": [{"text": text}]}, **more}]}


USED = {"promptTokenCount": 10, "candidatesTokenCount": 5}
GEMINI = (
    sse(_gemini(HALVES[0])),
    sse({**_gemini(HALVES[1], finishReason="STOP"), "usageMetadata": USED, "modelVersion": "m"}),
)
OPENAI = (
    *(sse(_openai({"content": half})) for half in HALVES),
    sse(_openai({}, "stop")),
    sse({"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}),
    sse("[DONE]"),
)


def _response(**more):
    return {"id": "r", "object": "response", "model": "m", "output": [], "usage": None, **more}


MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}
ENDED = _response(status="completed", output=[MESSAGE], usage={"input_tokens": 10, "output_tokens": 5})
RESPONSES = (
    {"type": "response.created", "response": _response(status="in_progress")},
    *({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": half} for half in HALVES),
    {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": TEXT},
    {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
    {"type": "response.completed", "response": ENDED},
)
RESPONSES = tuple(sse(one, one["type"]) for one in RESPONSES)


def _model(provider, name="m", **more):
    return Model(provider=provider, name=name, max_output_tokens=100, stream=True, **more)


BINARY = "application/vnd.amazon.eventstream"
STREAMS = {
    "openai": Streamed(_model("openai"), OPENAI, (0, 1), 3),
    "azure": Streamed(_model("azure", base_url="https://x.openai.azure.com"), OPENAI, (0, 1), 3),
    "openai responses": Streamed(_model("openai", api="responses"), RESPONSES, (1, 2), 5),
    "azure responses": Streamed(
        _model("azure", api="responses", base_url="https://x.openai.azure.com"), RESPONSES, (1, 2), 5
    ),
    "anthropic": Streamed(_model("anthropic"), tuple(sse(one, one["type"]) for one in CLAUDE), (2, 3), 4),
    "gemini": Streamed(_model("gemini"), GEMINI, (0, 1), 1),
    "vertex": Streamed(_model("vertex", project="p"), GEMINI, (0, 1), 1),
    "converse": Streamed(
        _model("bedrock", HAIKU, region="us-east-1"),
        tuple(frame(kind, json.dumps(data).encode()) for kind, data in CONVERSE),
        (1, 2), 4, BINARY,
    ),
    "invoke": Streamed(
        _model("bedrock", HAIKU, region="us-east-1", api="invoke"), tuple(map(chunk, CLAUDE)), (2, 3), 5, BINARY
    ),
}  # fmt: skip
