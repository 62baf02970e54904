"""A message as Anthropic's servers answer it → its text and its usage. Pure, and total: any JSON has some."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.parts import ToolCall
from pipeline.providers.json import called_with, count, dumped, items, mapping, string, told_count
from pipeline.providers.tool_calls import identified
from pipeline.providers.usage import usage_from
from pipeline.text import repaired
from pipeline.types import Usage


def content_text(content: object, tool: str) -> str:
    """The input of the calls of `tool` (or of all calls, where none is of it) as JSON, else all text.

    Thinking, redacted thinking and what server tools did are passed over, wherever they stand.
    """
    blocks = items(content)
    called = called_with(list(_calls(blocks)), tool)
    return repaired("".join(_texts(blocks)) if called is None else called)


def asked_of(content: object) -> tuple[list[Mapping[str, Any]], tuple[ToolCall, ...]]:
    """The calls of tools, and what goes back before what they found: all blocks but blank texts, which are refused."""
    blocks = [one for one in items(content) if one.get("type") != "text" or string(one.get("text")).strip()]
    back = [{**one, "input": mapping(one.get("input"))} if one.get("type") == "tool_use" else one for one in blocks]
    made = [one for one in back if one.get("type") == "tool_use"]
    calls = ((string(one.get("id")), string(one.get("name")), dumped(one["input"])) for one in made)
    return back, identified(calls)


def usage_of(usage: object) -> Usage:
    """Tokens as everywhere else: Anthropic's own `input_tokens` leaves out what was read from or written to a cache."""
    told = mapping(usage)
    fresh, read, written = (
        told_count(told.get("input_tokens")),
        count(told.get("cache_read_input_tokens")),
        _cache_writes(told),
    )
    return usage_from(
        None if fresh is None else fresh + read + written,
        told_count(told.get("output_tokens")),
        cached=read,
        written=written,
        reasoning=count(mapping(told.get("output_tokens_details")).get("thinking_tokens")),
    )


def tier_of(message: Mapping[str, Any]) -> str:
    return string(mapping(message.get("usage")).get("service_tier"))


def refusal_words(message: Mapping[str, Any]) -> str:
    """Why the model declined, where the provider says so; the answer itself is often empty then."""
    return repaired(string(mapping(message.get("stop_details")).get("explanation")))


def _calls(blocks: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for block in blocks:
        if block.get("type") == "tool_use" and "input" in block:
            told = block["input"]  # a broken one comes as text already
            yield string(block.get("name")), told if isinstance(told, str) else dumped(told)


def _texts(blocks: list[Mapping[str, Any]]) -> Iterator[str]:
    for block in blocks:
        if block.get("type") == "text":
            yield string(block.get("text"))


def _cache_writes(usage: Mapping[str, Any]) -> int:
    total, parts = usage.get("cache_creation_input_tokens"), usage.get("cache_creation")
    if total is None and isinstance(parts, dict):  # by lifetime: five minutes, an hour
        return sum(count(part) for name, part in parts.items() if name.endswith("_input_tokens"))
    return count(total)
