"""A cap that is too small for a single call is told before a cent is spent, with one that works."""

import os
import re
from decimal import Decimal

import packed
import pytest
from msgspec.structs import replace
from scripted_server import Scripted, serving

from pipeline.commands.check import check
from pipeline.commands.least_cap import least_cap
from pipeline.extraction.prepare import prepare
from pipeline.job.settings import Job

LONG = [{"id": "short", "text": "few words"}, {"id": "long", "text": "many words " * 400}, {"id": "b", "text": "few"}]
TINY = {"max_usd": 0.000001}


def found(job):
    return [(one.level, one.detail) for one in check(Job.load(job.file), os.environ) if one.what == "budget.max_usd"]


def least_of(told):
    return re.search(r"Set it to ([\d.]+) or more", told).group(1)


def advised(ended):
    """The cap in the command that a parked run prints."""
    return re.search(r"--max-usd (\S+)", ended.err).group(1)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"chunks": {"pack": 3}},
        {"extract": {"mode": "two_step"}},
        {"chunks": {"max_tokens": 50}},
        {"model": {"lane": "batch", "provider": "sandbox", "name": "gpt-4o-mini", "base_url": ""}},
    ],
    ids=lambda more: ",".join(f"{key}={value}" for one in more.values() for key, value in list(one.items())[:1]) or "-",
)
def test_check_names_a_cap_that_the_dearest_first_call_fits_beneath_and_no_smaller_one(job, server, more):
    job.write(server.url, rows=LONG, budget=TINY, **more)
    ((level, told),) = found(job)
    assert (level, told.startswith("no call fits beneath budget.max_usd = $0.000001, and")) == ("problem", True)
    prepared = prepare(Job.load(job.file))
    assert str(least_cap(prepared).usd).startswith("0.000")
    job.write(server.url, budget={"max_usd": float(least_of(told))}, **more)
    assert found(job) == []
    below = least_cap(prepared).usd - Decimal("1e-10")
    job_below = replace(prepared.job, budget=replace(prepared.job.budget, max_usd=below))
    assert least_cap(replace(prepared, job=job_below)) is not None


def test_a_run_parks_before_anything_is_sent_and_its_advice_gets_every_first_call_through(job, server):
    """Whatever was said of twice the budget: that parks again, and again."""
    job.write(server.url, rows=LONG, budget=TINY, limits={"concurrency": 1})
    parked = job.run(code=3)
    assert server.sent == 0
    assert "could cost" in parked.err
    assert "more than the $0.000001 that is left of budget.max_usd = $0.000001" in parked.err
    usd = advised(parked)
    assert usd == least_of(found(job)[0][1])
    job.run("--max-usd", usd, code=3)
    assert server.sent >= 1
    job.write(server.url, rows=LONG[1:2], budget=TINY)
    job.run("--max-usd", usd)


def test_a_cap_of_nothing_is_no_twice_of_nothing(job, server):
    job.write(server.url, rows=LONG, budget={"max_usd": 0})
    usd = advised(job.run(code=3))
    assert Decimal(usd) > 0
    job.run("--max-usd", usd, code=3)
    assert server.sent >= 1


def test_only_rows_that_do_not_fit_are_a_warning(job, server):
    job.write(server.url, rows=LONG, budget={"max_usd": 0.00015})
    ((level, told),) = found(job)
    assert level == "warning"
    assert "no room for the first call of 1 of 3 rows" in told
    assert "row 'long'" in told


def test_what_is_done_costs_nothing_and_needs_no_cap(job, server):
    job.write(server.url, rows=LONG).run()
    job.write(server.url, budget=TINY)
    assert found(job) == []
    job.run()


def test_after_a_cut_off_answer_the_advice_has_room_for_the_larger_question(job):
    """The second call may cost more than twice the cap that was enough for the first."""

    def script(document, nth, body):
        return Scripted(finish="length", usage=(20, 4000)) if nth == 1 else None

    with serving(script) as server:
        job.write(server.url, rows=LONG[:1], model={"max_output_tokens": 4000}, budget={"max_usd": 0.0025})
        usd = advised(job.run(code=3))
        assert server.sent == 1
        assert Decimal(usd) > 2 * Decimal("0.0025")
        job.run("--max-usd", usd)


def test_a_pack_has_room_by_the_advice(job):
    model = packed.Model()
    with serving(model) as server:
        job.write(server.url, rows=packed.rows(8), chunks={"pack": 8}, budget=TINY)
        job.run("--max-usd", advised(job.run(code=3)), code=None)
        assert server.sent >= 1
        assert len(model.packs[0]) == 8
