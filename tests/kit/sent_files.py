"""Files as each wire of the sandbox is sent them, by hand: a body, where it goes, and what an answer to it says."""

import base64
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import orjson

from pipeline.providers.bedrock.eventstream import Decoder

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "required": ["name", "note"],
    "additionalProperties": False,
}
PDF, PNG = "application/pdf", "image/png"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"


def b64(data):
    return base64.b64encode(data).decode()


def png(width=64, height=64, text=None):
    """A PNG of this size, with nothing to be seen in it."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    laid_in = b"" if text is None else chunk(b"iTXt", b"text\0\0\0\0\0" + text.encode())
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + laid_in + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def chat_part(data, kind=PDF):
    url = f"data:{kind};base64,{b64(data)}"
    if kind == PDF:
        return {"type": "file", "file": {"filename": "document.pdf", "file_data": url}}
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def responses_part(data, kind=PDF):
    url = f"data:{kind};base64,{b64(data)}"
    if kind == PDF:
        return {"type": "input_file", "filename": "document.pdf", "file_data": url}
    return {"type": "input_image", "image_url": url, "detail": "high"}


def claude_part(data, kind=PDF):
    source = {"type": "base64", "media_type": kind, "data": b64(data)}
    return {"type": "document" if kind == PDF else "image", "source": source}


def converse_part(data, kind=PDF):
    source = {"bytes": b64(data)}
    if kind == PDF:
        return {"document": {"format": "pdf", "name": "document", "source": source}}
    return {"image": {"format": kind.removeprefix("image/"), "source": source}}


def gemini_part(data, kind=PDF):
    return {"inlineData": {"mimeType": kind, "data": b64(data)}}


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def chat(parts, *, stream=False, model="gpt-4o"):
    shape = {"type": "json_schema", "json_schema": {"name": "Thing", "strict": True, "schema": SCHEMA}}
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    messages = [{"role": "user", "content": [*parts, {"type": "text", "text": "Read."}]}]
    return {"model": model, "messages": messages, "response_format": shape, **streamed}


def responses(parts, *, stream=False, model="gpt-4o"):
    shape = {"format": {"type": "json_schema", "name": "Thing", "strict": True, "schema": SCHEMA}}
    asked = [{"role": "user", "content": [*parts, {"type": "input_text", "text": "Read."}]}]
    return {"model": model, "input": asked, "text": shape, **({"stream": True} if stream else {})}


def claude(parts, *, stream=False, model="claude-haiku-4-5"):
    messages = [{"role": "user", "content": [*parts, {"type": "text", "text": "Read."}]}]
    shape = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return {"model": model, "max_tokens": 900, "messages": messages, "output_config": shape, "stream": stream}


def invoke(parts, *, stream=False, model=HAIKU):
    body = claude(parts)
    return {
        "anthropic_version": "bedrock-2023-05-31",
        **{name: body[name] for name in ("max_tokens", "messages", "output_config")},
    }


def converse(parts, *, stream=False, model=HAIKU):
    tool = {"toolSpec": {"name": "Thing", "inputSchema": {"json": SCHEMA}}}
    return {
        "messages": [{"role": "user", "content": [*parts, {"text": "Read."}]}],
        "toolConfig": {"tools": [tool], "toolChoice": {"tool": {"name": "Thing"}}},
    }


def gemini(parts, *, stream=False, model="gemini-2.5-flash"):
    shape = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    return {"contents": [{"role": "user", "parts": [*parts, {"text": "Read."}]}], "generationConfig": shape}


class Sent(NamedTuple):
    """One wire: `path` may have {model} and, where that says so, another end for streams."""

    provider: str
    model: str
    path: str
    stream_path: str
    part: Callable[..., Any]
    body: Callable[..., Any]
    takes: tuple[str, ...] = (PDF, PNG)

    async def post(self, client, parts, *, stream=False, model=""):
        """Its status, and its body."""
        model = model or self.model
        path = (self.stream_path if stream else self.path).format(model=model)
        headers = {"Authorization": "Bearer key", "anthropic-version": "2023-06-01"}
        data = BytesIO(orjson.dumps(self.body(parts, stream=stream, model=model)))  # aiohttp warns of large bytes
        async with client.session.post(client.url + path, data=data, headers=headers) as got:
            return got.status, await got.read()


DATED = "?api-version=2025-03-01-preview"
GEMINI = "/v1beta/models/{model}:"
VERTEX = "/v1/projects/p/locations/global/publishers/google/models/{model}:"
CONVERSE, INVOKE = "/model/{model}/converse", "/model/{model}/invoke"
STREAMED = "-with-response-stream"
WIRES = {
    "chat": Sent("openai", "gpt-4o", *["/v1/chat/completions"] * 2, chat_part, chat),
    "responses": Sent("openai", "gpt-4o", *["/v1/responses"] * 2, responses_part, responses),
    "azure": Sent("azure", "gpt-4o", *["/openai/v1/chat/completions"] * 2, chat_part, chat, (PNG,)),
    "azure responses": Sent("openai", "gpt-4o", *[f"/openai/responses{DATED}"] * 2, responses_part, responses),
    "anthropic": Sent("anthropic", "claude-haiku-4-5", *["/v1/messages"] * 2, claude_part, claude),
    "converse": Sent("bedrock", HAIKU, CONVERSE, f"{CONVERSE}-stream", converse_part, converse),
    "converse nova": Sent("bedrock", NOVA, CONVERSE, f"{CONVERSE}-stream", converse_part, converse),
    "invoke": Sent("bedrock", HAIKU, INVOKE, INVOKE + STREAMED, claude_part, invoke),
    "gemini": Sent(
        "gemini", "gemini-2.5-flash", f"{GEMINI}generateContent", f"{GEMINI}streamGenerateContent?alt=sse", gemini_part,
        gemini,
    ),
    "gemini 3": Sent(
        "gemini", "gemini-3-flash-preview", f"{GEMINI}generateContent", f"{GEMINI}streamGenerateContent?alt=sse",
        gemini_part, gemini,
    ),
    "vertex": Sent(
        "vertex", "gemini-2.5-flash", f"{VERTEX}generateContent", f"{VERTEX}streamGenerateContent?alt=sse", gemini_part,
        gemini,
    ),
}  # fmt: skip

# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SAID = {"content", "delta", "text", "partial_json", "arguments", "input", "json", "args", "name"}
INPUTS = {"prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "inputTokenCount"}


def told(data):
    """(all strings that an answer says, joined; the most input tokens that it tells)."""
    texts, tokens = [], [0]
    for found in _objects(data):
        _walk(found, "", texts, tokens)
    return "".join(texts), max(tokens)


def _objects(data):
    if data[:1] in b"{[":
        return [orjson.loads(data)]
    if b"data: " in data[:400]:
        lines = [line[6:] for line in data.splitlines() if line.startswith(b"data: ")]
        return [orjson.loads(line) for line in lines if line != b"[DONE]"]
    found = [orjson.loads(frame.payload) for frame in Decoder().feed(data)]
    return [orjson.loads(base64.b64decode(one["bytes"])) if "bytes" in one else one for one in found]


def _walk(value, key, texts, tokens):
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(inner, name, texts, tokens)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, key, texts, tokens)
    elif isinstance(value, str) and key in SAID:
        texts.append(value)
    elif isinstance(value, int) and key in INPUTS:
        tokens.append(value)
