"""What the sandbox saw, sent and billed, so that a client's books can be held against it.

An answer is billed when it starts to be written: also one that is then cut off, or that the client no longer waits for.
A batch's line is billed when it has been run, whether it is fetched or not.
"""

from collections import Counter
from hashlib import blake2b
from typing import Any, Literal

import orjson
from msgspec import Struct, field

from pipeline.sandbox.exchange import Answer
from pipeline.sandbox.faults import Fault
from pipeline.sandbox.packs import documents_in

NOT_CONTENT = (
    "stream",
    "stream_options",
    "model",
    "service_tier",
    "labels",
)  # how it is asked; the model is counted apart
CACHE_MARK = "cache_control"


class Billed(Struct):
    """What one lane was billed."""

    lines: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, answer: Answer) -> None:
        self.lines += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens


class BatchCounters(Struct):
    batches_created: int = 0
    batches_failed: int = 0  # as a whole, when they were created
    polls: int = 0
    listings: int = 0
    uploads: int = 0
    downloads: int = 0
    cancels: int = 0
    deletions: int = 0


class Counters(Struct):
    requests: int = 0
    answered: int = 0
    rate_limited: int = 0  # by the buckets
    unanswered: int = 0  # held until the client went away
    by_status: Counter[int] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    live: Billed = field(default_factory=Billed)
    batch: Billed = field(default_factory=Billed)
    batches: BatchCounters = field(default_factory=BatchCounters)
    documents: Counter[bytes] = field(default_factory=Counter)  # digest → answers billed; of several in one each
    bodies: Counter[bytes] = field(default_factory=Counter)
    contents: Counter[bytes] = field(default_factory=Counter)
    in_flight: int = 0
    max_concurrent: int = 0

    def began(self) -> int:
        """Count a request in; its number."""
        self.requests += 1
        self.in_flight += 1
        self.max_concurrent = max(self.max_concurrent, self.in_flight)
        return self.requests

    def billed(self, answer: Answer, document: str, content: bytes, lane: Literal["live", "batch"] = "live") -> None:
        """`content`: as of `content_digest`."""
        (self.live if lane == "live" else self.batch).add(answer)
        for text in documents_in(document) or (document,):
            self.documents[blake2b(text.encode(), digest_size=16).digest()] += 1
        self.contents[content] += 1

    def sent(self, body: bytes) -> None:
        """Count an answer to a live call; `body`: its request's digest."""
        self.answered += 1
        self.by_status[200] += 1
        self.bodies[body] += 1

    def as_dict(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "answered": self.answered,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "throttled": self.faults[Fault.THROTTLED],
            "rate_limited": self.rate_limited,
            "unanswered": self.unanswered,
            "faults": {fault.value: self.faults[fault] for fault in Fault if fault is not Fault.NONE},
            "billed_prompt_tokens": self.live.prompt_tokens + self.batch.prompt_tokens,
            "billed_completion_tokens": self.live.completion_tokens + self.batch.completion_tokens,
            "documents_billed": len(self.documents),
            "documents_billed_again": sum(count > 1 for count in self.documents.values()),
            "requests_billed_again": sum(count > 1 for count in self.bodies.values()),
            "billed_twice": self.contents.total() - len(self.contents),
            "batch_lines_billed": self.batch.lines,
            "lanes": {"live": _told(self.live), "batch": _told(self.batch)},
            **_told(self.batches),
            "in_flight": self.in_flight,
            "max_concurrent": self.max_concurrent,
        }


def _told(counts: Struct) -> dict[str, int]:
    return {name: getattr(counts, name) for name in counts.__struct_fields__}


def content_digest(model: str, body: bytes) -> bytes:
    """Of what is asked, however it is asked: live or in a batch, as a stream or not, with whatever cache marks.

    Schemas of Gemini are left out, since their field has one name live and another in a batch.
    """
    found = orjson.loads(body)
    for name in NOT_CONTENT:
        found.pop(name, None)
    if isinstance(generation := found.get("generationConfig"), dict):
        kept = {name: value for name, value in generation.items() if "schema" not in name.lower()}
        found["generationConfig"] = kept
    if CACHE_MARK.encode() in body:
        found = _unmarked(found)
    return blake2b(orjson.dumps([model, found], option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _unmarked(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    if isinstance(value, dict):
        return {name: _unmarked(one) for name, one in value.items() if name != CACHE_MARK}
    return [_unmarked(one) for one in value] if isinstance(value, list) else value
