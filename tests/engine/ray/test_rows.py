"""Rows on their way to workers: each once, equal ones together, and again where a worker has died."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.codes import ErrorCode, Status
from pipeline.documents.sources.file_refs import FileRef
from pipeline.engine.feed import RowTask
from pipeline.engine.ray.rows import DEATHS_DOUBTED, DEATHS_MOST, Recent, RowQueue
from pipeline.parts import text_parts
from pipeline.types import Outcome, Row


def task(place, doc=b""):
    return RowTask(Row(place, f"r{place}", text_parts(""), None, {}), doc or bytes([place]), ())


def outcome(one, code=None):
    return Outcome(one.doc, one.row.index, Status.OK if code is None else Status.FAILED, error_code=code)


def test_equal_rows_are_asked_about_once():
    """The others end with it, whether they came before its end or after."""
    queue = RowQueue()
    first, twin, late = task(1, b"a"), task(2, b"a"), task(3, b"a")
    assert queue.add(first) is None
    assert queue.add(twin) is None
    assert queue.take() is first
    assert queue.take() is None
    ended = outcome(first)
    assert queue.ended(first, ended) == [twin]
    assert queue.add(late) is ended


def test_what_ended_is_known_for_as_long_as_a_batch_may_not_know_it():
    """One is made while the last is worked on; the one after that is made with it on record."""
    queue = RowQueue()
    first = task(1, b"a")
    queue.next_batch()
    queue.add(first)
    queue.ended(first, outcome(first))
    queue.next_batch()
    assert queue.add(task(2, b"a")) is not None
    queue.next_batch()
    assert queue.add(task(3, b"a")) is None


def test_a_row_whose_own_file_is_gone_or_whose_tenant_has_no_money_is_not_its_twins_end():
    """They are asked about themselves, one at a time."""
    queue = RowQueue()
    tasks = [task(place, b"a") for place in range(3)]
    for one in tasks:
        queue.add(one)
    first = queue.take()
    assert queue.ended(first, outcome(first, ErrorCode.BAD_ROW)) == []
    second = queue.take()
    queue.left(second)
    assert [first, second, queue.take(), queue.take()] == [*tasks, None]


def test_a_row_that_workers_die_of_is_named():
    """Others that were open with it are begun again, first of all; in the end each by itself."""
    queue = RowQueue()
    queue.add(task(9))
    assert (DEATHS_DOUBTED, DEATHS_MOST) == (2, 4)
    assert queue.again([task(1), task(2)]) is None
    assert [queue.take().row.index for _ in range(3)] == [1, 2, 9]
    assert queue.again([task(1), task(2)]) is None
    assert (queue.take(), queue.suspects) == (None, 2)
    first, second = queue.take_suspect(), queue.take_suspect()
    assert queue.is_suspect(first)
    assert queue.ended(first, outcome(first)) == []
    assert queue.again([second, task(3)]) is None
    assert (queue.take().row.index, queue.suspects) == (3, 1)
    assert queue.again([queue.take_suspect()]) is second


@given(st.lists(st.tuples(st.sampled_from(["add", "take", "end", "die", "leave"]), st.integers(0, 5)), max_size=80))
def test_no_row_is_lost_and_none_is_out_twice(steps):
    """Whatever dies and ends meanwhile: each ends, is left, waits, or is out once."""
    queue, out, added, over = RowQueue(), {}, [], []
    for step, number in steps:
        if step == "add":
            one = task(len(added), bytes([number]))
            added.append(one)
            over += [one] if queue.add(one) is not None else []
        elif step == "take" and (one := queue.take() or (queue.suspects and queue.take_suspect())):
            assert one.doc not in out
            out[one.doc] = one
        elif out:
            one = out.pop(sorted(out)[number % len(out)])
            if step == "die":
                queue.again([one])
            elif step == "leave":
                queue.left(one)
                over.append(one)
            else:
                over += [one, *queue.ended(one, outcome(one))]
    for one in out.values():
        over += [one, *queue.ended(one, outcome(one))]
    while one := queue.take() or (queue.suspects and queue.take_suspect()):
        over += [one, *queue.ended(one, outcome(one))]
    assert sorted(one.row.index for one in over) == list(range(len(added)))


# ── rows whose files workers read ───────────────────────────────────────────────────────────────────────────────────


def unread(place, size=10):
    return RowTask(Row(place, f"r{place}", text_parts(""), None, {}), b"", (), file=FileRef("a.pdf", size=size))


def test_a_row_claims_its_content_once_its_file_has_been_read():
    """Two that turn out to be equal are out at once, and the second waits for the first."""
    queue = RowQueue()
    for place in (1, 2, 3):
        assert queue.add(unread(place)) is None
    first, second, third = (replace(queue.take(), doc=b"a") for _ in range(3))
    assert queue.claim(first) is True
    assert queue.claim(second) is False
    ended = outcome(first)
    assert queue.ended(first, ended) == [second]
    assert queue.claim(third) is ended


def test_what_was_read_of_a_row_dies_with_its_worker():
    """It is read again; those that waited for it are too, and may claim the content first."""
    queue = RowQueue()
    first, second = (replace(unread(place), doc=b"a", stale_session=3) for place in (1, 2))
    queue.claim(first)
    queue.claim(second)
    queue.again([first])
    again = [queue.take(), queue.take()]
    assert [(one.row.index, one.doc, one.stale_session) for one in again] == [(1, b"", 0), (2, b"", 0)]
    assert queue.claim(replace(again[1], doc=b"a")) is True


def test_a_text_that_equals_a_file_is_asked_about_when_that_is_gone():
    queue = RowQueue()
    first, second, third = replace(unread(1), doc=b"a"), task(2, b"a"), replace(unread(3), doc=b"a")
    for one in (first, second, third):
        queue.claim(one)
    queue.left(first)
    assert queue.take() is second
    assert queue.ended(second, outcome(second)) == [third]


def test_what_a_row_may_hold_is_known_while_it_waits():
    queue = RowQueue()
    for place, size in ((1, 100), (2, None), (3, 7)):
        queue.add(unread(place, size))
    assert queue.size == 107
    queue.again([queue.take()])
    assert (queue.size, queue.take().row.index, queue.size) == (107, 1, 7)
    assert [one.row.index for one in queue.clear()] == [2, 3]
    assert (queue.size, len(queue)) == (0, 0)


@given(st.lists(st.sampled_from(["look", "looked", "end"]), max_size=60))
def test_no_outcome_is_missed_by_who_has_looked_before_it(steps):
    """However many look at once, and however long each takes; and in the end nothing is kept."""
    recent, looks, number = Recent(), [], 0
    for step in steps:
        if step == "look":
            looks.append((recent.look(), set()))
        elif step == "end":
            number += 1
            recent.add(Outcome(str(number).encode(), number, Status.OK))
            for _, ended in looks:
                ended.add(str(number).encode())
        elif looks:
            look, ended = looks.pop(number % len(looks))
            assert all(recent.get(doc) is not None for doc in ended)
            recent.looked(look)
    for look, _ in looks:
        recent.looked(look)
    recent.looked(recent.look())
    assert recent._ended == {}
