"""Every fault that can be set is seen, does what it says, and is counted truly."""

import asyncio

import pytest
from batch_client import (
    DAY_S,
    LENGTH_S,
    LOST,
    anthropic_of,
    gemini_of,
    jsonl,
    line,
    message,
    openai_of,
    parsed,
    question,
)


def on(opened, use, **config):
    async def main():
        async with opened(**config) as batches:
            return await use(batches)

    return asyncio.run(main())


def lines_of(count):
    return [line(f"n-{number}", f"document {number}") for number in range(count)]


def ended(**faults):
    """An OpenAI batch of 20 lines under these faults: (batch, answers, errors, counters)."""

    async def use(batches):
        await batches.faults(**faults)
        return *(await batches.ended(lines_of(20))), await batches.counters()

    return on(openai_of, use, seed=3)


def statuses(wanted, ask):
    """Of requests in a row, while these faults of requests are set."""

    async def use(batches):
        batch_id = await batches.created(lines_of(4))
        await batches.turn(LENGTH_S)
        batch = await batches.look(batch_id)
        await batches.faults(on=wanted)
        return [(await ask(batches, batch))[0] for _ in range(4)]

    return on(openai_of, use)


REQUESTS = {
    "look": lambda batches, batch: batches.ask("GET", f"/batches/{batch['id']}"),
    "list": lambda batches, _: batches.ask("GET", "/batches"),
    "content": lambda batches, batch: batches.ask("GET", f"/files/{batch['output_file_id']}/content"),
    "delete": lambda batches, batch: batches.ask("DELETE", f"/files/{batch['input_file_id']}"),
    "upload": lambda batches, _: batches.upload(lines_of(1)),
    "cancel": lambda batches, batch: batches.ask("POST", f"/batches/{batch['id']}/cancel"),
}


@pytest.mark.parametrize("operation", REQUESTS)
def test_the_next_requests_suffer_what_was_set(operation):
    late = {"delete": 404, "cancel": 409}
    last = late.get(operation, 200)
    found = statuses({operation: ["500*2", "503 after"]}, REQUESTS[operation])
    assert found == [500, 500, 409 if last == 409 else 503, last]


def test_a_download_is_cut_and_then_whole():
    assert statuses({"content": ["cut*2", "403", "ok"]}, REQUESTS["content"]) == [LOST, LOST, 403, 200]


def test_a_listing_breaks_off_behind_its_first_page():
    async def use(batches):
        for _ in range(3):
            await batches.created(lines_of(1))
        await batches.faults(list_page=2, on={"list": ["ok", "500"]})
        first = await batches.good("GET", "/batches?limit=100")
        second, _ = await batches.ask("GET", f"/batches?limit=100&after={first['last_id']}")
        return len(first["data"]), first["has_more"], second

    assert on(openai_of, use) == (2, True, 500)


def test_a_batch_is_unseen_and_unlisted_at_first():
    async def use(batches):
        await batches.faults(batches={"unseen_looks": 2, "listed_after_s": 120})
        batch_id = await batches.created(lines_of(1))
        looks = [(await batches.ask("GET", f"/batches/{batch_id}"))[0] for _ in range(3)]
        before = (await batches.good("GET", "/batches"))["data"]
        await batches.turn(121)
        return looks, len(before), len((await batches.good("GET", "/batches"))["data"])

    assert on(openai_of, use) == ([404, 404, 200], 0, 1)


def test_validation_fails_at_the_line_that_was_set():
    async def use(batches):
        await batches.faults(batches={"fails": "validation", "fail_line": 3, "times": 1})
        first, second = [await batches.created(lines_of(4)) for _ in range(2)]
        await batches.turn(LENGTH_S)
        return await batches.look(first), await batches.look(second), await batches.counters()

    first, second, counters = on(openai_of, use)
    assert (first["status"], first["errors"]["data"][0]["line"], second["status"]) == ("failed", 3, "completed")
    assert (counters["batches_failed"], counters["batch_lines_billed"]) == (1, 4)


def test_too_many_tokens_waiting_is_told_when_it_is_created_or_looked_at():
    async def use(batches):
        await batches.faults(on={"create": ["full"]}, batches={"fails": "token_limit", "waiting_tokens": 2_000_000})
        at_once, later = await batches.create(lines_of(1)), await batches.created(lines_of(1))
        await batches.turn(LENGTH_S)
        return at_once, await batches.look(later)

    (status, body), batch = on(openai_of, use)
    assert (status, body["error"]["code"]) == (400, "token_limit_exceeded")
    (problem,) = batch["errors"]["data"]
    assert (problem["code"], problem["line"]) == ("token_limit_exceeded", None)
    for said in (body["error"]["message"], problem["message"]):
        assert said.endswith("Limit: 2,000,000 enqueued tokens.")


def test_some_lines_expire_and_some_are_refused():
    batch, answers, errors, counters = ended(lines={"expired": 0.3, "refused": 0.3})
    told = parsed(errors)
    expired = [one for one in told if one["error"] is not None]
    assert {one["error"]["code"] for one in expired} == {"batch_expired"}
    refused = [one for one in told if one["error"] is None]
    assert {one["response"]["status_code"] for one in refused} == {500}
    assert batch["status"] == "expired"
    assert expired
    assert refused
    assert len(parsed(answers)) + len(told) == 20
    assert counters["batch_lines_billed"] == len(parsed(answers)) == batch["request_counts"]["completed"]


def test_shares_of_a_users_own():
    async def use(batches):
        return await batches.ended(lines_of(20))

    batch, answers, errors = on(openai_of, use, batch_expired=0.2, batch_refused=0.2)
    assert batch["status"] == "expired"
    assert 0 < len(parsed(answers)) < 20 == len(parsed(answers)) + len(parsed(errors))


@pytest.mark.parametrize("hide", [["output"], ["error"], ["output", "error"]])
def test_names_of_result_files_are_null_for_a_while(hide):
    async def use(batches):
        await batches.faults(batches={"hide": hide, "hide_looks": 2}, lines={"refused": 0.5})
        batch, *_ = await batches.ended(lines_of(20))
        looks = [batch, await batches.look(batch["id"]), await batches.look(batch["id"])]
        return [[name for name in ("output", "error") if one[f"{name}_file_id"] is None] for one in looks]

    assert on(openai_of, use) == [hide, hide, []]


def test_only_a_file_of_errors():
    batch, answers, errors, counters = ended(lines={"refused": 1.0})
    assert (answers, len(parsed(errors)), counters["batch_lines_billed"]) == (None, 20, 0)
    assert batch["request_counts"] == {"total": 20, "completed": 0, "failed": 20}


def test_missing_and_doubled_lines_are_billed_once():
    _, answers, _, counters = ended(lines={"missing": 0.3, "duplicated": 0.3})
    names = [one["custom_id"] for one in parsed(answers)]
    assert len(set(names)) < 20
    assert len(names) > len(set(names))
    assert (counters["batch_lines_billed"], counters["billed_twice"]) == (20, 0)


def test_shuffled_lines_are_the_same_lines():
    names = [one["custom_id"] for one in parsed(ended(lines={"shuffled": True})[1])]
    assert names != [f"n-{number}" for number in range(20)]
    assert sorted(names) == sorted(f"n-{number}" for number in range(20))


def test_garbled_and_foreign_lines():
    garbled = ended(lines={"garbled": 1.0})[1].splitlines()
    assert len(garbled) == 20
    assert not any(one.endswith("}") and one.count("{") == one.count("}") for one in garbled)
    foreign = [one["custom_id"] for one in parsed(ended(lines={"foreign": 0.5})[1])]
    assert len(set(foreign)) == 21
    assert len(foreign) > 21


def test_swapped_names_are_of_neighbours():
    answers = parsed(ended(lines={"swapped": 1.0})[1])
    texts = {one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"] for one in answers}
    assert all(f"document {number ^ 1}" in texts[f"n-{number}"] for number in range(20))


def test_null_items_and_answers_without_usage():
    null = parsed(ended(lines={"null": 1.0})[1])
    assert all(one["response"] is None and one["error"] is None for one in null)
    _, bare, _, counters = ended(lines={"no_usage": 1.0})
    assert not any("usage" in one["response"]["body"] for one in parsed(bare))
    assert counters["batch_lines_billed"] == 20


def test_a_stuck_batch_expires_with_nothing():
    async def use(batches):
        await batches.faults(batches={"stuck": True})
        batch_id = await batches.created(lines_of(3))
        await batches.turn(DAY_S - 10)
        before = await batches.look(batch_id)
        await batches.turn(20)
        return before["status"], await batches.look(batch_id), await batches.counters()

    before, batch, counters = on(openai_of, use)
    assert (before, batch["status"], batch["output_file_id"]) == ("in_progress", "expired", None)
    assert counters["batch_lines_billed"] == 0


def test_a_cancel_that_comes_too_late():
    async def use(batches):
        await batches.faults(batches={"cancel": "race"})
        batch_id = await batches.created(lines_of(3))
        status, _ = await batches.ask("POST", f"/batches/{batch_id}/cancel")
        return status, (await batches.look(batch_id))["status"], (await batches.counters())["batch_lines_billed"]

    assert on(openai_of, use) == (409, "completed", 3)


def test_a_cancel_that_never_ends():
    async def use(batches):
        await batches.faults(batches={"cancel": "never"})
        batch_id = await batches.created(lines_of(10))
        await batches.turn(LENGTH_S / 2)
        await batches.good("POST", f"/batches/{batch_id}/cancel")
        await batches.turn(DAY_S / 2)
        cancelling = (await batches.look(batch_id))["status"]
        await batches.turn(DAY_S / 2)
        batch = await batches.look(batch_id)
        return cancelling, batch["status"], batch["request_counts"]["completed"]

    cancelling, status, completed = on(openai_of, use)
    assert (cancelling, status) == ("cancelling", "expired")
    assert 5 <= completed < 10


@pytest.mark.parametrize("gone", [403, 404, 410])
def test_results_that_are_gone(gone):
    async def of_openai(batches):
        await batches.faults(batches={"gone": gone})
        batch_id = await batches.created(lines_of(1))
        await batches.turn(LENGTH_S)
        file_id = (await batches.look(batch_id))["output_file_id"]
        return (await batches.ask("GET", f"/files/{file_id}/content"))[0]

    async def of_anthropic(batches):
        await batches.faults(batches={"gone": gone})
        batch_id = await batches.created([message("a")])
        await batches.turn(LENGTH_S)
        return (await batches.ask("GET", f"/{batch_id}/results"))[0]

    async def of_gemini(batches):
        await batches.faults(batches={"gone": gone})
        batch = await batches.ended((await batches.uploaded([question("a")]))["name"])
        return (await batches.ask("GET", f"/{batch['response']['responsesFile']}:download"))[0]

    assert on(openai_of, of_openai) == on(anthropic_of, of_anthropic) == on(gemini_of, of_gemini) == gone


def test_what_is_too_large():
    async def of_openai(batches):
        await batches.faults(most_bytes=100)
        return (await batches.upload(lines_of(1)))[0]

    async def of_anthropic(batches):
        await batches.faults(most_bytes=100)
        status, body = await batches.create([message("a")])
        return status if body["error"]["type"] == "request_too_large" else body

    async def of_gemini(batches):
        await batches.faults(most_bytes=100)
        return (await batches.create([question("a", inline=True)]))[0]

    assert on(openai_of, of_openai) == on(anthropic_of, of_anthropic) == on(gemini_of, of_gemini) == 413


def test_an_azure_that_is_loose():
    async def use(batches):
        await batches.faults(azure_loose=True)
        _, file = await batches.upload(jsonl([line("a", url="/chat/completions")]))
        wanted = {"input_file_id": file["id"], "endpoint": "/chat/completions", "completion_window": "24h"}
        early, _ = await batches.ask("POST", "/batches", json=wanted)
        await batches.turn(1)
        batch = await batches.good("POST", "/batches", json=wanted)
        await batches.turn(LENGTH_S)
        return file["status"], early, batch, await batches.look(batch["id"])

    status, early, begun, done = on(openai_of, use, root="/openai/v1")
    assert (status, early) == ("pending", 400)
    assert (begun["status"], begun["output_file_id"], begun["request_counts"]) == ("Validating", "", None)
    assert begun["created_at"].endswith("+00:00")
    assert (done["status"], done["error_file_id"]) == ("Completed", "")


def test_faults_of_lines_at_the_other_providers():
    async def of_anthropic(batches):
        await batches.faults(lines={"null": 0.5, "expired": 0.5})
        return await batches.ended([message(f"n-{number}") for number in range(20)])

    async def of_gemini(batches):
        await batches.faults(lines={"null": 0.5, "garbled": 0.3, "swapped": 1.0})
        return await batches.ended([question(f"n-{number}", str(number), inline=True) for number in range(20)])

    batch, results = on(anthropic_of, of_anthropic)
    kinds = [one["result"] and one["result"]["type"] for one in parsed(results)]
    assert {"succeeded", None, "expired"} == set(kinds)
    assert batch["request_counts"]["expired"] + batch["request_counts"]["succeeded"] == 20
    items = on(gemini_of, of_gemini)["response"]["inlinedResponses"]["inlinedResponses"]
    told = [one for one in items if one is not None]
    assert 0 < len(told) < 20
    assert all(int(one["metadata"]["id"][2:]) ^ 1 == int(text_of(one)) for one in told)


def text_of(item):
    return item["response"]["candidates"][0]["content"]["parts"][0]["text"]


BAD = {
    "an unknown key": {"line": {}},
    "a share over 1": {"lines": {"missing": 2}},
    "an unknown word": {"on": {"create": ["oops"]}},
    "an unknown operation": {"on": {"poll": ["500"]}},
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_set_says_so(name):
    async def use(batches):
        url = f"{batches.client.url}/_sandbox/faults"
        return await batches.ask("POST", url, json=BAD[name])

    status, text = on(openai_of, use)
    assert status == 400
    assert "docs/providers/sandbox.md" in text


def test_what_is_set_is_told_and_ends_with_a_reset():
    async def use(batches):
        told = await batches.faults(on={"look": ["500*2", "404"]}, batches={"stuck": True})
        await batches.client.reset()
        return told, await batches.faults()

    told, empty = on(openai_of, use)
    assert (told["on"], told["batches"]["stuck"]) == ({"look": ["500", "500", "404"]}, True)
    assert (empty["on"], empty["batches"]["stuck"], empty["lines"]["missing"]) == ({}, False, 0)


def test_a_reset_forgets_batches_and_the_clock():
    async def use(batches):
        batch, *_ = await batches.ended(lines_of(2))
        await batches.client.reset()
        counters = await batches.counters()
        return (await batches.ask("GET", f"/batches/{batch['id']}"))[0], counters["batch_lines_billed"]

    assert on(openai_of, use) == (404, 0)
