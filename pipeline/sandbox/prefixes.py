"""The sandbox's prompt cache: a marked prefix is kept for five minutes after it was last written or read."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from pipeline.sandbox.exchange import Prefix

KEPT_S = 300.0
LEAST_TOKENS = 1024
FIXED = ("model", "tools", "toolConfig", "system", "output_config", "outputConfig")
MARKS = (b'"cache_control":{', b'"cachePoint":{')


def prefix_in(request: Mapping[str, Any], fixed_tokens: int) -> Prefix | None:
    """All before the messages, where a tool or the system prompt carries a mark; marks in messages are not played."""
    fixed = orjson.dumps({name: request[name] for name in FIXED if name in request})
    if not any(mark in fixed for mark in MARKS):
        return None
    return Prefix(blake2b(fixed, digest_size=16).digest(), fixed_tokens)


class Prefixes:
    """Times are of one clock that never goes back."""

    def __init__(self) -> None:
        self._used_s: dict[bytes, float] = {}

    def use(self, prefix: Prefix | None, now_s: float) -> tuple[int, int]:
        """(tokens read, tokens written) for a prompt whose answer begins now: until then nobody else can read them."""
        if prefix is None or prefix.tokens < LEAST_TOKENS:
            return 0, 0
        last_s = self._used_s.get(prefix.digest)
        self._used_s[prefix.digest] = now_s
        kept = last_s is not None and now_s - last_s <= KEPT_S
        return (prefix.tokens, 0) if kept else (0, prefix.tokens)
