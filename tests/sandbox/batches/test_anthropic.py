"""Anthropic's message batches: no progress before the end, a fate for every request, no name of ours."""

import asyncio

import pytest
from batch_client import DAY_S, LENGTH_S, anthropic_of, message, parsed


def on_anthropic(use, **config):
    async def main():
        async with anthropic_of(**config) as batches:
            return await use(batches)

    return asyncio.run(main())


def requests_of(count):
    return [message(f"n-{number}", f"document {number}") for number in range(count)]


def types(results):
    return [one["result"]["type"] for one in parsed(results)]


def test_all_are_processing_until_it_has_ended():
    async def use(batches):
        batch_id = await batches.created(requests_of(4))
        await batches.turn(LENGTH_S * 0.8)
        halfway, early = await batches.look(batch_id), (await batches.ask("GET", f"/{batch_id}/results"))[0]
        await batches.turn(LENGTH_S)
        return halfway, early, await batches.look(batch_id), await batches.results(batch_id), await batches.counters()

    halfway, early, ended, results, counters = on_anthropic(use)
    assert (halfway["processing_status"], halfway["request_counts"]["processing"], early) == ("in_progress", 4, 404)
    assert halfway["results_url"] is None
    assert ended["processing_status"] == "ended"
    assert ended["results_url"].endswith(f"/{ended['id']}/results")
    counts = {"processing": 0, "succeeded": 4, "errored": 0, "canceled": 0, "expired": 0}
    assert ended["request_counts"] == counts
    messages = [one["result"]["message"] for one in parsed(results)]
    assert {one["usage"]["service_tier"] for one in messages} == {"batch"}
    assert counters["lanes"]["batch"]["prompt_tokens"] == sum(one["usage"]["input_tokens"] for one in messages)
    assert counters["batch_lines_billed"] == 4


def test_bad_params_are_an_error_of_their_request():
    requests = [*requests_of(1), message("bad", temperature=7), message("streamed", stream=True)]
    batch, results = on_anthropic(lambda batches: batches.ended(requests))
    assert types(results) == ["succeeded", "errored", "errored"]
    assert parsed(results)[1]["result"]["error"]["error"]["type"] == "invalid_request_error"
    assert batch["request_counts"]["errored"] == 2


REFUSED = {
    "a name with blanks": [message("a b")],
    "a name too long": [message("a" * 65)],
    "a name twice": [message("a"), message("a")],
    "no params": [{"custom_id": "a"}],
    "nothing": [],
    "no JSON": b"{",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_name_refuses_the_whole_batch(name):
    async def use(batches):
        return await batches.create(REFUSED[name]), await batches.counters()

    (status, body), counters = on_anthropic(use)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert counters["batches_created"] == 0


def test_a_cancelled_batch_ends_with_what_was_run():
    async def use(batches):
        batch_id = await batches.created(requests_of(10))
        await batches.turn(LENGTH_S / 2)
        cancelling = await batches.good("POST", f"/{batch_id}/cancel")
        await batches.turn(LENGTH_S / 2)
        again, _ = await batches.ask("POST", f"/{batch_id}/cancel")
        return cancelling, await batches.look(batch_id), await batches.results(batch_id), again

    cancelling, ended, results, again = on_anthropic(use)
    assert (cancelling["processing_status"], cancelling["request_counts"]["processing"]) == ("canceling", 10)
    counts = ended["request_counts"]
    assert (ended["processing_status"], again) == ("ended", 400)
    assert counts["succeeded"] == types(results).count("succeeded") >= 5
    assert counts["canceled"] == types(results).count("canceled") == 10 - counts["succeeded"]


def test_after_a_day_the_rest_is_expired_and_results_are_kept_for_29():
    async def use(batches):
        batch, results = await batches.ended(requests_of(10), DAY_S)
        await batches.turn(29 * DAY_S)
        return batch, results, (await batches.ask("GET", f"/{batch['id']}/results"))[0], await batches.look(batch["id"])

    batch, results, gone, archived = on_anthropic(use, batch_s=2 * DAY_S)
    assert types(results) == ["succeeded"] * 5 + ["expired"] * 5
    assert batch["request_counts"]["expired"] == 5
    assert gone == 404
    assert (archived["results_url"], archived["archived_at"] is None) == (None, False)


def test_lists_have_pages_both_ways():
    async def use(batches):
        ids = [await batches.created(requests_of(1)) for _ in range(5)]
        first = await batches.good("GET", "?limit=2")
        second = await batches.good("GET", f"?limit=2&after_id={first['last_id']}")
        back = await batches.good("GET", f"?limit=2&before_id={second['first_id']}")
        return ids, first, second, back

    ids, first, second, back = on_anthropic(use)
    shown = [[one["id"] for one in page["data"]] for page in (first, second, back)]
    assert shown == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[4], ids[3]]]
    assert [page["has_more"] for page in (first, second, back)] == [True, True, False]


def test_only_what_has_ended_can_be_deleted():
    async def use(batches):
        batch_id = await batches.created(requests_of(1))
        early, _ = await batches.ask("DELETE", f"/{batch_id}")
        await batches.turn(LENGTH_S)
        deleted = await batches.good("DELETE", f"/{batch_id}")
        return early, deleted["type"], (await batches.ask("GET", f"/{batch_id}"))[0]

    assert on_anthropic(use) == (400, "message_batch_deleted", 404)


def test_cache_marks_do_not_make_it_another_content():
    marked = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    plain = [{"type": "text", "text": "x"}]

    async def use(batches):
        await batches.ended([message("a", marked), message("b", plain)])
        return (await batches.counters())["billed_twice"]

    assert on_anthropic(use) == 1


def test_what_is_asked_live_and_in_a_batch_is_billed_twice():
    async def use(batches):
        await batches.ended(requests_of(2))
        await batches.good("POST", f"{batches.client.url}/v1/messages", json=requests_of(2)[1]["params"])
        return (await batches.counters())["billed_twice"]

    assert on_anthropic(use) == 1
