"""AI Studio's batches: inline and from files, counts as text, and nothing from one that did not complete."""

import asyncio
import json

from batch_client import DAY_S, LENGTH_S, gemini_of, parsed, question

OPENAPI = {
    "type": "OBJECT",
    "properties": {"name": {"type": "STRING"}, "note": {"type": "STRING", "nullable": True}},
    "required": ["name"],
}


def on_gemini(use, **config):
    async def main():
        async with gemini_of(**config) as batches:
            return await use(batches)

    return asyncio.run(main())


def questions(count, **more):
    return [question(f"n-{number}", f"document {number}", **more) for number in range(count)]


def state(batch):
    return batch["metadata"]["state"]


def test_a_batch_inline_tells_progress_as_text_and_its_results_twice():
    async def use(batches):
        name = await batches.created(questions(4, inline=True))
        seen = [await batches.look(name)]
        for _ in range(2):
            await batches.turn(LENGTH_S / 2)
            seen.append(await batches.look(name))
        return seen, await batches.counters()

    (first, half, ended), counters = on_gemini(use)
    assert (state(first), first["metadata"]["batchStats"]) == (
        "BATCH_STATE_PENDING",
        {"requestCount": "4", "pendingRequestCount": "4"},
    )
    assert (state(half), half["metadata"]["batchStats"]["successfulRequestCount"]) == ("BATCH_STATE_RUNNING", "2")
    assert "done" not in half
    assert (state(ended), ended["done"]) == ("BATCH_STATE_SUCCEEDED", True)
    assert ended["metadata"]["batchStats"] == {"requestCount": "4", "successfulRequestCount": "4"}
    assert ended["metadata"]["displayName"] == "nonce-1"
    items = ended["response"]["inlinedResponses"]["inlinedResponses"]
    assert items == ended["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert [item["metadata"]["id"] for item in items] == ["n-0", "n-1", "n-2", "n-3"]
    assert {item["response"]["usageMetadata"]["serviceTier"] for item in items} == {"standard"}
    assert counters["batch_lines_billed"] == 4


def test_a_batch_from_a_file_answers_with_a_file():
    async def use(batches):
        file = await batches.uploaded([*questions(2), question("bad", temperature=7)])
        taken, _ = await batches.ask("GET", "/files/mine")
        batch = await batches.ended(file["name"])
        name = batch["response"]["responsesFile"]
        found = await batches.good("GET", f"/{name}:download?alt=media")
        same = await batches.ask("GET", f"{batches.client.url}/download/v1beta/{name}:download?alt=media")
        return file, taken, batch, found, same, (await batches.ask("GET", f"/{name}"))[0]

    file, taken, batch, found, same, looked = on_gemini(use)
    assert (file["name"], file["state"], taken, looked) == ("files/mine", "ACTIVE", 200, 400)
    assert batch["metadata"]["batchStats"]["failedRequestCount"] == "1"
    lines = parsed(found)
    assert [(one["key"], "response" in one) for one in lines] == [("n-0", True), ("n-1", True), ("bad", False)]
    assert lines[2]["error"]["code"] == 3
    assert same == (200, found)


def test_a_schema_in_openapis_words_is_one():
    asked = [question("a", responseMimeType="application/json", responseSchema=OPENAPI, inline=True)]
    batch = on_gemini(lambda batches: batches.ended(asked))
    (item,) = batch["response"]["inlinedResponses"]["inlinedResponses"]
    text = item["response"]["candidates"][0]["content"]["parts"][0]["text"]
    assert json.loads(text) == {"name": "a document", "note": None}


def test_after_two_days_it_has_expired_with_nothing_billed():
    async def use(batches):
        batch = await batches.ended(questions(4, inline=True), 2 * DAY_S)
        return batch, await batches.counters()

    batch, counters = on_gemini(use, batch_s=3 * DAY_S)
    assert (state(batch), "response" in batch, "output" in batch["metadata"]) == ("BATCH_STATE_EXPIRED", False, False)
    assert counters["batch_lines_billed"] == 0


def test_a_cancelled_batch_gives_nothing_and_bills_nothing():
    async def use(batches):
        name = await batches.created(questions(4, inline=True))
        await batches.turn(LENGTH_S / 2)
        assert await batches.good("POST", f"/{name}:cancel") == {}
        running = await batches.look(name)
        await batches.turn(LENGTH_S / 2)
        return running, await batches.look(name), await batches.counters(), await batches.ask("POST", f"/{name}:cancel")

    running, batch, counters, (again, _) = on_gemini(use)
    assert (state(running), state(batch), again) == ("BATCH_STATE_RUNNING", "BATCH_STATE_CANCELLED", 400)
    assert ("response" in batch, counters["batch_lines_billed"]) == (False, 0)


def test_lists_have_pages():
    async def use(batches):
        names = [await batches.created(questions(1, inline=True), f"nonce-{number}") for number in range(3)]
        first = await batches.good("GET", "/batches?pageSize=2")
        rest = await batches.good("GET", f"/batches?pageSize=2&pageToken={first['nextPageToken']}")
        await batches.good("DELETE", f"/{names[0]}")
        return (
            names,
            [one["name"] for one in first["operations"] + rest["operations"]],
            rest,
            await batches.good("GET", "/batches"),
        )

    names, shown, rest, left = on_gemini(use)
    assert shown == names[::-1]
    assert "nextPageToken" not in rest
    assert len(left["operations"]) == 2


def test_the_name_of_a_file_can_be_chosen_once_and_lasts_two_days():
    async def use(batches):
        await batches.uploaded(questions(1))
        start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        url = f"{batches.client.url}/upload/v1beta/files"
        again, _ = await batches.ask("POST", url, json={"file": {"name": "files/mine"}}, headers=start)
        await batches.turn(2 * DAY_S)
        return again, (await batches.ask("GET", "/files/mine"))[0], (await batches.create("files/mine"))[0]

    assert on_gemini(use) == (409, 403, 403)


def test_too_many_tokens_waiting_is_a_429_as_of_any_quota():
    async def use(batches):
        await batches.faults(on={"create": ["full"]})
        return await batches.create(questions(1, inline=True))

    status, body = on_gemini(use)
    assert (status, body["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


def test_a_share_that_expires_is_the_whole_batch():
    async def use(batches):
        await batches.faults(lines={"expired": 1.0})
        return await batches.ended(questions(2, inline=True))

    assert state(on_gemini(use)) == "BATCH_STATE_EXPIRED"


def test_what_is_asked_live_and_in_a_batch_is_billed_twice():
    """Though the schema has another name in a batch."""
    live = question(
        "a", responseMimeType="application/json", responseJsonSchema={"type": "object", "properties": {}}, inline=True
    )
    asked = question(
        "a", responseMimeType="application/json", responseSchema={"type": "OBJECT", "properties": {}}, inline=True
    )

    async def use(batches):
        await batches.ended([asked])
        await batches.good("POST", f"/models/{batches.model}:generateContent", json=live["request"])
        return (await batches.counters())["billed_twice"]

    assert on_gemini(use) == 1
