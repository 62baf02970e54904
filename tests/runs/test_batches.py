"""The batch lane through the command line, against a sandbox that goes on between runs: nothing is paid twice."""

import signal
import sqlite3
import time
import zlib
from contextlib import closing
from decimal import Decimal

import pytest
from batch_server import PRICES, ROWS, agrees, extract, providing, write

from pipeline.engine.batches import collect, submission, waves
from pipeline.sandbox.exchange import Rules


@pytest.fixture
def provider():
    with providing() as running:
        yield running


def test_all_go_in_one_batch_and_come_back(job, provider):
    write(job, provider).run()
    manifest = agrees(job, provider)
    assert manifest["state"] == "finished"
    assert manifest["rows"]["ok"] == len(ROWS)
    assert provider.counters()["lanes"]["live"]["lines"] == 0
    (batch,) = manifest["batches"]
    assert (batch["state"], batch["rows"], batch["done"], batch["reserved_usd"]) == (
        "collected",
        12,
        12,
        "0.0000000000",
    )
    assert {call["batch_id"] for call in job.calls()} == {batch["batch_id"]}


def states(manifest):
    return [batch["state"] for batch in manifest["batches"]]


def test_rows_alike_are_one_line(job, provider):
    rows = [{"id": f"r{number}", "text": f"document {number % 3}"} for number in range(9)]
    write(job, provider, rows).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == 9
    assert provider.counters()["batch_lines_billed"] == 3


def test_more_rows_than_a_batch_holds_are_several(job, provider):
    write(job, provider, batch={"max_rows": 5}).run()
    manifest = agrees(job, provider)
    assert sorted(batch["rows"] for batch in manifest["batches"]) == [2, 5, 5]


def wrong_at_first():
    """Documents with an even number are answered wrongly until they are asked to mend it."""

    def first(text, schema):
        good = extract(text, schema)
        return {**good, "total": "x"} if zlib.crc32(text.encode()) % 2 else good

    return Rules(first, lambda text, schema, errors: extract(text, schema), lambda text, cap: text)


@pytest.mark.parametrize(("repair", "live"), [("live", True), ("batch", False), ("auto", True)])
def test_second_questions_go_where_the_job_says(job, repair, live):
    with providing(wrong_at_first()) as provider:
        write(job, provider, batch={"repair": repair}).run()
        manifest = agrees(job, provider)
        served = provider.counters()
    assert manifest["rows"]["ok"] == len(ROWS)
    mended = sum(line["repaired"] for line in job.results())
    assert mended
    assert served["lanes"]["live"]["lines"] == (mended if live else 0)
    assert served["batches_created"] == (1 if live else 2)


def test_a_truncated_answer_is_asked_for_again_with_a_higher_cap(job):
    with providing(truncated=0.5, seed=3) as provider:
        write(job, provider).run(code=None)
        manifest = agrees(job, provider)
    assert manifest["rows"]["pending"] == 0
    assert len(manifest["batches"]) == 2
    assert any(call["finish_reason"] == "length" for call in job.calls())


def test_two_steps_are_two_waves(job, provider):
    write(job, provider, extract={"mode": "two_step"}).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert [batch["rows"] for batch in manifest["batches"]] == [12, 12]


@pytest.mark.parametrize(
    ("what", "share"),
    [("expired", 0.4), ("refused", 0.3), ("duplicated", 0.5), ("foreign", 0.5), ("shuffled", True)],
)
def test_lines_that_were_not_billed_are_asked_again_and_odd_files_are_read(job, provider, what, share):
    provider.faults(lines={what: share})
    write(job, provider, limits={"max_attempts": 8}).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert all(batch["state"] == "collected" for batch in manifest["batches"])


@pytest.mark.parametrize("what", ["missing", "garbled"])
def test_a_line_without_a_result_may_have_been_billed_and_is_asked_again(job, provider, what, monkeypatch):
    """The one case in which two answers may be paid for: the first stays on the books, at its worst."""
    monkeypatch.setattr(collect, "SHORT_S", 0.1)
    provider.faults(lines={what: 0.3})
    write(job, provider, limits={"max_attempts": 8}).run()
    lost = sum(call["error_code"] == "lost" for call in job.calls())
    assert lost
    manifest = agrees(job, provider, missing=lost, twice=lost)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert Decimal(manifest["cost_usd"]) + at_risk(job) >= billed_usd(provider)


def test_results_that_are_missing_are_waited_for_over_commands_too(job, provider, monkeypatch):
    """Each command looks once: what an earlier one has missed is on record, and is not waited for anew."""
    monkeypatch.setattr(collect, "SHORT_S", 0.001)
    provider.faults(lines={"missing": 0.3})
    write(job, provider, limits={"max_attempts": 8})
    codes = [job.run("--no-wait", code=None).returncode for _ in range(12)]
    assert codes[0] == 5
    assert codes[-1] == 0
    lost = sum(call["error_code"] == "lost" for call in job.calls())
    assert lost
    assert agrees(job, provider, missing=lost, twice=lost)["rows"]["ok"] == len(ROWS)


def at_risk(job):
    """In USD: what the ledger holds of calls whose cost is not known."""
    with closing(sqlite3.connect(f"file:{job.out / 'ledger.sqlite'}?mode=ro", uri=True)) as db:
        return (
            Decimal(db.execute("SELECT SUM(at_risk_units) FROM calls WHERE cost_units IS NULL").fetchone()[0]) / 10**10
        )


def billed_usd(provider):
    lanes = provider.counters()["lanes"]
    return sum(
        Decimal(PRICES["input_usd_per_mtok"] * lanes[lane]["prompt_tokens"])
        * share / 1_000_000
        + Decimal(PRICES["output_usd_per_mtok"] * lanes[lane]["completion_tokens"]) * share / 1_000_000
        for lane, share in (("live", Decimal(1)), ("batch", Decimal("0.5")))
    )  # fmt: skip


def test_answers_without_usage_are_at_risk_and_not_free(job, provider):
    provider.faults(lines={"no_usage": 0.5})
    write(job, provider).run()
    manifest = agrees(job, provider, untold=True)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert Decimal(manifest["cost_usd"]) + at_risk(job) >= billed_usd(provider)


def test_a_batch_that_fails_for_one_line_fails_its_row_and_asks_the_rest_again(job, provider):
    """Nothing of such a batch is billed, and the line would fail the next one too."""
    provider.faults(batches={"fails": "validation", "fail_line": 2, "times": 1})
    write(job, provider).run(code=1)
    manifest = agrees(job, provider)
    assert states(manifest) == ["withdrawn", "collected"]
    assert (manifest["rows"]["ok"], manifest["failed_by_code"]) == (len(ROWS) - 1, {"invalid_request": 1})


def test_batches_that_all_fail_park_the_run_and_the_next_one_goes_on(job, provider):
    provider.faults(batches={"fails": "validation"})
    run = write(job, provider).run(code=None)
    assert run.returncode not in {0, 1}
    assert job.manifest()["rows"]["pending"] == len(ROWS)
    provider.faults()
    job.run()
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)


@pytest.mark.parametrize("faults", [{"on": {"create": ["full*2"]}}, {"batches": {"fails": "token_limit", "times": 2}}])
def test_a_full_queue_is_waited_for_and_met_with_less(job, provider, monkeypatch, faults):
    monkeypatch.setattr(waves, "FULL_S", 0.01)
    provider.faults(**faults)
    write(job, provider, batch={"max_rows": 6}).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert max(batch["rows"] for batch in manifest["batches"] if batch["state"] == "collected") <= 3


def test_a_queue_that_stays_full_ends_at_the_deadline(job, provider, monkeypatch):
    """What is left is asked live, for nothing of it is out."""
    monkeypatch.setattr(waves, "FULL_S", 0.01)
    monkeypatch.setattr(waves, "FULL_MOST_S", 0.05)
    provider.faults(on={"create": ["full*10000"]})
    write(job, provider, batch={"deadline_h": 2 / 3600}).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert provider.counters()["lanes"]["live"]["lines"] == len(ROWS)


@pytest.fixture
def soon(monkeypatch):
    """A search that does not take minutes."""
    monkeypatch.setattr(submission, "ABSENT_GAP_S", 0.3)
    monkeypatch.setattr(collect, "SHORT_S", 0.1)
    monkeypatch.setattr(collect, "GONE_S", 0.3)


@pytest.mark.parametrize(
    ("words", "created"),
    [
        (["lost"], 1),
        (["500 after"], 1),
        (["500"], 1),
        (["503*3"], 1),
        (["408 after"], 1),
        (["409 after"], 1),
        (["lost", "500"], 1),
    ],
)
def test_a_submission_without_a_clear_answer_is_looked_for_before_it_is_made_again(job, provider, soon, words, created):
    provider.faults(on={"create": words})
    write(job, provider).run()
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batches_created"] == created


def test_a_listing_that_breaks_is_no_absence(job, provider, soon):
    """Nor is one that is cut off, or whose second page is not there."""
    provider.faults(on={"create": ["lost"], "list": ["500*8", "429*4", "cut*2"]})
    write(job, provider).run()
    agrees(job, provider)
    assert provider.counters()["batches_created"] == 1


def test_a_batch_on_a_later_page_is_found(job, provider, soon):
    write(job, provider, batch={"max_rows": 3, "poll_s": 0.05})
    provider.faults(on={"create": ["lost", "ok", "ok", "ok"]}, list_page=1)
    job.run()
    agrees(job, provider)
    assert provider.counters()["batches_created"] == 4


def test_a_batch_that_is_listed_late_is_found_within_the_gap(job, provider, soon):
    provider.faults(on={"create": ["lost"]}, batches={"listed_after_s": 0.15})
    write(job, provider).run()
    agrees(job, provider)
    assert provider.counters()["batches_created"] == 1


def test_a_batch_that_is_not_seen_at_first_is_not_made_again(job, provider):
    provider.faults(batches={"unseen_looks": 6})
    write(job, provider).run()
    agrees(job, provider)
    assert provider.counters()["batches_created"] == 1


@pytest.mark.parametrize(
    "on",
    [
        {"content": ["cut*3"]},
        {"content": ["500*3"]},
        {"content": ["404*2"]},
        {"look": ["500*5", "429*2"]},
        {"delete": ["500*5"]},
        {"upload": ["lost", "500", "503 after"]},
    ],
    ids=str,
)
def test_what_costs_nothing_is_asked_again(job, provider, on):
    provider.faults(on=on)
    write(job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batches_created"] == 1


@pytest.mark.parametrize("hidden", [["output"], ["output", "error"]])
def test_results_that_have_no_name_yet_are_waited_for(job, provider, hidden):
    """OpenAI tells the name of a file some looks after the end."""
    provider.faults(batches={"hide": hidden, "hide_looks": 6})
    write(job, provider).run()
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)


@pytest.mark.parametrize("status", [404, 410])
def test_results_that_are_gone_were_billed_and_are_asked_again(job, provider, soon, status):
    provider.faults(batches={"gone": status, "times": 1})
    write(job, provider).run()
    manifest = agrees(job, provider, missing=len(ROWS), twice=len(ROWS))
    assert manifest["rows"]["ok"] == len(ROWS)


def test_no_wait_submits_and_the_next_command_collects(job, provider):
    run = write(job, provider).run("--no-wait", code=5)
    assert "the same command collects them" in run.out + run.err
    assert job.manifest()["rows"]["pending"] == len(ROWS)
    job.run()
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batches_created"] == 1


def test_no_wait_again_takes_what_is_there(job, provider):
    """As a cron job has it."""
    write(job, provider).run("--no-wait", code=5)
    time.sleep(0.05)
    job.run("--no-wait")
    assert agrees(job, provider)["rows"]["ok"] == len(ROWS)


def test_an_interrupt_leaves_the_batches_and_the_same_command_collects(job):
    with providing(batch_s=30.0) as provider:
        write(job, provider)
        process = job.start("run", job.file)
        until(lambda: provider.counters()["polls"])
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert job.manifest()["rows"]["pending"] == len(ROWS)
        provider.turn(60)
        job.run()
        assert agrees(job, provider)["rows"]["ok"] == len(ROWS)
        assert provider.counters()["batches_created"] == 1


def until(true, most_s=30.0):
    ends_s = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < ends_s
        time.sleep(0.02)


def test_batches_of_a_job_that_was_edited_are_settled_to_their_own_run(job, provider):
    write(job, provider).run("--no-wait", code=5)
    write(job, provider, extract={"prompt": "Read this one.\n{text}"}, budget={"max_usd": 1.0})
    job.run()
    assert job.manifest()["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batch_lines_billed"] == 2 * len(ROWS)
    served, calls = provider.counters(), job.calls()
    assert served["billed_twice"] == 0
    assert len(calls) == len(ROWS)
    write(job, provider).run()
    assert job.manifest()["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batch_lines_billed"] == 2 * len(ROWS)
    assert job.pipeline("verify", job.out, code=0)


def test_retry_asks_failed_rows_again_and_no_other(job, provider):
    provider.faults(lines={"refused": 0.5})
    write(job, provider, limits={"max_attempts": 1}).run(code=None)
    failed = job.manifest()["rows"]["failed"]
    assert failed
    provider.faults()
    job.pipeline("retry", job.file, code=0)
    manifest = agrees(job, provider)
    assert manifest["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batch_lines_billed"] == len(ROWS)


def test_fresh_asks_all_again(job, provider):
    write(job, provider).run()
    job.run("--fresh", "--yes")
    assert job.manifest()["rows"]["ok"] == len(ROWS)
    assert provider.counters()["batch_lines_billed"] == 2 * len(ROWS)
    assert job.pipeline("verify", job.out, code=0)


def test_the_deadline_calls_batches_off_and_asks_the_rest_live(job):
    """Nothing of what was answered by then is asked again."""
    with providing(batch_s=4.0) as provider:
        write(job, provider, batch={"deadline_h": 3.0 / 3600}).run()
        manifest = agrees(job, provider)
        served = provider.counters()
    assert manifest["rows"]["ok"] == len(ROWS)
    assert served["lanes"]["live"]["lines"] + served["lanes"]["batch"]["lines"] == len(ROWS)
    assert served["lanes"]["live"]["lines"]
    assert served["cancels"] == 1


def test_after_the_deadline_rows_may_wait(job):
    with providing(batch_s=4.0) as provider:
        write(job, provider, batch={"deadline_h": 3.0 / 3600, "after_deadline": "wait"}).run(code=5)
        manifest = agrees(job, provider)
        assert manifest["rows"]["pending"]
        assert provider.counters()["lanes"]["live"]["lines"] == 0
        assert provider.counters()["batches_created"] == 1
        job.run(code=5)
        assert provider.counters()["batches_created"] == 1


@pytest.mark.parametrize("cancel", ["race"])
def test_a_batch_that_ends_as_it_is_called_off_is_collected(job, cancel):
    with providing(batch_s=30.0) as provider:
        provider.faults(batches={"cancel": cancel})
        write(job, provider, batch={"deadline_h": 2.0 / 3600}).run()
        agrees(job, provider)
        assert provider.counters()["lanes"]["live"]["lines"] == 0


def test_a_batch_that_is_never_cancelled_is_not_asked_live(job):
    with providing(batch_s=30.0) as provider:
        provider.faults(batches={"cancel": "never", "stuck": True})
        write(job, provider, batch={"deadline_h": 2.0 / 3600}).run(code=5)
        manifest = agrees(job, provider)
        assert manifest["rows"]["pending"] == len(ROWS)
        assert provider.counters()["lanes"]["live"]["lines"] == 0


def test_tenants_are_on_their_lines(job, provider):
    rows = [{**row, "customer": f"c{number % 3}"} for number, row in enumerate(ROWS)]
    write(job, provider, rows, input={"tenant": "customer"}).run()
    agrees(job, provider)
    assert len({call["tenant_hash"] for call in job.calls()}) == 3


def test_a_cap_is_never_passed_and_the_next_run_goes_on_with_a_higher_one(job, provider):
    write(job, provider, budget={"max_usd": 0.0006}).run(code=3)
    manifest = agrees(job, provider)
    assert 0 < manifest["rows"]["ok"] < len(ROWS)
    assert billed_usd(provider) <= Decimal("0.0006")
    write(job, provider, budget={"max_usd": 1}).run()
    assert job.manifest()["rows"]["ok"] == provider.counters()["batch_lines_billed"] == len(ROWS)


def test_a_tenant_over_its_day_leaves_its_own_rows(job, provider):
    rows = [{**row, "customer": "poor" if number else "rich"} for number, row in enumerate(ROWS)]
    write(job, provider, rows, input={"tenant": "customer"}, budget={"tenant_max_usd_per_day": 0.001}).run(code=3)
    manifest = agrees(job, provider)
    assert 1 < manifest["rows"]["ok"] < len(ROWS)


def test_another_key_leaves_batches_alone_and_says_so(job, provider):
    write(job, provider).run("--no-wait", code=5)
    job.env["OPENAI_API_KEY"] = "sk-another-key-of-ours"
    run = job.run(code=5)
    assert "another key" in run.err
    assert job.manifest()["rows"]["pending"] == len(ROWS)
    assert provider.counters()["batches_created"] == 1
    job.env["OPENAI_API_KEY"] = "sk-test-very-secret-key"
    job.run()
    agrees(job, provider)


def test_nothing_lies_about(job, provider):
    write(job, provider).run()
    assert not list((job.out / "batches").glob("*"))


def test_a_rehearsal_in_the_same_folder_leaves_a_providers_batches_as_they_are(job, provider):
    """The built-in sandbox's batches end with it; those of a provider are out, and billed."""
    write(job, provider).run("--no-wait", code=5)
    job.run("--set", "model.provider=sandbox", "--set", "model.base_url=", code=None)
    job.run()
    assert job.manifest()["rows"]["ok"] == len(ROWS)
    served = provider.counters()
    assert (served["batches_created"], served["batch_lines_billed"], served["billed_twice"]) == (1, len(ROWS), 0)
