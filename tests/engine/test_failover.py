"""A model in trouble and its spare, in virtual time: no row lost, none paid twice, seconds instead of minutes."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest
from failover import TROUBLES, Provider, Saying, down, simulated, up

from pipeline.admission.gate import Diverted
from pipeline.admission.stop import Stopped
from pipeline.codes import ErrorCode, Status
from pipeline.engine.feed import RowTask
from pipeline.engine.several import Several, Station
from pipeline.job.settings import Fallback, RouteRule
from pipeline.parts import text_parts
from pipeline.types import Outcome, Row

WELL_S = simulated(Provider(up), Provider(up), rows=1500).seconds


@pytest.mark.parametrize("name", [name for name in TROUBLES if name != "both down"])
def test_no_row_is_lost_and_none_is_paid_twice(name):
    told = simulated(*TROUBLES[name](), rows=1500)
    assert (told.lost, told.parked, told.open, len(told.outcomes)) == (0, "", 0, 1500)
    paid = Counter(call.send.row for call in told.calls if call.cost_units)
    assert set(paid.values()) == {1}
    assert len({call.send.request_id for call in told.calls}) == len(told.calls)


def test_an_outage_costs_seconds_and_is_over_when_it_is_over():
    told = simulated(*TROUBLES["down for 10 minutes"](), rows=1500)
    assert told.seconds < WELL_S + 10
    assert told.met_5xx < 60
    flapping = simulated(Provider(lambda s, _: not 10 <= s < 15), Provider(up), rows=4000)
    assert (flapping.downs, flapping.lost) == (1, 0)
    assert flapping.at_spare < 1000, "rows go to the first model again"
    assert [told.partition(" ")[0] for told in flapping.changes] == ["first:", "first"]


@pytest.mark.parametrize(
    ("script", "most_s"),
    [
        (lambda n, _: (429, 300.0) if n == 0 else (503, None), 400),
        (lambda n, _: (429, None) if n % 3 == 0 else (503, None), 120),
        (lambda n, _: (429, 2.0) if n % 4 == 3 else (503, None), 120),
        (lambda n, _: (503, 300.0), 60),
    ],
    ids=["429 of 5 minutes, then 503", "429s among 503s", "429s with hints among 503s", "503 of 5 minutes"],
)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_outage_is_seen_whatever_429s_and_hints_stand_in_it(script, most_s, concurrency):
    """A rate limit is waited out, for it is none; what comes after or among them sends rows to the spare."""
    told = simulated(Saying(script), Provider(up), rows=24, concurrency=concurrency)
    assert (told.lost, told.at_spare, told.downs) == (0, 24, 1)
    assert told.seconds < most_s


@pytest.mark.parametrize("concurrency", [1, 4, 50])
@pytest.mark.parametrize("hint_s", [None, 1.0])
def test_a_run_that_begins_while_nothing_is_left_begins_when_there_is(hint_s, concurrency):
    """Somebody else has used the limit up. What refuses every call teaches no rate: a call in three hours, it was."""
    main = Saying(lambda _, now_s: (429, hint_s) if now_s < 60 else None)
    told = simulated(main, None, rows=20, concurrency=concurrency)
    assert (told.lost, told.parked) == (0, "")
    assert told.seconds < 160
    assert told.met_429 < 400


def test_both_down_parks_the_run_with_its_rows_pending():
    told = simulated(*TROUBLES["both down"](), rows=300)
    assert told.parked == "outage"
    assert {end.status for end in told.outcomes} <= {Status.FAILED}
    assert len(told.outcomes) < 100


def test_without_a_spare_nothing_has_changed():
    told = simulated(Provider(up), None, rows=300)
    assert (told.lost, told.downs, told.at_spare) == (0, 0, 0)
    parked = simulated(Provider(down), None, rows=300)
    assert not [end for end in parked.outcomes if end.status is Status.OK]


def test_only_what_a_fallback_is_for_goes_on():
    told = simulated(Provider(down), Provider(up), rows=60, concurrency=4, causes=("auth",))
    assert told.at_spare == 0


def test_a_row_that_has_been_everywhere_parks_the_run_and_is_no_bug():
    """Routed to one, gone on to another that is down, and what stands behind that is where it came from."""
    fallbacks = (Fallback(on=("invalid_output",), model="a"), Fallback(on=("outage",), model="b"))
    job = SimpleNamespace(
        routes=(RouteRule(model="b", min_input_tokens=1),), fallbacks=fallbacks, model=SimpleNamespace(name="first")
    )
    parked, wrong = [], Outcome(b"d", 0, Status.FAILED, error_code=ErrorCode.INVALID_OUTPUT)

    def at(end):
        async def outcome(task):
            if isinstance(end, Exception):
                raise end
            return end

        gate = SimpleNamespace(park=lambda cause, told: parked.append((cause, told)))
        prepared = SimpleNamespace(cut=lambda row, exact: SimpleNamespace(chunks=(), skipped=0), exact=False)
        return Station(prepared, gate, SimpleNamespace(outcome=outcome), None)

    several = Several(job, {"b": at(wrong), "a": at(Diverted("outage", "it is down"))})
    row = Row(0, "r0", text_parts("some words of a document"), None, {})
    with pytest.raises(Stopped):
        asyncio.run(several.outcome(RowTask(row, b"d" * 16, ())))
    assert parked == [("outage", "it is down")]
