"""What the sandbox saw, sent and billed, so that a client's books can be held against it.

An answer is billed when it starts to be written: also one that is then cut off, or that the client no longer waits for.
"""

from collections import Counter
from typing import Any

from msgspec import Struct, field

from pipeline.sandbox.exchange import Answer
from pipeline.sandbox.faults import Fault


class Counters(Struct):
    requests: int = 0
    answered: int = 0
    rate_limited: int = 0  # by the buckets
    unanswered: int = 0  # held until the client went away
    by_status: Counter[int] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    documents: Counter[bytes] = field(default_factory=Counter)  # digest → answers billed
    bodies: Counter[bytes] = field(default_factory=Counter)
    in_flight: int = 0
    max_concurrent: int = 0

    def began(self) -> int:
        """Count a request in; its number."""
        self.requests += 1
        self.in_flight += 1
        self.max_concurrent = max(self.max_concurrent, self.in_flight)
        return self.requests

    def billed(self, answer: Answer, document: bytes, body: bytes) -> None:
        self.answered += 1
        self.by_status[200] += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens
        self.documents[document] += 1
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
            "billed_prompt_tokens": self.prompt_tokens,
            "billed_completion_tokens": self.completion_tokens,
            "documents_billed": len(self.documents),
            "documents_billed_again": sum(count > 1 for count in self.documents.values()),
            "requests_billed_again": sum(count > 1 for count in self.bodies.values()),
            "in_flight": self.in_flight,
            "max_concurrent": self.max_concurrent,
        }
