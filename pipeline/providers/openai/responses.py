"""OpenAI's Responses API: its requests. Its answers are read where those of chat completions are. Pure.

The system prompt is an item of the input, and not `instructions`: those are sent back with each answer, and are not
looked at where a request for a JSON object has to say "json".
"""

from typing import Any

from pipeline.job.settings import Model
from pipeline.parts import FilePart, ResultPart
from pipeline.providers.files import IMAGES, PDF, Block, data_url, named, refused
from pipeline.providers.openai.wire import DETAIL, OpenAIWire
from pipeline.providers.tool_calls import members, told
from pipeline.text import repaired
from pipeline.types import AnswerShape, Tool

OF_CHAT = {"stream_options", "reasoning_effort", "verbosity"}  # usage comes unasked, the others in places of their own


class ResponsesWire(OpenAIWire):
    """Nothing is kept at the provider: `store` is false."""

    path = "/responses"
    turns = "input"

    def _cap_name(self, model: Model) -> str:  # noqa: ARG002 (one word for all models)
        return "max_output_tokens"

    def _worded(self, settings: dict[str, Any]) -> dict[str, Any]:
        named = {name: value for name, value in settings.items() if name not in OF_CHAT}
        for name, place, inner in (("reasoning_effort", "reasoning", "effort"), ("verbosity", "text", "verbosity")):
            if name in settings:
                named[place] = {inner: settings[name], **named.get(place, {})}
        return {"store": False, **named}

    def _file(self, part: FilePart) -> Block:
        if part.media_type in IMAGES:
            return {"type": "input_image", "image_url": data_url(part), "detail": DETAIL}
        if part.media_type != PDF:
            raise refused(part)
        return {"type": "input_file", "filename": named(part, ".pdf"), "file_data": data_url(part)}

    def _text(self, text: str) -> Block:
        return {"type": "input_text", "text": text}

    def _function(self, tool: Tool) -> Block:
        return {"type": "function", **members(tool, "parameters"), "strict": False}

    def _result(self, found: ResultPart) -> Block:
        return {"type": "function_call_output", "call_id": found.call, "output": repaired(told(found))}

    def _form(self, shape: AnswerShape, name: str) -> dict[str, Any]:
        if shape.mode == "tool":
            function = {"type": "function", "name": name, "strict": shape.strict, "parameters": shape.schema}
            return {"tools": [function], "tool_choice": {"type": "function", "name": name}}
        wanted: dict[str, Any] = {"type": "json_object"}
        if shape.mode != "json_object":
            wanted = {"type": "json_schema", "name": name, "strict": shape.strict, "schema": shape.schema}
        return {"text": {**self._plain.get("text", {}), "format": wanted}}
