"""Segments of the log in a bucket: what is cut, altered, missing or there twice is seen; a failing store loses none."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s3_server import AWS, emptied

from pipeline.ledger.commit_log import CommitLog, begin_log, framed, frames_in
from pipeline.ledger.log_chain import START, Position, Stretch, chain
from pipeline.output.remote.objects import Lost, Objects, StoreFailed
from pipeline.output.remote.segments import PREFIX, SegmentDamaged, name_of, packed, stretch, stretches_in, unpacked
from pipeline.output.remote.shipper import Shipper

WHOLE = b"".join(
    framed(Position(1, n), Position(1, n + 1), [("INSERT INTO t VALUES (?)", [(f"row {n}",)])]) for n in range(9)
)
FRAMES, _ = frames_in(WHOLE)
SEGMENT = packed(FRAMES)


def test_a_segment_has_what_it_was_made_of():
    assert unpacked(SEGMENT, stretch(FRAMES)) == FRAMES


@given(st.integers(0, len(SEGMENT) - 1))
def test_one_that_is_cut_is_damaged(size):
    with pytest.raises(SegmentDamaged):
        unpacked(SEGMENT[:size], stretch(FRAMES))


@given(st.integers(0, len(SEGMENT) - 1), st.integers(1, 255))
def test_one_that_is_altered_is_damaged(at, change):
    altered = bytearray(SEGMENT)
    altered[at] ^= change
    with pytest.raises(SegmentDamaged):
        unpacked(bytes(altered), stretch(FRAMES))


@pytest.mark.parametrize("frames", [FRAMES[1:], [*FRAMES[:3], *FRAMES[4:]], FRAMES * 2], ids=["less", "gap", "twice"])
def test_one_that_holds_something_else_than_it_says_is_damaged(frames):
    with pytest.raises(SegmentDamaged, match="what its name says"):
        unpacked(packed(frames), stretch(FRAMES))


class Store:
    """A bucket in memory that fails when told to."""

    def __init__(self):
        self.there, self.failing, self.silently, self.lock = {}, False, False, None

    def write(self, name, content, only_over=None):  # noqa: ARG002 (always of nothing)
        if self.failing and not self.silently:
            raise StoreFailed("down")
        if name in self.there:
            raise Lost(name)
        self.there[name] = content
        if self.failing:
            raise StoreFailed("the answer got lost")

    def read(self, name):
        return type("Read", (), {"content": self.there[name]}) if name in self.there else None

    def delete(self, names):
        for name in names:
            del self.there[name]


STEPS = st.lists(
    st.sampled_from(
        ["commit", "commit", "commit", "ship", "fails", "fails silently", "works", "snapshot", "unwritten"]
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_fails_the_bucket_leads_from_its_snapshot_to_all_that_was_shipped_without_a_gap(steps):
    """Stores that fail or lose their answers; snapshots between; commits that could not be written down here."""
    with TemporaryDirectory() as scratch:
        log, store, at, snapshot = begin_log(Path(scratch), 2), Store(), START, START
        writer = CommitLog(log, 2)
        shipper = Shipper(store, log, START, 2, 1.0)
        for step in [*steps, "works", "snapshot", "commit", "ship"]:
            store.failing, store.silently = {
                "fails": (True, False), "fails silently": (True, True), "works": (False, False),
            }.get(step, (store.failing, store.silently))  # fmt: skip
            if step in {"commit", "unwritten"}:
                if step == "commit":
                    writer.add(at, at.next(2), [("INSERT", [("x",)])])
                at = at.next(2)
            elif step == "ship":
                try:
                    shipper.ship()
                except StoreFailed:
                    assert store.failing
            elif step == "snapshot":
                snapshot = at
                shipper.snapshot_has(at)
            way = chain(snapshot, stretches_in(list(store.there)))
            assert way.beyond == ()
            for one in way.stretches:
                assert stretch(unpacked(store.there[name_of(one)], one)) == one
        assert way.stretches[-1].upto == at
        writer.close()


def test_in_a_real_bucket_they_are_listed_by_name_and_never_written_over(s3, monkeypatch):
    emptied(s3, "out")
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    objects = Objects("s3://out/night", {**AWS, "AWS_ENDPOINT_URL": s3})
    with TemporaryDirectory() as scratch:
        log = begin_log(Path(scratch), 1)
        writer, shipper = CommitLog(log, 1), Shipper(objects, log, START, 1, 1.0)
        at = START
        for _ in range(3):
            writer.add(at, at.next(1), [("INSERT", [("x",)])])
            at = at.next(1)
            shipper.ship()
        first = Stretch(START, Position(1, 1))
        other = Shipper(objects, log, START, 1, 1.0)
        assert chain(START, stretches_in(objects.names(PREFIX))).stretches[-1].upto == at
        objects.delete([name_of(first)])
        objects.write(name_of(first), b"somebody else's")
        with pytest.raises(Lost):
            other._put(first, b"ours")
        shipper.snapshot_has(at)
        assert objects.names(PREFIX) == []
        writer.close()
