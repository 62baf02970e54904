"""What instructor's client is called with, and what its vendor answered; a dialect of chat completions. Pure.

A body is the keywords of `create`, as JSON. `response_model` in it is the form of the answer, which instructor puts in
its vendor's words. An answer is the vendor's own, as it came over HTTP: nothing of it is lost to anybody's parser.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec.structs import replace

from pipeline.job.instructor import name_in
from pipeline.job.settings import Model
from pipeline.providers.instructor.answers import as_chat
from pipeline.providers.json import parsed
from pipeline.providers.openai.wire import OpenAIWire
from pipeline.providers.parameters import CHAT, Names
from pipeline.types import Answer, AnswerShape, HttpAnswer

NAMES: Mapping[str, Names] = {  # of the vendors' clients that have words of their own
    "cohere": Names(top_p="p", seed="seed", stop="stop_sequences"),
    "mistral": Names(seed="random_seed", stop="stop"),
}


class InstructorWire(OpenAIWire):
    """`url` is no address: the vendor's client knows where it sends."""

    name = "instructor"

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        self.names = NAMES.get(name_in(model.provider), CHAT)
        super().__init__(model, shape)

    def reply(self, answer: HttpAnswer) -> Answer:
        body = parsed(answer.body)
        if answer.status == 200 and isinstance(body, dict) and (chat := as_chat(body)) is not body:
            answer = replace(answer, body=orjson.dumps(chat))
        return super().reply(answer)

    def _url(self, model: Model) -> str:
        return model.base_url or model.provider

    def _form(self, shape: AnswerShape, name: str) -> dict[str, Any]:
        """Asked for in words, the words are ours and stand in the system prompt; nothing else is said of it."""
        if shape.mode == "json_object":
            return {}
        return {"response_model": {"mode": shape.mode, "name": name, "schema": shape.schema}}

    def _many_calls(self, model: Model) -> bool:  # noqa: ARG002 (not every client knows the keyword)
        return True

    def _cap_name(self, model: Model) -> str:  # noqa: ARG002 (the one word that all of them know)
        return "max_tokens"
