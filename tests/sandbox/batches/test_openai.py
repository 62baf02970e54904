"""OpenAI's batches: files, validation, progress, results, cancelling, expiry; no test waits for the clock."""

import asyncio

import aiohttp
import pytest
from batch_client import DAY_S, LENGTH_S, LOST, jsonl, line, openai_of, parsed


def on_openai(use, **config):
    async def main():
        async with openai_of(**config) as batches:
            return await use(batches)

    return asyncio.run(main())


def lines_of(count):
    return [line(f"n-{number}", f"document {number}") for number in range(count)]


def test_a_batch_is_validated_runs_and_completes():
    async def use(batches):
        batch_id = await batches.created(lines_of(10), metadata={"nonce": "x1"})
        seen = []
        for _ in range(5):
            batch = await batches.look(batch_id)
            seen.append((batch["status"], batch["request_counts"]["completed"]))
            await batches.turn(LENGTH_S / 4)
        return seen, await batches.look(batch_id), await batches.results(batch), await batches.counters()

    seen, batch, (answers, errors), counters = on_openai(use)
    assert seen == [("validating", 0), ("in_progress", 1), ("in_progress", 5), ("in_progress", 8), ("completed", 10)]
    assert batch["request_counts"] == {"total": 10, "completed": 10, "failed": 0}
    assert (batch["error_file_id"], errors, batch["metadata"]) == (None, None, {"nonce": "x1"})
    told = parsed(answers)
    assert {one["custom_id"] for one in told} == {f"n-{number}" for number in range(10)}
    assert all(one["response"]["status_code"] == 200 for one in told)
    usage = [one["response"]["body"]["usage"] for one in told]
    assert batch["usage"]["total_tokens"] == sum(one["total_tokens"] for one in usage)
    assert counters["lanes"]["batch"] == {
        "lines": 10,
        "prompt_tokens": sum(one["prompt_tokens"] for one in usage),
        "completion_tokens": sum(one["completion_tokens"] for one in usage),
    }
    assert (counters["batches_created"], counters["batch_lines_billed"], counters["billed_twice"]) == (1, 10, 0)
    assert (counters["uploads"], counters["downloads"], counters["polls"]) == (1, 1, 6)
    assert (counters["requests"], counters["answered"]) == (0, 0)


def test_a_bad_body_is_an_error_of_its_line():
    lines = [*lines_of(2), line("bad", temperature=7)]

    batch, answers, errors = on_openai(lambda batches: batches.ended(lines))
    assert (batch["status"], batch["request_counts"]) == ("completed", {"total": 3, "completed": 2, "failed": 1})
    assert [one["custom_id"] for one in parsed(answers)] == ["n-0", "n-1"]
    (error,) = parsed(errors)
    assert (error["custom_id"], error["response"]["status_code"]) == ("bad", 400)
    assert error["response"]["body"]["error"]["type"] == "invalid_request_error"


BAD_FILES = {
    "no JSON": ([line("a"), b"{"], "invalid_json_line", 2),
    "a name twice": ([line("a"), line("a")], "duplicate_custom_id", 2),
    "another url": ([line("a", url="/v1/responses")], "url_mismatch", 1),
    "another model": ([line("a"), line("b", model="gpt-4o")], "model_mismatch", 2),
    "a model that is not there": ([line("a", model="missing-model")], "model_not_found", 1),
    "no body": ([{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}], "missing_required_parameter", 1),
    "nothing": ([], "empty_file", None),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_line_fails_the_batch_when_it_is_validated(name):
    lines, code, number = BAD_FILES[name]

    async def use(batches):
        batch_id = await batches.created(lines)
        first = await batches.look(batch_id)
        await batches.turn(LENGTH_S)
        return first, await batches.look(batch_id), await batches.counters()

    first, batch, counters = on_openai(use)
    assert (first["status"], first["errors"]) == ("validating", None)
    assert batch["status"] == "failed"
    assert [(one["code"], one["line"]) for one in batch["errors"]["data"]] == [(code, number)]
    assert (batch["output_file_id"], batch["error_file_id"]) == (None, None)
    assert (counters["batches_failed"], counters["batch_lines_billed"]) == (1, 0)


def test_a_cancel_takes_a_while_and_what_was_run_is_billed_and_delivered():
    async def use(batches):
        batch_id = await batches.created(lines_of(10))
        await batches.turn(LENGTH_S / 2)
        status, cancelling = await batches.ask("POST", f"/batches/{batch_id}/cancel")
        assert (status, cancelling["status"]) == (200, "cancelling")
        await batches.turn(LENGTH_S / 2)
        batch = await batches.look(batch_id)
        return batch, await batches.results(batch), await batches.counters()

    batch, (answers, errors), counters = on_openai(use)
    assert batch["status"] == "cancelled"
    run = [one["custom_id"] for one in parsed(answers)]
    assert len(run) == 6, "five were run, and lines go on while it is cancelled"
    left = parsed(errors)
    assert {one["error"]["code"] for one in left} == {"batch_cancelled"}
    assert len(run) + len(left) == 10
    assert counters["batch_lines_billed"] == len(run)


def test_what_ended_cannot_be_cancelled():
    async def use(batches):
        batch, *_ = await batches.ended(lines_of(1))
        return await batches.ask("POST", f"/batches/{batch['id']}/cancel")

    status, body = on_openai(use)
    assert status == 409
    assert "completed" in body["error"]["message"]


def test_what_has_not_ended_after_its_day_expires_with_what_was_run():
    """Twice as long as a day: half of it is delivered, the rest is expired, and results are kept for 30 days."""

    async def use(batches):
        batch, *results = await batches.ended(lines_of(10), DAY_S)
        await batches.turn(31 * DAY_S)
        gone, _ = await batches.ask("GET", f"/files/{batch['output_file_id']}/content")
        return batch, results, gone

    batch, (answers, errors), gone = on_openai(use, batch_s=2 * DAY_S)
    assert (batch["status"], batch["expired_at"]) == ("expired", batch["expires_at"])
    assert len(parsed(answers)) == 5
    assert [one["error"]["code"] for one in parsed(errors)] == ["batch_expired"] * 5
    assert gone == 404


def test_lists_have_pages():
    async def use(batches):
        ids = [await batches.created(lines_of(1)) for _ in range(5)]
        first = await batches.good("GET", "/batches?limit=3")
        rest = await batches.good("GET", f"/batches?limit=3&after={first['last_id']}")
        files = await batches.good("GET", "/files?purpose=batch&limit=100")
        return ids, first, rest, files

    ids, first, rest, files = on_openai(use)
    assert [one["id"] for one in first["data"] + rest["data"]] == ids[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert {one["filename"] for one in files["data"]} == {"lines.jsonl"}


def test_another_keys_batches_are_not_there():
    async def use(batches):
        batch_id = await batches.created(lines_of(1))
        batches.headers = {"Authorization": "Bearer sk-other"}
        return (await batches.ask("GET", f"/batches/{batch_id}"))[0], (await batches.good("GET", "/batches"))["data"]

    assert on_openai(use) == (404, [])


def test_responses_run_too():
    body = {"model": "gpt-5-nano", "input": [{"role": "user", "content": "x"}], "max_output_tokens": 100}
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": body}

    async def use(batches):
        batch_id = await batches.created([asked], endpoint="/v1/responses")
        await batches.turn(LENGTH_S)
        return await batches.results(await batches.look(batch_id))

    answers, _ = on_openai(use)
    assert parsed(answers)[0]["response"]["body"]["object"] == "response"


def test_what_is_asked_live_and_in_a_batch_is_billed_twice():
    async def use(batches):
        await batches.ended(lines_of(2))
        before = await batches.counters()
        await batches.client.post(line("a", "document 1")["body"])
        await batches.client.post(line("a", "document 1", stream=True)["body"])
        return before["billed_twice"], (await batches.counters())["billed_twice"]

    assert on_openai(use) == (0, 2)


def test_a_lost_answer_of_a_create_leaves_a_batch_behind():
    async def use(batches):
        await batches.faults(on={"create": ["lost", "500", "500 after", "429", "full"]})
        statuses = [(await batches.create(lines_of(1)))[0] for _ in range(6)]
        return statuses, len((await batches.good("GET", "/batches"))["data"])

    assert on_openai(use) == ([LOST, 500, 500, 429, 400, 200], 3)


@pytest.mark.parametrize(
    "more",
    [
        {"completion_window": "12h"},
        {"endpoint": "/v1/other"},
        {"surprise": 1},
        {"metadata": {"a": 1}},
        {"metadata": {"a": "x" * 513}},
        {"metadata": {str(number): "x" for number in range(17)}},
        {"input_file_id": "file-none"},
    ],
    ids=str,
)
def test_a_batch_that_cannot_be_is_refused_at_once(more):
    async def use(batches):
        return (await batches.create(lines_of(1), **more))[0], (await batches.counters())["batches_created"]

    assert on_openai(use) == (400, 0)


def test_a_stream_is_an_error_of_its_line():
    _, answers, errors = on_openai(lambda batches: batches.ended([line("a", stream=True)]))
    assert answers is None
    assert parsed(errors)[0]["response"]["status_code"] == 400


def test_a_file_can_be_kept_for_less():
    async def use(batches):
        form = aiohttp.FormData()
        for name, value in (("purpose", "batch"), ("expires_after[anchor]", "created_at")):
            form.add_field(name, value)
        form.add_field("expires_after[seconds]", "3600")
        form.add_field("file", jsonl(lines_of(1)), filename="a.jsonl")
        file = await batches.good("POST", "/files", data=form)
        await batches.turn(3600)
        return file["expires_at"] - file["created_at"], (await batches.ask("GET", f"/files/{file['id']}"))[0]

    assert on_openai(use) == (3600, 404)


def test_azure_takes_a_batch_by_any_token_and_its_own_paths():
    async def main(root):
        async with openai_of(root=root) as batches:
            batches.headers = {"Authorization": "Bearer one"}
            _, file = await batches.upload([line("a", url="/v1/chat/completions")])
            await batches.turn(1)
            wanted = {"input_file_id": file["id"], "endpoint": "/chat/completions", "completion_window": "24h"}
            batch = await batches.good("POST", "/batches", json=wanted)
            await batches.turn(40 * DAY_S)
            batches.headers = {"Authorization": "Bearer two"}
            return (await batches.look(batch["id"]))["status"], batch["expires_at"]

    for root in ("/openai/v1", "/openai"):
        assert asyncio.run(main(root)) == ("completed", None)
