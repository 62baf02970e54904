"""What InvokeModel's families of models have in common, and Amazon's Nova, the one nearest to Converse. Pure.

A family knows its makers' body, reads their answer, and puts the chunks of their stream together again.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from pipeline.catalog.names import bare_model
from pipeline.catalog.reasoning import reasoned, uncapped
from pipeline.job.settings import Model
from pipeline.providers.bedrock.answers import ModelAnswer
from pipeline.providers.bedrock.converse import (
    converse_text,
    converse_usage,
    inference_json,
    messages_json,
    tool_config,
    words_for,
)
from pipeline.providers.bedrock.models import choice_for
from pipeline.providers.bedrock.stream import Message, StreamedAnswer
from pipeline.providers.files import Body, filled
from pipeline.providers.json import mapping, string
from pipeline.providers.parameters import CONVERSE, sampling
from pipeline.text import repaired
from pipeline.types import AnswerShape, Request

METRICS = "amazon-bedrock-invocationMetrics"
SCHEMA_VERSION = {"schemaVersion": "messages-v1"}


class Family(Protocol):
    def body(self, request: Request) -> Body: ...

    def told(self, whole: Mapping[str, Any]) -> ModelAnswer: ...

    def chunks(self) -> StreamedAnswer:
        """What takes the chunks of one streamed answer."""
        ...


class FixedBody:
    """What a job fixes, encoded once: with the schema, and without it for requests in free text."""

    def __init__(
        self, told: Callable[[str], str], structured: Mapping[str, Any], free: Mapping[str, Any] | None = None
    ) -> None:
        self._told = told
        self._with_schema = {**(free or {}), **structured}
        self._without = dict(free or {})
        self._starts: dict[tuple[str, bool], bytes] = {}

    def system(self, request: Request) -> str:
        """The system prompt with what nothing else says."""
        return repaired(request.system if request.free_text else self._told(request.system))

    def start(self, request: Request, encode: Callable[[dict[str, Any], str], bytes]) -> bytes:
        """`encode(fields, system prompt)`, once for each system prompt."""
        key = request.system, request.free_text
        found = self._starts.get(key)
        if found is None:
            fields = dict(self._without if request.free_text else self._with_schema)
            found = self._starts[key] = encode(fields, self.system(request))
        return found


class Nova:
    """It has no output format of its own: a schema is asked for by a tool."""

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        version = {} if bare_model(model.name).startswith("nova-2") else SCHEMA_VERSION
        in_words = shape.mode == "json_object"
        structured = {} if in_words else tool_config(shape, model)
        told = words_for(shape, "json_object" if in_words else "tool", choice_for(model))
        self._fixed = FixedBody(told, structured, reasoned({**version, **model.extra}, model))
        self._capped = not uncapped(model)
        self._sampling = sampling(model, CONVERSE)

    def body(self, request: Request) -> Body:
        inference = inference_json(request, self._sampling) if self._capped else b""
        return filled(self._fixed.start(request, _start) + messages_json(request) + inference + b"}", request)

    def told(self, whole: Mapping[str, Any]) -> ModelAnswer:
        return ModelAnswer(converse_text(whole), string(whole.get("stopReason")), converse_usage(whole.get("usage")))

    def chunks(self) -> "NovaChunks":
        return NovaChunks()


class NovaChunks:
    """Each chunk is an object with one of Converse's events under its name, and at the end Bedrock's metrics."""

    def __init__(self) -> None:
        self._message = Message()
        self._metrics: dict[str, Any] = {}

    @property
    def started(self) -> bool:
        return self._message.started

    def add(self, chunk: Mapping[str, Any]) -> None:
        for kind, data in chunk.items():
            if kind.startswith("amazon-bedrock-"):
                self._metrics[kind] = data
            else:
                self._message.event(kind, mapping(data))

    def whole(self) -> dict[str, Any] | None:
        found = self._message.whole(needs_usage=METRICS not in self._metrics)
        return None if found is None else {**found, **self._metrics}


def _start(fields: dict[str, Any], system: str) -> bytes:
    if system.strip():
        fields["system"] = [{"text": system}]
    return (orjson.dumps(fields)[:-1] + b"," if fields else b"{") + b'"messages":'
