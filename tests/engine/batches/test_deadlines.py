"""The deadline, in virtual time: all rows are back by it, and nearly all that could be had at half the price was.

`make soak` lives through 200 nights; here are 20, and those that were late once.
"""

import pytest
from batch_nights import dealt, kept_promises, lived

LATE_ONCE = {"lines-of-quick-batches-expired-while-a-slow-one-was-out": 48, "and-a-stuck-one": 187}


def test_rows_whose_live_calls_fit_are_back_in_time_at_nearly_the_best_price():
    told = kept_promises(range(20))
    assert (told.nights, told.late) == (20, [])
    assert told.batched >= 0.9 * told.possible


@pytest.mark.parametrize("seed", LATE_ONCE.values(), ids=LATE_ONCE)
def test_what_comes_back_to_be_asked_again_needs_its_time_too(seed):
    night = dealt(seed)
    assert night.fits()
    assert lived(night).back_s <= night.span_s


def test_a_queue_that_is_full_all_night_leaves_time_for_live_calls():
    night = dealt(3)
    assert night.fits()
    end = lived(night, full=True)
    assert (end.answered, end.batched) == (night.rows, 0)
    assert night.span_s / 2 <= end.back_s <= night.span_s
