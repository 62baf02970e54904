"""Bytes over calls of which nobody may say whether they ran."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.ray import sequence
from pipeline.engine.ray.sequence import Heard, Outbox

STEPS = st.lists(
    st.one_of(st.binary(min_size=1, max_size=3), st.sampled_from(["fine", "not run", "run, and not told"])), max_size=60
)


def pulled(steps):
    """As `say` is called: the far end has the bytes, and the caller says what it has."""
    outbox, got, known = Outbox(), b"", 0
    for step in [*steps, "fine", "fine"]:
        if isinstance(step, bytes):
            outbox.gather(step)
        elif step != "not run" and (batch := outbox.batch(known)) is not None and step == "fine":
            number, data = batch
            got += data if number > known else b""
            known = max(known, number)
    return got


def pushed(steps):
    """As `hear` is called: the caller has the bytes, and repeats a call until it is answered."""
    outbox, heard, got, known = Outbox(), Heard(), b"", 0
    for step in [*steps, "fine", "fine"]:
        if isinstance(step, bytes):
            outbox.gather(step)
        elif (batch := outbox.batch(known)) is not None and step != "not run":
            got += heard.take(*batch)
            known = batch[0] if step == "fine" else known
    return got


@given(STEPS)
def test_each_byte_arrives_once_and_in_order(steps):
    """Whatever calls are repeated, and whether they had run or not."""
    wanted = b"".join(step for step in steps if isinstance(step, bytes))
    assert pulled(steps) == wanted
    assert pushed(steps) == wanted


def test_a_batch_is_no_larger_than_one_call_should_be(monkeypatch):
    """But for a single piece that is."""
    monkeypatch.setattr(sequence, "MOST_BYTES", 4)
    outbox = Outbox()
    for piece in (b"ab", b"cd", b"efghij", b"k"):
        outbox.gather(piece)
    assert [outbox.batch(known)[1] for known in range(3)] == [b"abcd", b"efghij", b"k"]


def test_a_batch_that_is_on_its_way_does_not_grow():
    """What gathers meanwhile is in the next: its number says what is in it."""
    outbox = Outbox()
    outbox.gather(b"a")
    assert outbox.batch(0) == (1, b"a")
    outbox.gather(b"b")
    assert outbox.batch(0) == (1, b"a")
    assert outbox.batch(1) == (2, b"b")
    assert outbox.batch(2) is None
