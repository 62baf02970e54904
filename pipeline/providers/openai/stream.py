"""Server-sent events of an answer → the body that it would have had without streaming. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.providers.damage import DAMAGED
from pipeline.providers.json import encoded, items, mapping, string
from pipeline.providers.openai.answers import OWN_FIELDS, text_of
from pipeline.providers.openai.response_events import ResponseEvents
from pipeline.providers.sse import Event, EventStream

CUT_OFF = b""  # what a stream without its end is put together to
WORDS = ("content", "refusal")
THOUGHTS = ("reasoning_content", "reasoning")  # of compatible servers; not part of the answer
SAYS = (*WORDS, *THOUGHTS, "tool_calls", "function_call")
KEPT = ("id", "model", "usage", "service_tier")
CALL_KEPT = ("id", "extra_content")  # of a call, beside the function
ENDINGS = ("native_finish_reason", "stop_details", OWN_FIELDS)  # what gateways say of how an answer ended
PAGES = (b"{", b"[", b"<")  # how a body begins that is no stream


class OpenAIAssembler:
    """Takes the first choice of a chat completion, or what a Responses stream says."""

    def __init__(self) -> None:
        self._events = EventStream()
        self._whole: dict[str, Any] = {}
        self._message: dict[str, Any] = {"role": "assistant", "content": None}
        self._tools: dict[object, dict[str, Any]] = {}  # by index, or by id where a server leaves the index out
        self._finish: str | None = None
        self._ending: dict[str, Any] = {}
        self._error: object = None
        self._response = ResponseEvents()
        self._first = False

    def feed(self, piece: bytes) -> bool:
        for event in self._events.feed(piece):
            self._event(event)
        return self._first

    @property
    def ended(self) -> bool:
        response = self._response.ended
        return self._error is not None or response or self._finish is not None or self._events.done

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:  # noqa: ARG002 (for wires whose end is a status)
        events, rest = self._events.rest()
        for event in events:
            self._event(event)
        if self._error is not None:
            return encoded({**self._whole, "error": self._error})
        if self._events.damage:
            return encoded({**self._whole, **self._response.body(), DAMAGED: self._events.damage})
        if not self._events.begun and rest.lstrip().startswith(PAGES):
            return rest  # an error page, or a server that does not stream
        if not self.ended:
            return CUT_OFF
        if self._response.begun:
            return encoded(self._response.body())
        if self._tools:
            self._message["tool_calls"] = list(self._tools.values())
        choice = {"index": 0, "message": self._message, "finish_reason": self._finish, **self._ending}
        return encoded({**self._whole, "choices": [choice]})

    def _event(self, event: Event) -> None:
        data = event.chunks[0]
        kind = string(data.get("type"))
        if data and (data.get("error") or event.name == "error" or kind == "error"):
            self._error = data.get("error") or data
        elif kind.startswith("response."):
            self._response.take(kind, data)
            self._first = self._first or self._response.first
            self._events.sealed = self._response.ended
        else:
            self._chunk(data)

    def _chunk(self, data: Mapping[str, Any]) -> None:
        choices = items(data.get("choices"))
        if any(mapping(choice.get("delta")).get(name) for choice in choices for name in SAYS):
            self._whole.pop("usage", None)  # what was counted before is not all
        self._whole |= {name: data[name] for name in KEPT if data.get(name)}
        for choice in choices:
            if choice.get("error"):
                self._error = choice["error"]
            if choice.get("index", 0) == 0:
                self._delta(mapping(choice.get("delta")))
                self._ending |= {name: choice[name] for name in ENDINGS if choice.get(name)}
                self._finish = string(choice.get("finish_reason")) or self._finish
        self._events.sealed = self._finish is not None and "usage" in self._whole

    def _delta(self, delta: Mapping[str, Any]) -> None:
        for name in WORDS:
            text = text_of(delta.get(name)) or (name == "refusal" and string(mapping(delta.get(OWN_FIELDS)).get(name)))
            if text:
                self._message[name] = (self._message.get(name) or "") + text
                self._first = True
        self._first = self._first or any(delta.get(name) for name in THOUGHTS)
        for call in items(delta.get("tool_calls")):
            which = call.get("index") if isinstance(call.get("index"), int) else call.get("id")
            self._called(which if isinstance(which, int | str) else next(reversed(self._tools), 0), call)
        if isinstance(delta.get("function_call"), dict):
            self._first = True
            _add(self._message.setdefault("function_call", {}), delta["function_call"])

    def _called(self, which: object, call: Mapping[str, Any]) -> None:
        for kind in ("function", "custom"):
            if isinstance(call.get(kind), dict):
                self._first = True
                kept = self._tools.setdefault(which, {})
                kept |= {name: call[name] for name in CALL_KEPT if call.get(name)}
                _add(kept.setdefault(kind, {}), call[kind])


def _add(kept: dict[str, str], delta: Mapping[str, Any]) -> None:
    kept["name"] = kept.get("name") or string(delta.get("name"))
    for name in ("arguments", "input"):
        if string(delta.get(name)):
            kept[name] = kept.get(name, "") + delta[name]
