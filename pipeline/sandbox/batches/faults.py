"""What the batch APIs are to suffer, as a test or a rehearsal sets it. Pure but for what was used up.

Chance comes from one hash of (seed, what, line), so that it does not depend on who asks first.
"""

import re
from collections import deque
from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Share = Annotated[float, Meta(ge=0, le=1)]
Times = Annotated[int, Meta(ge=0)]
Operation = Literal["upload", "create", "look", "list", "cancel", "content", "delete"]
Word = Annotated[str, Meta(pattern=r"^(ok|lost|cut|full|[45]\d\d( after)?)(\*\d+)?$")]
REPEATED = re.compile(r"^(.*)\*(\d+)$")


class Lines(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of a batch's lines, from 0 to 1. The first two are fates; the others spoil what is delivered."""

    expired: Share = 0.0  # never run, and the batch ends as expired
    refused: Share = 0.0  # an error of its own, not billed
    missing: Share = 0.0  # run and billed, and in no file
    duplicated: Share = 0.0
    garbled: Share = 0.0  # cut off in the middle
    foreign: Share = 0.0  # with a line of somebody else's before it
    swapped: Share = 0.0  # two neighbours have each other's name
    null: Share = 0.0  # no answer and no error
    no_usage: Share = 0.0
    shuffled: bool = False


class Course(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a whole batch."""

    stuck: bool = False  # no line is ever run
    fails: Literal["", "validation", "token_limit"] = ""
    fail_line: Times | None = None  # the line that validation names, from 1
    waiting_tokens: Times = 90_000  # the limit that token_limit tells
    cancel: Literal["", "race", "never"] = ""  # it ends by itself as the cancel arrives; it stays cancelling
    hide: tuple[Literal["output", "error"], ...] = ()  # result files whose names are null
    hide_looks: Times = 0  # for so many looks after the end; 0: always
    gone: Literal[0, 403, 404, 410] = 0  # what results answer
    unseen_looks: Times = 0  # so many looks are 404 at first
    listed_after_s: Annotated[float, Meta(ge=0)] = 0.0  # of the clock
    times: Times = 0  # for so many batches from now on; 0: for all


class Set(Struct, frozen=True, forbid_unknown_fields=True):
    """What `POST /_sandbox/faults` takes, instead of all that was set before."""

    on: dict[Operation, list[Word]] = field(default_factory=dict)  # what the next requests suffer, one word each
    batches: Course = Course()
    lines: Lines = Lines()
    list_page: Times = 0  # the most that one page of a listing holds; 0: the provider's
    most_bytes: Times = 0  # beyond it a file or a batch is a 413; 0: the provider's
    azure_loose: bool = False


class Faults:
    """`on`, used up word by word, and the rest as it was set."""

    def __init__(self, seed: int, wanted: Set) -> None:
        self._seed = seed
        self._left = {operation: deque(spelled(words)) for operation, words in wanted.on.items()}
        self._times = wanted.batches.times
        self.set = wanted

    def next(self, operation: Operation) -> str:
        """What this request suffers; "ok" for nothing."""
        left = self._left.get(operation)
        return left.popleft() if left else "ok"

    def course(self) -> Course:
        """For a batch that is created now."""
        wanted = self.set.batches
        if not wanted.times:
            return wanted
        self._times -= 1
        return wanted if self._times >= 0 else Course()

    def left(self) -> dict[str, list[str]]:
        return {operation: list(words) for operation, words in self._left.items() if words}


def spelled(words: Iterable[str]) -> Iterable[str]:
    """`500*3` is 500 three times."""
    for word in words:
        found = REPEATED.match(word)
        yield from [found[1]] * int(found[2]) if found else [word]


def falls(seed: str, what: str, line: int, share: float) -> bool:
    """Whether this line is among the share."""
    if not share:
        return False
    raw = blake2b(f"{what} {line}".encode(), digest_size=8, key=seed.encode()[:64]).digest()
    return (int.from_bytes(raw, "big") >> 11) / 2**53 < share
