"""What is sent between processes arrives as it was, in order, however the bytes are cut."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.charges import Used
from pipeline.admission.report import CallEnd, Refusal, Report
from pipeline.codes import ErrorCode, ParkReason, Status
from pipeline.engine.frames import LENGTH, Channel, Frames, Pieces, packed
from pipeline.engine.workers.messages import (
    Admit,
    Begun,
    CallSeen,
    Finish,
    OutcomeSeen,
    SizedRequest,
    StopRun,
    ToRun,
    WorkDone,
    WorkerCounts,
)
from pipeline.ledger.records import Call, Send
from pipeline.types import Dimension, Evidence, LimitSeen, Outcome, Purpose, Usage

LONE = "a \ud800 that a model wrote"
REPORT = Report(
    Used(3, 4, Decimal("0.0000012345")),
    CallEnd.ANSWERED,
    (LimitSeen(Dimension.TOKENS, 9.5, None, 0.1),),
    1.5,
    0.25,
    Dimension.REQUESTS,
    (3, 4),
    untold=True,
    refusal=Refusal("a", "b", 3),
    service="flex",
)
CALL = Call(Send("a1", 3, "r3", 0, Purpose.REPAIR, 2, 17, 18, "acme"), 5, 6, Usage(1, 2, 3, 4, 5), None, 7, error=LONE)
EVIDENCE = ((Evidence("lines[2].amount", "exact", "1", 3, 4),),)
OUTCOME = Outcome(b"\x00\xff", 3, Status.FAILED, error_code=ErrorCode.REFUSED, evidence=EVIDENCE, conflicts=("a",))
MESSAGES = [
    Begun("ab12"),
    Admit(7, SizedRequest(1, 2, 3, None, standard_tier=True, file_tokens=4), retry=True, model="second"),
    Finish(7, REPORT),
    StopRun(ParkReason.DISK_FULL, "no space"),
    WorkerCounts(1, {"refused": 2}, 3, 4, 5, 6),
    CallSeen(CALL),
    OutcomeSeen(OUTCOME),
    WorkDone(None, "a bug", {"acme": LONE}),
]


def arrived(data, cuts):
    """What the other end hears."""

    async def main():
        heard = []
        channel = Channel(Frames(ToRun), heard.append, lambda: None)
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        for start, end in pairwise(places):
            channel.data_received(data[start:end])
        return heard

    return asyncio.run(main())


def sent(turns):
    """The bytes of these turns' messages."""

    async def main():
        written = []
        channel = Channel(Frames(ToRun), lambda _: None, lambda: None)
        channel.connection_made(SimpleNamespace(write=written.append))
        for messages in turns:
            for message in messages:
                channel.send(message)
            await asyncio.sleep(0)
        return b"".join(written), len(written)

    return asyncio.run(main())


TURNS = st.lists(st.lists(st.sampled_from(MESSAGES), min_size=1), max_size=5)


@given(TURNS, st.lists(st.integers(min_value=0, max_value=10_000)))
def test_each_arrives_once_and_in_order(turns, cuts):
    """Whatever is in it, texts that are no Unicode included; a turn is one write."""
    data, writes = sent(turns)
    assert writes == len(turns)
    assert arrived(data, cuts) == [message for messages in turns for message in messages]


def test_only_a_frame_that_has_to_be_is_json():
    """It costs ten times as much."""
    assert packed(MESSAGES[:5])[:1] == b"\x00"
    assert packed(MESSAGES)[:1] == b"\x01"


def test_a_piece_that_is_too_long_is_told_before_it_has_come():
    """Nobody gathers what a stranger claims to send."""
    pieces = Pieces(LENGTH, 5)
    found = pieces.of(LENGTH.pack(5) + b"short" + LENGTH.pack(6))
    assert next(found)[1] == b"short"
    with pytest.raises(ValueError, match="6 bytes"):
        next(found)
