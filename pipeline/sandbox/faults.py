"""What a request is to suffer, and how an answer is spoiled. Pure.

All chance comes from one hash of (seed, request, how often it was seen), so that it does not depend on who comes first.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

import orjson
from msgspec import Struct

from pipeline.errors import JobError
from pipeline.job.settings import Sandbox

LATENCY_SPREAD = 0.25  # sigma of the logarithm
LATENCY_RANGE = (0.5, 1.5)
HINTS_S = (0.02, 0.05, 0.1, 0.2)  # what a 429 that is a fault asks to wait
SCALAR_TYPES = {"string", "number", "integer", "boolean"}
NORMAL = NormalDist()


class Fault(StrEnum):
    NONE = "none"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    INVALID_OUTPUT = "invalid_output"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    DISCONNECT = "disconnect"


class Drawn(Struct, frozen=True):
    """One request's lot."""

    fault: Fault
    variant: int  # in which of several ways
    latency_s: float
    tag: str  # names this request, and this time that it was seen

    @property
    def status(self) -> int:
        """The status of a SERVER_ERROR."""
        return (500, 503)[self.variant % 2]

    @property
    def hint_s(self) -> float:
        """The hint of a THROTTLED."""
        return HINTS_S[self.variant % len(HINTS_S)]


class Faults:
    """The shares of a configuration, stacked on [0, 1).

    Raises:
        JobError: a share is outside [0, 1], or they add up to more than 1.
    """

    def __init__(self, config: Sandbox) -> None:
        shares = {fault: float(getattr(config, fault.value)) for fault in Fault if fault is not Fault.NONE}
        for fault, share in shares.items():
            if not 0 <= share <= 1:
                raise JobError(f"sandbox.{fault} = {share!r} should be a share between 0 and 1")
        total = math.fsum(shares.values())
        if total > 1:
            listed = ", ".join(f"{fault} = {share:g}" for fault, share in shares.items() if share)
            raise JobError(f"the shares of [sandbox] add up to {total:g}, which is more than 1: {listed}. Lower some")
        self._stack: list[tuple[float, Fault]] = []
        below = 0.0
        for fault, share in shares.items():
            below += share
            if share:
                self._stack.append((below, fault))
        self._key = blake2b(str(config.seed).encode(), digest_size=16).digest()
        self._latency_s = config.latency_ms / 1000

    def draw(self, digest: bytes, seen: int) -> Drawn:
        """The lot of the request with this digest, seen `seen` times before."""
        raw = blake2b(digest + seen.to_bytes(8, "big"), digest_size=32, key=self._key).digest()
        point = (int.from_bytes(raw[:8], "big") >> 11) / 2**53
        fault = next((fault for below, fault in self._stack if point < below), Fault.NONE)
        latency_s = self._latency_s * latency_factor(raw[16:20]) if self._latency_s else 0.0
        return Drawn(fault, int.from_bytes(raw[8:12], "big"), latency_s, raw[20:].hex())


def latency_factor(chance: bytes) -> float:
    """Lognormal around 1, cut to ±50 %, from four random bytes."""
    uniform = (int.from_bytes(chance, "big") + 0.5) / 2**32
    low, high = LATENCY_RANGE
    return min(high, max(low, math.exp(LATENCY_SPREAD * NORMAL.inv_cdf(uniform))))


def spoiled(record: Mapping[str, Any], schema: Mapping[str, Any] | None, variant: int) -> str:
    """The record as an answer that does not fit its schema, in one of four ways."""
    properties = (schema or {}).get("properties", {})
    ways: tuple[Callable[[Mapping[str, Any], Mapping[str, Any]], str], ...] = (_missing, _mistyped, _unclosed, _chatty)
    return ways[variant % len(ways)](record, properties)


def _missing(record: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """Without the fields that may not be null: leaving out one that has a default would be no fault."""
    kept = {key: value for key, value in record.items() if _nullable(properties.get(key, {}))}
    return _text(kept) if len(kept) < len(record) else _mistyped(record, properties)


def _mistyped(record: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    scalars = [key for key in record if properties.get(key, {}).get("type") in SCALAR_TYPES]
    key = next(iter(scalars or record), "unexpected")
    wrong: Any = {"unexpected": record.get(key)}
    if not scalars and isinstance(record.get(key), dict | list):
        wrong = "see the document"
    return _text({**record, key: wrong})


def _unclosed(record: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return _text(record)[:-1] + ","


def _chatty(record: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return f"Here is what I found: {_text(record)} Some fields may be wrong, {{please}} check them."


def _nullable(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return True
    return any(isinstance(option, Mapping) and _nullable(option) for option in node.get("anyOf", ()))


def _text(record: Mapping[str, Any]) -> str:
    return orjson.dumps(record).decode()
