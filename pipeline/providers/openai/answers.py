"""What the body of an answer holds: its text, how it ended, what it used; as chat completions or as Responses. Pure.

Nothing is taken for granted: a value of another type than it should have counts as missing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from pipeline.parts import ToolCall
from pipeline.providers.json import called_with, count, dumped, items, mapping, string, told_count
from pipeline.providers.tool_calls import identified
from pipeline.providers.usage import usage_from
from pipeline.types import Stop, Usage

STOPS = {  # in lower case; a gateway may pass on the word of the provider behind it
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn", "completed"), Stop.DONE),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use"), Stop.DONE),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), Stop.TRUNCATED),
    **dict.fromkeys(("content_filter", "safety"), Stop.BLOCKED),
    **dict.fromkeys(("recitation", "prohibited_content", "blocklist", "spii", "sensitive"), Stop.BLOCKED),
    **dict.fromkeys(("guardrail_intervened", "content_filtered"), Stop.BLOCKED),
    "refusal": Stop.REFUSED,
}
BROKEN = {  # no end at all: such an answer is none. One with any other word, or none, is judged by its content
    *("error", "failed", "cancelled", "canceled", "abort", "aborted", "incomplete", "in_progress", "queued", "other"),
    *("load", "insufficient_system_resource", "network_error", "malformed_function_call", "malformed_model_output"),
}
REFUSES = "refusal"  # in the words of the provider behind a gateway
CALLS = ("function_call", "custom_tool_call")  # among the items of a Responses body
COMMENTARY = "commentary"  # the phase of a message that a model says on its way to the answer
OWN_FIELDS = "provider_specific_fields"
REASONED = ("reasoning_content", "reasoning_details")  # that servers want to see again beside calls


class Content(Struct, frozen=True):
    text: str  # or the arguments of the function that was called
    finish: str  # "" when the answer does not say
    refusal: str = ""

    @property
    def stop(self) -> Stop | None:
        """None for a broken one. Where nothing is said of its end, or in no known word, its content tells."""
        word = self.finish.lower()
        if self.refusal or word in BROKEN:
            return Stop.REFUSED if self.refusal else None
        return STOPS.get(word, Stop.DONE)


def content_of(body: Mapping[str, Any], tool: str) -> Content:
    """The first choice; functions that were called go before text."""
    if "output" in body and "choices" not in body:
        return _of_response(body, tool)
    choice = next(iter(items(body.get("choices"))), {})
    message = mapping(choice.get("message"))
    text = called_with(list(_texts(_calls(message))), tool)
    if text is None:
        text = text_of(message.get("content"))
    return Content(text, string(choice.get("finish_reason")), refusal_of(choice, message))


def asked_of(body: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], tuple[ToolCall, ...]]:
    """The functions that are called, and what goes back into the conversation before what they found."""
    if "output" in body and "choices" not in body:
        output = items(body.get("output"))
        given = [(string(one.get("call_id")), *told) for one in output if (told := _item_call(one)) is not None]
        calls = identified(given)
        return list(_items_back(output, calls)), calls
    message = mapping(next(iter(items(body.get("choices"))), {}).get("message"))
    made = [one for one in items(message.get("tool_calls")) if isinstance(one.get("function"), dict)]
    functions = [mapping(one["function"]) for one in made]
    calls = identified(
        (string(one.get("id")), string(function.get("name")), _as_text(function.get("arguments")))
        for one, function in zip(made, functions, strict=True)
    )
    back = [
        {**one, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for one, call in zip(made, calls, strict=True)
    ]
    kept = {name: message[name] for name in REASONED if message.get(name)}
    return [{"role": "assistant", "content": message.get("content"), **kept, "tool_calls": back}], calls


def _item_call(item: Mapping[str, Any]) -> tuple[str, str] | None:
    if item.get("type") != "function_call":
        return None
    return string(item.get("name")), _as_text(item.get("arguments"))


def _items_back(output: Iterable[Mapping[str, Any]], calls: Iterable[ToolCall]) -> Iterator[Mapping[str, Any]]:
    """Without ids, as nothing is kept at the provider; so reasoning goes back only where it is all there."""
    left = iter(calls)
    for item in output:
        if _item_call(item) is not None:
            call = next(left)
            yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        elif item.get("type") == "reasoning" and item.get("encrypted_content"):
            yield {name: value for name, value in item.items() if name not in {"id", "status"}}
        elif item.get("type") == "message" and (text := text_of(item.get("content"))):
            yield {"role": "assistant", "content": text}


def _as_text(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else dumped(arguments)


def usage_of(usage: object) -> Usage:
    """As the provider counts: with cached reads in the input, and with reasoning in the output.

    Some servers count reasoning beside the completion; their total tells. Some report more cached reads than input:
    that is passed on, and cut where it is priced.
    """
    told = mapping(usage)
    prompt = mapping(told.get("prompt_tokens_details") or told.get("input_tokens_details"))
    output = mapping(told.get("completion_tokens_details") or told.get("output_tokens_details"))
    input_tokens = _told(told, "prompt_tokens", "input_tokens")
    output_tokens = _told(told, "completion_tokens", "output_tokens")
    reasoning, total = count(output.get("reasoning_tokens")), count(told.get("total_tokens"))
    if output_tokens is not None and reasoning and total == (input_tokens or 0) + output_tokens + reasoning:
        output_tokens += reasoning
    return usage_from(
        input_tokens,
        output_tokens,
        cached=_first(prompt.get("cached_tokens"), told.get("prompt_cache_hit_tokens"), told.get("cached_tokens")),
        written=_first(prompt.get("cache_write_tokens"), told.get("cache_creation_input_tokens")),
        reasoning=reasoning,
    )


def text_of(content: object) -> str:
    """Plain, or in parts."""
    if isinstance(content, str):
        return content
    return "".join(string(part.get("text")) for part in items(content))


def refusal_of(choice: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    """Why the model declined: as OpenAI tells it, or as gateways do (LiteLLM: in fields of the provider's own)."""
    places = [
        message,
        *items(message.get("content")),
        mapping(message.get(OWN_FIELDS)),
        mapping(choice.get(OWN_FIELDS)),
    ]
    for place in places:
        if told := string(place.get("refusal")):
            return told
    for place in (choice, *places):
        details = mapping(place.get("stop_details"))
        if details.get("type") == REFUSES:
            return string(details.get("explanation")) or REFUSES
    return REFUSES if choice.get("native_finish_reason") == REFUSES else ""


def _calls(message: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """(name, arguments) of every function that the message calls; custom ones and the old form too."""
    for call in items(message.get("tool_calls")):
        for kind, arguments in (("function", "arguments"), ("custom", "input")):
            if isinstance(call.get(kind), dict):
                yield string(call[kind].get("name")), call[kind].get(arguments)
    legacy = mapping(message.get("function_call"))
    if legacy:
        yield string(legacy.get("name")), legacy.get("arguments")


def _texts(calls: Iterable[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """With the arguments as text; some servers send them as an object."""
    for name, arguments in calls:
        if isinstance(arguments, str | dict):
            yield name, arguments if isinstance(arguments, str) else dumped(arguments)


def _of_response(body: Mapping[str, Any], tool: str) -> Content:
    """A Responses body: messages and function calls among other items, such as reasoning."""
    output = items(body.get("output"))
    calls = [one for one in output if one.get("type") in CALLS]
    messages = [one for one in output if string(one.get("type", "message")) == "message"]
    answers = [one for one in messages if one.get("phase") != COMMENTARY] or messages
    parts = [part for one in answers for part in items(one.get("content"))]
    given = ((string(one.get("name")), one.get("arguments", one.get("input"))) for one in calls)
    text = called_with(list(_texts(given)), tool)
    if text is None:
        text = "".join(string(part.get("text")) for part in parts)
    reason, status = string(mapping(body.get("incomplete_details")).get("reason")), string(body.get("status"))
    finish = reason if reason.lower() in STOPS else status or reason  # stopped for another reason, it is not whole
    return Content(text, finish, next((told for part in parts if (told := string(part.get("refusal")))), ""))


def _told(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        if (found := told_count(usage.get(name))) is not None:
            return found
    return None


def _first(*counts: object) -> int:
    return next((found for found in map(count, counts) if found), 0)
