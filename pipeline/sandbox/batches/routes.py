"""The routes of the batch endpoints, and of what turns their clock and sets their faults."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from pipeline.sandbox.batches.anthropic import AnthropicBatches
from pipeline.sandbox.batches.azure import AzureBatches
from pipeline.sandbox.batches.bedrock import BedrockBatches
from pipeline.sandbox.batches.clock import Turn
from pipeline.sandbox.batches.desk import Desk
from pipeline.sandbox.batches.faults import Set
from pipeline.sandbox.batches.gemini import GeminiBatches
from pipeline.sandbox.batches.http import route, told
from pipeline.sandbox.batches.objects import AwsObjects, GoogleObjects
from pipeline.sandbox.batches.openai import OpenAIBatches
from pipeline.sandbox.batches.vertex import VertexBatches

T = TypeVar("T")
DIALECTS = (
    OpenAIBatches(),
    AzureBatches("/openai/v1"),
    AzureBatches("/openai"),
    AnthropicBatches(),
    GeminiBatches(),
    VertexBatches(),
    BedrockBatches(),
    GoogleObjects(),
    AwsObjects(),
)


def add_routes(app: web.Application, desk: Callable[[], Desk]) -> None:
    """Before those of the live wires, whose patterns take some of these paths too."""
    for dialect in DIALECTS:
        for method, path, operation, handle in dialect.routes():
            app.router.add_route(method, path, route(desk, dialect, operation, handle))

    async def clock(request: web.Request) -> web.Response:
        if request.method == "POST":
            desk().clock.turn(_read(await request.read(), Turn))
            await desk().settle_all()
        return told({"now_s": desk().clock.now_s(), "factor": desk().clock.factor})

    async def faults(request: web.Request) -> web.Response:
        if request.method == "POST":
            desk().set_faults(_read(await request.read(), Set))
        return told({**msgspec.to_builtins(desk().faults.set), "on": desk().faults.left()})

    for path, handler in (("/_sandbox/clock", clock), ("/_sandbox/faults", faults)):
        app.router.add_get(path, handler)
        app.router.add_post(path, handler)


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        message = f"{error}. docs/providers/sandbox.md lists what can be set."
        raise web.HTTPBadRequest(text=message) from None
