"""The provider's own count: every request once, at the pace of its endpoint, and no rate limit loses one."""

import asyncio
import json
import subprocess
import sys

import pytest
import virtual_time
from hypothesis import example, given
from hypothesis import strategies as st
from raw_server import answering

from pipeline.commands.estimate import exact
from pipeline.commands.estimate.exact import AT_ONCE, TRIES, Pace

ROWS = [{"id": f"r{number}", "text": f"Supplier: Acorn Mills {number}\nTotal: 12.50"} for number in range(40)]
SLOW_DOWN = {"type": "error", "error": {"type": "rate_limit_error", "message": "too many requests"}}


def answer(status, body, headers=b""):
    data = json.dumps(body).encode()
    head = b"HTTP/1.1 %d Answer\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, headers, len(data)) + data


def counted(job, script, rows=40):
    """`estimate --exact` against a server of count_tokens; how it ended, what was seen."""
    job.env["ANTHROPIC_API_KEY"] = "sk-ant-loopback"
    with answering(script) as raw:
        model = {"provider": "anthropic", "name": "claude-sonnet-4-5", "base_url": raw.url.removesuffix("/v1")}
        job.write("", rows=ROWS[:rows], model=model)
        return job.pipeline("estimate", job.file, "--exact", "--json"), raw


def test_every_request_is_counted_once_at_most_sixteen_at_a_time(job):
    asked = []

    def script(nth, of_connection, body, head):
        assert b"/v1/messages/count_tokens" in head
        asked.append(body["messages"][0]["content"])
        return answer(200, {"input_tokens": 1000})

    ended, raw = counted(job, script)
    assert len(asked) == len({str(one) for one in asked}) == len(ROWS)
    assert "40,000 tokens in 40 requests" in json.loads(ended.out)["assumptions"][0]
    assert raw.connections <= AT_ONCE


def test_a_rate_limit_with_a_hint_is_waited_out_and_is_no_try(job, monkeypatch):
    """However often: more often here, for a row, than a failure is tried again. Nothing is booked as paid."""
    monkeypatch.setattr(exact, "PAUSE_S", 0.0)
    refused = 3 * (TRIES + 1)

    def script(nth, of_connection, body, head):
        if nth <= refused:
            return answer(429, SLOW_DOWN, b"retry-after-ms: 1\r\n")
        return answer(200, {"input_tokens": 1000})

    ended, raw = counted(job, script, rows=3)
    assert "3,000 tokens in 3 requests" in json.loads(ended.out)["assumptions"][0]
    assert len(raw.requests) == refused + 3
    assert not job.out.exists()


@pytest.mark.parametrize("status", [429, 529])
def test_what_tells_no_time_to_wait_is_tried_again_a_few_times(job, status, monkeypatch):
    monkeypatch.setattr(exact, "PAUSE_S", 0.0)
    ended, raw = counted(job, lambda nth, *_: answer(status, SLOW_DOWN), rows=1)
    assert ended.returncode == 2
    assert "does not count row" in ended.err
    assert len(raw.requests) == TRIES


def test_the_first_refusal_ends_all_counting(job):
    refused = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    ended, raw = counted(job, lambda nth, *_: answer(401, refused))
    assert ended.returncode == 2
    assert "invalid x-api-key" in ended.err
    assert len(raw.requests) <= AT_ONCE


def turns(a_minute, many, shut_for_s=0.0):
    """When each of `many` that all wait at once had its turn, in seconds of the loop's clock."""

    async def all_of_them():
        pace, loop = Pace(a_minute), asyncio.get_running_loop()
        began = loop.time()
        pace.shut(shut_for_s)

        async def one():
            await pace.turn()
            return loop.time() - began

        return sorted(await asyncio.gather(*(one() for _ in range(many))))

    return virtual_time.run(all_of_them(), virtual_time.TickingLoop)


@given(st.integers(1, 6000), st.integers(1, 120))
@example(2000, 100)
@example(1, 3)
def test_no_second_has_more_turns_than_the_pace_beyond_its_first(a_minute, many):
    """A bucket of a second: any span of S seconds has at most S of its rate and what it holds when full."""
    times, a_second = turns(a_minute, many), a_minute / 60
    full = max(a_second, 1.0)
    for first in range(0, many, 7):
        for last in range(first, many, 7):
            assert last - first + 1 <= full + a_second * (times[last] - times[first]) + 1e-3
    assert times[-1] <= many / a_second + 1e-3, "and nobody waits for longer than the pace asks"


@given(st.integers(60, 6000), st.integers(1, 60), st.floats(0.1, 500.0))
def test_a_hint_holds_all_and_they_come_back_at_the_pace(a_minute, many, shut_for_s):
    times, a_second = turns(a_minute, many, shut_for_s), a_minute / 60
    assert times[0] >= shut_for_s - 1e-6
    for last in range(0, many, 5):
        assert last + 1 <= 2 * a_second + 1 + a_second * (times[last] - times[0])


def test_an_estimate_of_our_own_imports_no_pace():
    code = "import pipeline.commands.estimate.of_job, sys; print('aiolimiter' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
