"""The batch lane where something is too much, not allowed, lost, or older than today."""

import sqlite3
from contextlib import closing

import pytest
from batch_server import ROWS, agrees, providing, write
from inbox import pages
from msgspec.structs import replace

from pipeline.catalog.windows import limits_of
from pipeline.sandbox.wires.openai import requests

DAY_US = 86_400_000_000


@pytest.fixture
def provider():
    with providing() as running:
        yield running


def on_ledger(job, sql, *values):
    with closing(sqlite3.connect(job.out / "ledger.sqlite")) as db, db:
        return db.execute(sql, values).fetchall()


# ── too much ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_too_large_goes_in_parts(job, provider):
    provider.faults(most_bytes=5000)
    said = write(job, provider).run().err
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert len({batch["batch_id"] for batch in manifest["batches"] if batch["state"] == "collected"}) > 1
    assert "too many for the provider; asked in parts" in said


def test_a_line_that_is_too_large_by_itself_fails_its_row_alone(job, provider):
    provider.faults(most_bytes=5000)
    write(job, provider, [*ROWS[:3], {"id": "large", "text": "a long tale " * 600}]).run(code=1)
    manifest = agrees(job, provider)
    assert manifest["failed_by_code"] == {"invalid_request": 1}
    (failed,) = [row for row in job.results() if row["status"] == "failed"]
    assert failed["id"] == "large"
    assert "no line as large as this" in failed["error"]


def test_a_line_that_is_too_long_for_the_model_is_asked_in_smaller_chunks(job, provider, monkeypatch):
    """The provider's window is smaller than ours for it."""
    small = replace(limits_of("gpt-4o-mini"), context_tokens=700)
    monkeypatch.setattr(requests, "known_limits", lambda _: small)
    write(job, provider, [ROWS[0], {"id": "long", "text": "word after word " * 300}]).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == 2
    assert any(call["error_code"] == "context_exceeded" and call["cost_usd"] == 0 for call in job.calls())
    assert max(row["chunks"] for row in job.results()) > 1
    assert provider.counters()["lanes"]["live"]["lines"] == 0


def test_files_are_parts_of_lines(job, provider):
    folder = job.folder / "inbox"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.pdf").write_bytes(pages(1, f"Blue Barn {number}"))
    write(job, provider, input={"path": "inbox", "id": ""}, documents={"read": "native"}).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == 3
    assert {call["lane"] for call in job.calls()} == {"batch"}
    assert {row["document"]["mode"] for row in job.results()} == {"native"}


# ── not allowed ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("where", ["upload", "create", "look", "content"])
def test_a_key_that_may_not_loses_nothing_and_says_so(job, provider, where, status):
    provider.faults(on={where: [f"{status}*1000"]})
    run = write(job, provider).run(code=None)
    assert run.returncode not in {0, 1}
    assert "batch" in run.err
    assert str(status) in run.err
    assert job.manifest()["reason"] == "auth"
    assert job.manifest()["rows"]["pending"] == len(ROWS)
    provider.faults()
    job.run()
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batches_created"] == 1


def test_a_deployment_of_the_wrong_kind_is_refused_in_the_providers_words_and_nothing_is_lost(job, provider):
    """Azure takes batches on a Global-Batch deployment alone, and refuses the others as an invalid request."""
    provider.faults(on={"create": ["400*1000"]})
    run = write(job, provider).run(code=None)
    assert run.returncode not in {0, 1}
    assert "the batch API refuses a batch" in run.err
    assert job.manifest()["rows"]["pending"] == len(ROWS)
    provider.faults()
    job.run()
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)


def test_what_was_billed_and_has_aged_out_is_not_asked_again_without_a_word(job, provider, monkeypatch):
    monkeypatch.setattr("pipeline.engine.batches.collect.SHORT_S", 0.1)
    monkeypatch.setattr("pipeline.engine.batches.collect.GONE_S", 0.3)
    provider.faults(batches={"gone": 404, "times": 1})
    said = write(job, provider).run().err
    assert f"{len(ROWS)} lines have no result; they may have been billed" in said
    assert [call["cost_usd"] for call in job.calls()].count(None) == len(ROWS)
    agrees(job, provider, missing=len(ROWS), twice=len(ROWS))


# ── called off ──────────────────────────────────────────────────────────────────────────────────────────────────────

SOON = {"deadline_h": 2 / 3600}


def test_a_cancel_that_fails_is_told_and_tried_again(job):
    with providing(batch_s=2.0) as provider:
        provider.faults(on={"cancel": ["500", "429"]})
        said = write(job, provider, batch=SOON).run().err
        assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
        assert provider.counters()["cancels"] == 3
    assert "was not called off (HTTP 500)" in said
    assert "was not called off (HTTP 429)" in said


def test_a_cancel_that_was_lost_in_a_crash_is_asked_again(job):
    with providing(batch_s=30.0) as provider:
        write(job, provider).run("--no-wait", code=5)
        on_ledger(job, "UPDATE batches SET state = 'cancelling', cancel_us = submitted_us")
        job.run("--no-wait", code=5)
        assert provider.counters()["cancels"] == 1
        provider.turn(60)
        job.run("--no-wait", code=5)  # what was called off is out again, for another half a minute
        provider.turn(60)
        job.run()
        assert agrees(job, provider)["rows"]["ok"] == len(ROWS)


def test_lines_that_were_called_off_go_live_and_fail_no_row(job):
    """Nobody has tried them: they are no attempts, also where there is but one."""
    with providing(batch_s=2.0) as provider:
        write(job, provider, batch=SOON, limits={"max_attempts": 1}).run()
        manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert {call["error_code"] for call in job.calls()} == {None, "batch_cancelled"}


def test_a_batch_that_is_found_after_the_call_off_is_called_off_too(job):
    with providing(batch_s=30.0) as provider:
        provider.faults(on={"create": ["lost"], "list": ["500*18"]})
        write(job, provider, batch=SOON).run(code=None)
        assert provider.counters()["cancels"] == 1
        provider.turn(60)
        job.run()
        assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
        assert provider.counters()["batches_created"] == 1


def test_what_was_never_sent_is_withdrawn_as_the_others_are_called_off(job, provider):
    provider.faults(on={"upload": ["500*100000"]})
    write(job, provider, batch=SOON).run()
    manifest = agrees(job, provider)
    assert [batch["state"] for batch in manifest["batches"]] == ["withdrawn"]
    assert provider.counters()["lanes"]["live"]["lines"] == manifest["rows"]["ok"] == len(ROWS)


def test_lines_that_were_withdrawn_are_no_attempts(job, provider):
    provider.faults(batches={"fails": "validation", "times": 2})
    write(job, provider, limits={"max_attempts": 1}).run()
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
    assert {call["attempt"] for call in job.calls()} == {1}


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_tenant_has_out_since_yesterday_is_held_today(job):
    """Its answer is billed today or never; until it is there, the day's cap has room for one line, and this is it."""
    with providing(batch_s=30.0) as provider:
        rows = [{**ROWS[0], "customer": "c"}]
        more = {"input": {"tenant": "customer"}, "budget": {"tenant_max_usd_per_day": 0.0011}}
        write(job, provider, rows, **more).run("--no-wait", code=5)
        for column in ("created_us", "submitted_us"):
            on_ledger(job, f"UPDATE batches SET {column} = {column} - {DAY_US}")
        on_ledger(job, f"UPDATE sessions SET started_us = started_us - {DAY_US}")
        rows.append({**ROWS[1], "customer": "c"})
        write(job, provider, rows, **more).run("--no-wait", code=None)
        assert provider.counters()["batches_created"] == 1
        provider.turn(60)
        job.run("--no-wait", code=5)
        provider.turn(60)
        job.run()
        assert agrees_in_all(job, provider) == 2


def agrees_in_all(job, provider):
    """Over two runs: how many rows are ok; none was billed twice."""
    served = provider.counters()
    assert served["billed_twice"] == 0
    assert served["batch_lines_billed"] == 2
    return job.manifest()["rows"]["ok"]


def test_what_is_out_by_batch_is_collected_before_rows_go_in_packs(job):
    with providing(batch_s=60.0) as provider:
        write(job, provider).run("--no-wait", code=5)
        before = provider.counters()
        told = job.run("--set", 'model.lane="live"', "--set", "chunks.pack=4", code=2).err
        assert "chunks.pack = 4: 1 batches of an earlier job are still at the provider" in told
        assert provider.counters()["lanes"]["live"]["lines"] == before["lanes"]["live"]["lines"] == 0
        provider.turn(120)
        job.run()
        assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
