"""The sandbox's limits and books: true hints, every request counted once, and the same night for the same seed."""

import asyncio

import pytest
from sandbox_client import SHARES, ask, client_of, posted, with_client

from pipeline.job.settings import Sandbox


def test_an_empty_bucket_is_a_429_with_a_true_hint():
    """The third of two requests a minute is refused by the bucket, with levels, and told when to come back."""

    async def use(client):
        answers = [await client.post(ask(str(number))) for number in range(3)]
        return answers, await client.counters()

    (first, _, third), counters = with_client(use, requests_per_minute=2)
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-reset-requests"] == "30s"
    assert "x-ratelimit-limit-tokens" not in first.headers
    assert (third.status, third.error["code"], third.error["type"]) == (429, "rate_limit_exceeded", "requests")
    assert "Limit 2, Used 2, Requested 1." in third.error["message"]
    assert third.headers["retry-after"] == "30"
    assert 29_000 < int(third.headers["retry-after-ms"]) <= 30_000
    assert (counters["rate_limited"], counters["throttled"], counters["answered"]) == (1, 0, 2)


def test_tokens_are_charged_to_the_cap_and_given_back():
    """Admission charges prompt and cap; what was not used is back for the next request."""

    async def use(client):
        first, second = await client.post(ask()), await client.post(ask())
        used = first.body["usage"]["total_tokens"]
        reserved = first.body["usage"]["prompt_tokens"] + 1000
        assert int(first.headers["x-ratelimit-remaining-tokens"]) == 5000 - reserved
        assert int(second.headers["x-ratelimit-remaining-tokens"]) == pytest.approx(5000 - used - reserved, abs=50)

    with_client(use, tokens_per_minute=5000)


def test_what_never_fits_the_limit_says_so():
    """A request over a whole minute's tokens is a 429 that asks for less, without a wait."""
    got = posted(ask(), tokens_per_minute=500)
    assert (got.status, got.error["type"], got.error["code"]) == (429, "tokens", "rate_limit_exceeded")
    assert "Request too large" in got.error["message"]
    assert "retry-after" not in got.headers


def test_the_books_balance():
    """Under all faults at once: every request ends once, and billed tokens are those of the answers sent."""
    shares = dict.fromkeys(set(SHARES) - {"timeout", "disconnect"}, 0.15)

    async def use(client):
        answers = await asyncio.gather(*(client.post(ask(f"row {number % 40}")) for number in range(80)))
        return answers, await client.counters()

    answers, counters = with_client(use, seed=3, latency_ms=20, **shares)
    good = [got.body["usage"] for got in answers if got.status == 200]
    assert counters["requests"] == 80 == sum(counters["by_status"].values())
    assert counters["by_status"]["200"] == counters["answered"] == len(good)
    assert counters["billed_prompt_tokens"] == sum(usage["prompt_tokens"] for usage in good)
    assert counters["billed_completion_tokens"] == sum(usage["completion_tokens"] for usage in good)
    assert counters["throttled"] == counters["faults"]["throttled"] == counters["by_status"]["429"]
    assert 0 < counters["documents_billed"] <= 40
    assert 0 < counters["documents_billed_again"] == counters["requests_billed_again"]
    assert counters["max_concurrent"] > 10
    assert counters["in_flight"] == 0


def test_a_repair_bills_the_document_again_but_not_the_request():
    """A document may be paid for twice on purpose; the same request may not."""
    turns = [ask()["messages"][1], {"role": "assistant", "content": "{"}, {"role": "user", "content": "no JSON"}]

    async def use(client):
        await client.post(ask())
        await client.post(ask(messages=turns))
        counters = await client.counters()
        assert (counters["documents_billed"], counters["documents_billed_again"]) == (1, 1)
        assert counters["requests_billed_again"] == 0
        await client.reset()
        assert (await client.counters())["requests"] == 0

    with_client(use)


def test_the_same_seed_is_the_same_night():
    """Two servers with one seed give the same statuses, answers and ids in any order; another seed does not."""
    shares = dict.fromkeys(set(SHARES) - {"timeout", "disconnect"}, 0.12)

    async def night(seed, order):
        async with client_of(Sandbox(seed=seed, **shares)) as client:
            found = {}
            for number in order:
                twice = [await client.post(ask(f"row {number}")) for _ in range(2)]
                found[number] = [(got.status, got.headers["x-request-id"], got.body.get("choices")) for got in twice]
            return found

    one, two = asyncio.run(night(7, range(40))), asyncio.run(night(7, reversed(range(40))))
    other = asyncio.run(night(8, range(40)))
    assert one == two
    assert [entry[0][0] for entry in one.values()] != [entry[0][0] for entry in other.values()]
    assert any(first[:1] != second[:1] for first, second in one.values()), "a second try has a lot of its own"


def test_after_a_reset_the_night_begins_again():
    """A reset forgets how often a request was seen."""

    async def use(client):
        first = await client.post(ask())
        await client.reset()
        return first.headers["x-request-id"], (await client.post(ask())).headers["x-request-id"]

    first, again = with_client(use)
    assert first == again


def test_latency_is_kept():
    """An answer takes at least half of the latency that was asked for."""

    async def use(client):
        clock = asyncio.get_running_loop().time
        began_s = clock()
        await asyncio.gather(*(client.post(ask(str(number), stream=number % 2 == 0)) for number in range(10)))
        return clock() - began_s

    assert with_client(use, latency_ms=200) >= 0.1
