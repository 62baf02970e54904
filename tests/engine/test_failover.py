"""A model in trouble and its spare, in virtual time: no row lost, none paid twice, seconds instead of minutes."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest
from failover import TROUBLES, Provider, down, simulated, up

from pipeline.admission.gate import Diverted
from pipeline.admission.stop import Stopped
from pipeline.engine.feed import RowTask
from pipeline.engine.several import Several, Station
from pipeline.job.settings import Fallback, RouteRule
from pipeline.types import ErrorCode, Outcome, Row, Status, text_parts

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
