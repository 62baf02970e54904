"""The order of a batch request's life: key, fault before its effect, the effect, fault behind it. Bodies as streams."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import blake2b
from mmap import mmap
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
from aiohttp import web

from pipeline.sandbox.batches.desk import Desk
from pipeline.sandbox.batches.dialect import Endpoint
from pipeline.sandbox.batches.faults import Operation
from pipeline.sandbox.batches.lines import PIECE_BYTES, mapped
from pipeline.sandbox.exchange import Received, Refused

JSON_TYPE = "application/json"
FAULT = "A fault that was asked of the sandbox."
KEYS = ("authorization", "api-key", "x-api-key", "x-goog-api-key")
COUNTED = {
    "look": "polls",
    "list": "listings",
    "upload": "uploads",
    "content": "downloads",
    "cancel": "cancels",
    "delete": "deletions",
}
Handle = Callable[["Ask"], Awaitable[web.StreamResponse]]


class Ask:
    """One request about a batch or a file. `word`: the fault that it suffers."""

    def __init__(self, desk: Desk, request: web.Request, word: str) -> None:
        self.desk, self.request, self.word = desk, request, word
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, _, query = request.raw_path.partition("?")
        self.received = Received(request.method, path, query, headers, b"")
        self.query = {name: values[0] for name, values in parse_qs(query).items()}
        self.account = blake2b(_account(path, headers, self.query).encode(), digest_size=8).hexdigest()
        self.now_s = desk.clock.now_s()

    def match(self, name: str) -> str:
        return self.request.match_info[name]

    def number(self, name: str, default: int, most: int) -> int:
        """Of the query."""
        text = self.query.get(name, "")
        return max(1, min(int(text), most)) if text.isdigit() else default


def _account(path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """By the key. A token of Azure's or Google's is another one every hour, and a signature with every request."""
    if path.startswith("/v1/projects/"):
        return path.split("/")[3]
    names = KEYS[1:] if path.startswith("/openai/") else KEYS
    key = next((headers[name] for name in names if name in headers), query.get("key", ""))
    return key.partition("Credential=")[2].partition("/")[0] or key


def route(desk: Callable[[], Desk], dialect: Endpoint, operation: Operation, handle: Handle) -> Any:  # noqa: ANN401 (aiohttp's handler)
    async def handler(request: web.Request) -> web.StreamResponse:
        ask = Ask(desk(), request, desk().faults.next(operation))
        try:
            dialect.authorise(ask.received)
            if operation in COUNTED:
                name = COUNTED[operation]
                setattr(ask.desk.counters.batches, name, getattr(ask.desk.counters.batches, name) + 1)
            if ask.word.isdigit() or (operation == "content" and ask.word.endswith(" after")):  # a body has no way back
                raise dialect.refusal(int(ask.word[:3]), FAULT)
            response = await handle(ask)
            if ask.word.endswith(" after"):
                raise dialect.refusal(int(ask.word[:3]), FAULT)
        except Refused as refused:
            return web.Response(status=refused.status, body=refused.body, headers=_headers(refused))
        if ask.word == "lost" and request.transport is not None:
            request.transport.abort()
        return response

    return handler


def _headers(refused: Refused) -> dict[str, str]:
    return {"Content-Type": JSON_TYPE, **refused.headers}


def told(value: object, **headers: str) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type=JSON_TYPE, headers=headers)


async def spooled(chunks: Any, path: Path, most_bytes: int, too_large: Refused) -> int:  # noqa: ANN401 (an async iterable of bytes)
    """Write a body to a file; its size. Raises `too_large`."""
    size = 0
    with path.open("ab") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > most_bytes:
                raise too_large
            file.write(chunk)
    return size


async def body_of(ask: Ask, most_bytes: int, too_large: Refused) -> mmap | bytes:
    """The whole of a large body, without holding it in memory. Raises `too_large`."""
    path = ask.desk.path()
    await spooled(ask.request.content.iter_chunked(PIECE_BYTES), path, most_bytes, too_large)
    found = mapped(path)
    path.unlink()
    return found


async def streamed(ask: Ask, lines: Iterable[bytes], size: int, content_type: str) -> web.StreamResponse:
    """Lines as a body; with the fault `cut` only the first half of `size` lines, and then nothing more."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(ask.request)
    stop = size // 2 if ask.word == "cut" else size
    piece = bytearray()
    for number, line in enumerate(lines):
        if number == stop:
            break
        piece += line + b"\n"
        if len(piece) > PIECE_BYTES:
            await response.write(bytes(piece))
            piece.clear()
    await response.write(bytes(piece))
    if ask.word == "cut":
        await asyncio.sleep(0)  # what was written leaves first
        if ask.request.transport is not None:
            ask.request.transport.abort()
        return response
    await response.write_eof()
    return response
