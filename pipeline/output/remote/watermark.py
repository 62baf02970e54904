"""The watermark of money as an object in the bucket: up to how much each run may have spent, whatever its ledger knows.

Raised before admission passes it, written only over the version that was read. Each session writes it once as it
begins, over the last one's: who had lost the output, and does not know it yet, cannot raise it any more.
"""

import json
from hashlib import blake2b
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.money import from_units
from pipeline.output.remote.objects import NEW, Lost, Objects, StoreFailed

NAME = "spending.json"
RUNS_KEPT = 8
FENCING_TRIES = 5


class Mark(Struct, frozen=True):
    """Of one run: `upto_units` of 1e-10 USD, by the session of this term, the last that raised it."""

    term: int
    upto_units: int
    upto_usd: str  # the same, for people


def run_key(request_hash: bytes, doc_hash: bytes, input_fingerprint: str) -> str:
    """A run's name: of its job and its input, which are known although its ledger is lost."""
    return blake2b(b"\x00".join((request_hash, doc_hash, input_fingerprint.encode())), digest_size=12).hexdigest()


class Watermark:
    """Of one session. `raise_to` is called from any thread, by one at a time.

    Raises:
        StoreFailed: from every method; `Lost` where another session has written it.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._term = 0
        self._stamp = NEW
        self._marks: dict[str, Mark] = {}

    def begin(self, term: int) -> None:
        """Read it, and keep all earlier sessions from raising it."""
        self._term = term
        for _ in range(FENCING_TRIES):
            found = self._objects.read(NAME)
            self._marks = {} if found is None else _marks(found.content)
            self._stamp = NEW if found is None else found.stamp
            try:
                return self._write(self._marks)
            except Lost:
                continue
        raise StoreFailed(f"{self._objects.url}/{NAME} is written by another run all the time")

    def of(self, key: str) -> Mark | None:
        return self._marks.get(key)

    def set(self, key: str, upto_units: int) -> None:
        """Write where a run's mark stands from now on."""
        mark = Mark(self._term, upto_units, f"{from_units(upto_units):.10f}")
        others = [(name, one) for name, one in self._marks.items() if name != key]
        marks = dict([*others[-RUNS_KEPT + 1 :], (key, mark)])
        self._write(marks)
        self._marks = marks

    def _write(self, marks: dict[str, Mark]) -> None:
        content = json.dumps({"term": self._term, "runs": to_builtins(marks)}, indent=1).encode()
        try:
            self._stamp = self._objects.write(NAME, content, only_over=self._stamp)
        except Lost:
            found = self._objects.read(NAME)  # a write whose answer got lost is repeated, and then meets itself
            if found is None or found.content != content:
                raise
            self._stamp = found.stamp


def _marks(content: bytes) -> dict[str, Mark]:
    """What the object says.

    Raises:
        StoreFailed: it cannot be read. It is not passed over: what it said may have been spent.
    """
    try:
        runs: dict[str, Any] = json.loads(content)["runs"]
        return {key: Mark(**one) for key, one in runs.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        told = "how much earlier runs may have spent is not known. Restore an older version of it, or delete it"
        raise StoreFailed(f"{NAME} in the output is damaged ({error!r}): {told}") from None
