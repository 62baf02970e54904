"""The sandbox's prompt cache: a marked prefix is kept for five minutes after it was last written or read."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from pipeline.sandbox.exchange import Prefix

KEPT_S = 300.0
LEAST_TOKENS = 1024
FIXED = ("model", "tools", "toolConfig", "system", "output_config", "outputConfig")
MARKS = (b'"cache_control":{', b'"cachePoint":{')


def prefix_in(request: Mapping[str, Any], fixed_tokens: int, message_tokens: Sequence[int] = ()) -> Prefix | None:
    """All up to the last mark: on a tool, the system prompt, or a message before the last one."""
    messages = request.get("messages", ())[:-1]
    marked = [number for number, one in enumerate(messages, 1) if _is_marked(one)]
    shared = marked[-1] if marked else 0
    fixed = orjson.dumps({name: request[name] for name in FIXED if name in request})
    if not shared and not any(mark in fixed for mark in MARKS):
        return None
    digest = blake2b(fixed, digest_size=16)
    digest.update(orjson.dumps(messages[:shared]) if shared else b"")
    return Prefix(digest.digest(), fixed_tokens + sum(message_tokens[:shared]))


def _is_marked(message: Any) -> bool:  # noqa: ANN401 (any JSON value)
    return any(mark in orjson.dumps(message) for mark in MARKS)


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
