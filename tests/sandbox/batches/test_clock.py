"""The clock runs with real time, faster, or is turned ahead; never back."""

from pipeline.sandbox.batches.clock import Clock, Turn


def test_a_clock_that_is_turned():
    real = [100.0]
    clock = Clock(lambda: real[0])
    real[0] = 101.0
    assert clock.now_s() == 101.0
    clock.turn(Turn(advance_s=50.0))
    assert clock.now_s() == 151.0
    clock.turn(Turn(factor=3600.0))
    real[0] = 103.0
    assert clock.now_s() == 151.0 + 7200.0
    clock.turn(Turn(factor=0.0))
    real[0] = 200.0
    assert clock.now_s() == 151.0 + 7200.0


def test_a_real_clock_that_is_set_back_does_not_take_it_along():
    real = [100.0]
    clock = Clock(lambda: real[0])
    real[0] = 50.0
    assert clock.now_s() == 100.0
