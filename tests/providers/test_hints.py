"""Waiting and limits, in every spelling that providers have for them."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.hints import MESSAGE_CHARS, duration_s, limits_seen, retry_after_s, shortened
from pipeline.types import Dimension, LimitSeen

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
DATE = {"date": format_datetime(NOW, usegmt=True)}
HEADER_NAMES = [
    *("retry-after", "retry-after-ms", "date"),
    *(
        f"x-ratelimit-{what}-{dimension}"
        for what in ("limit", "remaining", "reset")
        for dimension in ("requests", "tokens")
    ),
    *(f"anthropic-ratelimit-input-tokens-{what}" for what in ("limit", "remaining", "reset")),
]
JSON = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["details", "retryDelay", "metadata", "headers", "X-RateLimit-Reset", "Retry-After"]), inner
        )
    ),
    max_leaves=12,
)
SNIPPETS = st.sampled_from(
    ["6m0s", "20ms", "-1", "NaN", "inf", "1e400", "Wed, 25 Nov 2026 12:00:00 GMT", "2026-11-25T12:00:00Z", "9" * 400]
)


def info(delay):
    return {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}


@each_case(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("1s", 1.0),
        ("20ms", 0.02),
        ("0s", 0.0),
        ("1h2m3.5s", 3723.5),
        ("1m30.951s", 90.951),
        ("114h18m0s", 411480.0),
        ("835.5µs", 0.0008355),
        ("34.4s", 34.4),
        ("45.837906927s", 45.837906927),
        ("2 hours", 7200.0),
        ("22 seconds", 22.0),
        ("5 mins", 300.0),
        ("1 day", 86400.0),
        ("250 milliseconds", 0.25),
        ("20MS", 0.02),
        ("-5s", 0.0),
        ("", None),
        ("soon", None),
        ("12", None),
        ("5 tokens", None),
        ("5ſ", None),
        ("9" * 400 + "s", None),
    ],
)
def test_durations(text, seconds):
    """Go's durations, Google's, and words; what is none, or too large to be a number, is None."""
    found = duration_s(text)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


@each_case(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1000000000"}, 1e9),
        ({"retry-after": "30s"}, 30.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True), **DATE}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=90), usegmt=True), **DATE}, 0.0),
        ({"retry-after": "2026-11-25T12:01:00Z", **DATE}, 60.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250.5"}, 0.2505),
        ({"retry-after-ms": "0"}, 0.0),
        ({"retry-after-ms": "-4"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "20", "retry-after": "1"}, 0.02),
        ({"retry-after-ms": "1000", "retry-after": "2"}, 1.0),
        ({"retry-after-ms": "0", "retry-after": "1"}, 1.0),
        ({"retry-after-ms": "20", "retry-after": "30"}, 30.0),
        ({"retry-after-ms": "junk", "retry-after": "4"}, 4.0),
        ({}, None),
    ],
)
def test_retry_after_headers(headers, seconds):
    """Milliseconds are the exact figure of the two, unless they contradict the seconds; a date counts from Date."""
    found = retry_after_s(headers)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


def test_a_date_without_a_date_header_is_read_by_the_clock():
    """An HTTP date in the future is a wait even when the answer does not say when it was written."""
    until = datetime.now(UTC) + timedelta(hours=1)
    assert 3590 < retry_after_s({"retry-after": format_datetime(until, usegmt=True)}) <= 3600


@each_case(
    ("text", "seconds"),
    [
        ("Limit 3, Used 3, Requested 1. Please try again in 20s. Visit 2 pages", 20.0),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 1.5 s", 1.5),
        ("Please try again in 114h18m0s.", 411480.0),
        ("exceeded the rate. Please retry after 22 seconds.", 22.0),
        ("Please retry after 1 second.", 1.0),
        ("Please retry in 45.8379s.", 45.8379),
        ("Rate limit is exceeded. Try again in 38 seconds.", 38.0),
        ("Please wait for 2 minutes", 120.0),
        ("Please wait 30 seconds before retrying", 30.0),
        ("Please wait before trying again.", None),
        ("try again later", None),
        ("the model gpt-4 of 2 hours ago", None),
    ],
)
def test_hints_in_the_message(text, seconds):
    """Where neither header nor body has a hint, the message may."""
    assert retry_after_s({}, text) == seconds


def test_what_is_more_exact_comes_first():
    """Header before body, and of what stands in there the longest; a hint that is none does not hide the next."""
    text = "Please try again in 9s."
    assert retry_after_s({"retry-after": "2"}, text, info("5s")) == 2.0
    assert retry_after_s({}, text, info("5s")) == 9.0
    assert retry_after_s({}, text, info("50")) == 50.0
    assert retry_after_s({}, text, info("?")) == 9.0
    assert retry_after_s({"retry-after": "?"}, text) == 9.0
    assert retry_after_s({"retry-after-ms": "0"}, text) == 9.0


def test_openai_limits():
    """Both dimensions with limit, remaining and the time until they are full; Azure says only what remains."""
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-remaining-tokens": "119984",
    }
    assert limits_seen(headers) == (
        LimitSeen(Dimension.REQUESTS, 500, 499, 0.12),
        LimitSeen(Dimension.TOKENS, None, 119984, None),
    )


def test_the_smaller_of_two_limits_counts():
    """A project's limit beside its organisation's: the dimension is as wide as the narrower."""
    headers = {
        "x-ratelimit-limit-tokens": "1000000",
        "x-ratelimit-remaining-tokens": "900000",
        "x-ratelimit-limit-project-tokens": "30000",
        "x-ratelimit-remaining-project-tokens": "20000",
        "x-ratelimit-reset-project-tokens": "20s",
    }
    assert limits_seen(headers) == (LimitSeen(Dimension.TOKENS, 30000, 20000, 20.0),)


def test_limits_by_the_minute_in_a_name():
    """Cerebras has the span in the header's name, and the reset in seconds."""
    headers = {
        "x-ratelimit-limit-tokens-minute": "60000",
        "x-ratelimit-remaining-tokens-minute": "59000",
        "x-ratelimit-reset-tokens-minute": "11.38",
        "x-ratelimit-limit-requests-day": "14400",
    }
    assert limits_seen(headers) == (LimitSeen(Dimension.TOKENS, 60000, 59000, 11.38),)


def test_anthropic_limits():
    """Resets are times: counted from `now`, else from the answer's Date, else not known."""
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "200000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-25T12:01:03Z",
        "anthropic-ratelimit-output-tokens-remaining": "-1",
    }
    output = LimitSeen(Dimension.OUTPUT_TOKENS, None, 0, None)
    assert limits_seen(headers) == (LimitSeen(Dimension.INPUT_TOKENS, 200000, 0, None), output)
    assert limits_seen({**headers, **DATE}) == (LimitSeen(Dimension.INPUT_TOKENS, 200000, 0, 63.0), output)
    later = NOW + timedelta(seconds=60)
    assert limits_seen({**headers, **DATE}, later)[0].reset_s == 3.0
    assert limits_seen(headers, later.replace(tzinfo=None))[0].reset_s == 3.0


def test_a_reset_may_be_a_unix_time():
    """A reset of 50 years is a time of day."""
    headers = {"x-ratelimit-limit-requests": "5", "x-ratelimit-reset-requests": str(int(NOW.timestamp()) + 30)}
    assert limits_seen({**headers, **DATE})[0].reset_s == 30.0
    assert limits_seen(headers)[0].reset_s is None
    assert limits_seen({**headers, "x-ratelimit-reset-requests": "20261125"})[0].reset_s == 20261125.0


def test_messages_are_short_and_show_no_key():
    """What looks like a key is taken out, what moves a terminal's cursor too."""
    text = shortened("Incorrect API key: sk-abcdefgh12345678. \x1b[2J" + "x y " * 500)
    assert "sk-" not in text
    assert "\x1b" not in text
    assert len(text) == MESSAGE_CHARS
    assert shortened("two\nlines\tof text") == "two\nlines\tof text"
    shortened("\ud800").encode()


@given(
    st.dictionaries(st.sampled_from(HEADER_NAMES), SNIPPETS | st.text(max_size=40)),
    st.text() | SNIPPETS,
    JSON,
    SNIPPETS,
)
def test_anything_at_all_is_a_number_or_none(headers, text, error, delay):
    """Whatever stands there: finite seconds from 0 up, or None; never an exception."""
    error = error if isinstance(error, dict) else {}
    found = [
        retry_after_s(headers, text, error),
        retry_after_s(headers, text, info(delay)),
        retry_after_s({}, f"try again in {text}"),
        duration_s(text),
    ]
    seen = limits_seen(headers, NOW) + limits_seen(headers)
    found += [value for one in seen for value in (one.limit, one.remaining, one.reset_s)]
    for value in found:
        assert value is None or (math.isfinite(value) and value >= 0)


@given(st.text())
def test_any_message_is_shortened(text):
    """At most 500 characters, and they can be written as UTF-8."""
    short = shortened(text)
    assert len(short) <= MESSAGE_CHARS
    short.encode()


@given(st.integers(0, 10**7))
def test_no_hint_is_shortened(milliseconds):
    """What a provider asks for is what comes out, in each spelling, however long."""
    seconds = milliseconds / 1000
    spelt = [
        retry_after_s({"retry-after": str(seconds)}),
        retry_after_s({"retry-after-ms": str(milliseconds)}) if milliseconds else seconds,
        retry_after_s({"retry-after-ms": str(milliseconds), "retry-after": str(math.ceil(seconds))}),
        retry_after_s({}, f"Please try again in {milliseconds}ms."),
        retry_after_s({}, "", info(f"{seconds:.9f}s")),
    ]
    assert spelt == [pytest.approx(seconds)] * len(spelt)
