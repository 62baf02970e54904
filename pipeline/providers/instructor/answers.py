"""Answers of vendors that do not answer as chat completions do, put as these. Pure.

Forms as of 2026-11: docs.cohere.com, "Chat (V2)" and "Chat (V1)"; all others of instructor's answer as OpenAI does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.providers.json import mapping, string, told_count

ENDS = {"timeout": "error", "error_limit": "length", "error_toxic": "content_filter"}  # Cohere's, in OpenAI's words
COUNTS = {  # a vendor's names of a count → OpenAI's
    **dict.fromkeys(("prompt_tokens", "input_tokens"), "prompt_tokens"),
    **dict.fromkeys(("completion_tokens", "output_tokens"), "completion_tokens"),
}
TOLD = ("id", "model", "error")
PLACES = (  # of an answer's counts, the first that tells one; what is billed before what was read
    ("usage", "billed_units"), ("usage", "tokens"), ("usage",), ("meta", "billed_units"), ("meta", "tokens"),
)  # fmt: skip


def as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The body as a chat completion; itself where it is one, or is nothing that is known."""
    message = body.get("message")
    if not isinstance(message, dict):
        message = {"role": "assistant", "content": body.get("text")}
    if "choices" in body or not (isinstance(body.get("message"), dict) or isinstance(body.get("text"), str)):
        return body
    finish = string(body.get("finish_reason"))
    return {
        **{name: value for name, value in body.items() if name in TOLD},
        "choices": [{"message": message, "finish_reason": ENDS.get(finish.lower(), finish)}],
        "usage": counts_of(body),
    }


def counts_of(body: Mapping[str, Any]) -> dict[str, int]:
    """What the answer tells of its tokens, by OpenAI's names; empty where it tells nothing."""
    return next(filter(None, map(_counts, _places(body))), {})


def _places(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for path in PLACES:
        place = body
        for name in path:
            place = mapping(place.get(name))
        yield place


def _counts(place: Mapping[str, Any]) -> dict[str, int]:
    found = ((ours, told_count(place.get(name))) for name, ours in COUNTS.items())
    return {ours: count for ours, count in found if count is not None}
