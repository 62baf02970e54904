"""What providers say about waiting and limits, in all its spellings. Shared by the wires; never raises."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from pipeline.providers.echoes import unechoed
from pipeline.providers.json import items, mapping, string
from pipeline.types import Dimension, LimitSeen

MESSAGE_CHARS = 500
UNITS_S = {
    name: seconds
    for names, seconds in (
        ("ns", 1e-9),
        ("us µs μs", 1e-6),
        ("ms msec millisecond", 1e-3),
        ("s sec second", 1.0),
        ("m min minute", 60.0),
        ("h hr hour", 3600.0),
        ("d day", 86400.0),
    )
    for name in names.split()
}
UNIT = "|".join(sorted(UNITS_S, key=len, reverse=True))
DURATION = re.compile(rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*({UNIT})s?(?![a-zµμ])")  # lower case only
AGAIN = re.compile(
    r"(?:try again|retry|retrying|wait)\s+(?:(?:in|after|for|at least|about)\s+)*((?:[0-9.]+\s*[a-zµμ]+[\s,]*)+)"
)
DURATION_CHARS = 200
EPOCH_S = 1e9  # a reset beyond this is a Unix time: as a duration it would be 31 years
EPOCH_MS = 1e11  # and beyond this one in milliseconds
ROUNDING_S = 1.0
KEY_LIKE = re.compile(r"(sk-[\w-]{8,}|Bearer\s+\S+|AKIA\w{12,}|AIza[\w-]{20,}|\b[A-Za-z0-9_-]{40,}\b)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
DIMENSIONS = {
    "requests": Dimension.REQUESTS,
    "tokens": Dimension.TOKENS,
    "input-tokens": Dimension.INPUT_TOKENS,
    "output-tokens": Dimension.OUTPUT_TOKENS,
}
SPELLINGS = (
    "x-ratelimit-{0}-{1}",
    "x-ratelimit-{0}-project-{1}",  # OpenAI's, beside the organisation's
    "x-ratelimit-{0}-{1}-minute",  # Cerebras
    "anthropic-ratelimit-{1}-{0}",
)
HEADERS = {
    dimension: tuple(
        tuple(spelling.format(what, name) for what in ("limit", "remaining", "reset")) for spelling in SPELLINGS
    )
    for name, dimension in DIMENSIONS.items()
}


def retry_after_s(headers: Mapping[str, str], text: str = "", error: Mapping[str, Any] | None = None) -> float | None:
    """Seconds to wait: retry-after-ms, Retry-After (seconds, a date); else the longest hint in an error's body.

    `text` is its message, `error` the object itself: Google's RetryInfo, and OpenRouter's headers within it.

    Retry-After is retry-after-ms rounded; where they differ by more than that (Azure sends 0 beside 1), the longer one
    stands.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    exact_s = None if milliseconds is None else max(0.0, milliseconds / 1000)
    seconds = _retry_after(headers)
    if exact_s and seconds is not None and seconds - exact_s > ROUNDING_S:
        return seconds
    if exact_s:
        return exact_s
    if seconds is not None:
        return seconds
    said = (one for one in (*_told(error or {}, headers), _asked(text)) if one is not None)
    return max(said, default=exact_s)


def _asked(text: str) -> float | None:
    """What a message says of trying again."""
    again = AGAIN.search(text.lower()) if text else None
    return duration_s(again.group(1)) if again else None


def _told(error: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[float | None]:
    """What an error's object says: RetryInfo in its details, and the headers that a gateway puts into its metadata."""
    for detail in items(error.get("details")):
        yield _said(string(detail.get("retryDelay")))
    inner = mapping(mapping(error.get("metadata")).get("headers"))
    told = {name.lower(): str(value) for name, value in inner.items() if isinstance(value, str | int | float)}
    if told:
        yield retry_after_s(told)
        if not _number(told.get("x-ratelimit-remaining")):
            yield _reset_s(
                told.get("x-ratelimit-reset", ""), headers, _date(headers.get("date", "")) or datetime.now(UTC)
            )


def duration_s(text: str) -> float | None:
    """Seconds of "6m0s", "1.5s", "20ms", "2 hours"; None when it is no duration, 0 when it is negative."""
    return _duration_s(text[:DURATION_CHARS])


@lru_cache(maxsize=4096)  # a server says much the same again and again
def _duration_s(text: str) -> float | None:
    total, seen = 0.0, False
    for amount, unit in DURATION.findall(text.lower()):
        total += float(amount) * UNITS_S[unit]
        seen = True
    if not seen or not math.isfinite(total):
        return None
    return 0.0 if text.lstrip().startswith("-") else total


def limits_seen(headers: Mapping[str, str], now: datetime | None = None) -> tuple[LimitSeen, ...]:
    """What the headers say of each dimension: x-ratelimit-{limit,remaining,reset}-DIMENSION, and so on.

    Where one has two limits (organisation and project), the smaller one. Resets given as a time are counted from
    `now`, or from the answer's own Date.
    """
    found = []
    for dimension, spellings in _spelled(tuple(headers)):
        seen = list(_lane(headers, dimension, spellings, now))
        if seen:
            found.append(min(seen, key=lambda one: math.inf if one.limit is None else one.limit))
    return tuple(found)


def shortened(text: str) -> str:
    """At most 500 characters, none of them control, without what looks like a key or a file's bytes.

    The run's own key is out already.
    """
    text = CONTROL.sub(" ", KEY_LIKE.sub("[redacted]", unechoed(text[: 4 * MESSAGE_CHARS])))
    return text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 3] + "..."


@lru_cache(maxsize=64)
def _spelled(names: tuple[str, ...]) -> tuple[tuple[Dimension, tuple[tuple[str, ...], ...]], ...]:
    """The dimensions that headers of these names may tell of, and how; a server's answers mostly have the same."""
    found = (
        (dimension, tuple(one for one in spellings if one[0] in names or one[1] in names))
        for dimension, spellings in HEADERS.items()
    )
    return tuple((dimension, spellings) for dimension, spellings in found if spellings)


def _lane(
    headers: Mapping[str, str], dimension: Dimension, spellings: tuple[tuple[str, ...], ...], now: datetime | None
) -> Iterator[LimitSeen]:
    for limit_name, remaining_name, reset_name in spellings:
        limit, remaining = _positive(headers.get(limit_name)), _positive(headers.get(remaining_name))
        if limit is not None or remaining is not None:
            yield LimitSeen(dimension, limit, remaining, _reset_s(headers.get(reset_name, ""), headers, now))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a date; a date without the answer's own Date is read by this machine's clock."""
    value = headers.get("retry-after")
    if value is None:
        return None
    found = _said(value)
    if found is not None:
        return found
    until = _date(value)
    if until is None:
        return None
    return _until_s(until, _date(headers.get("date", "")) or datetime.now(UTC))


def _reset_s(value: str, headers: Mapping[str, str], now: datetime | None) -> float | None:
    until = _date(value)
    seconds = None if until else _said(value)
    if until is None and (seconds is None or seconds < EPOCH_S):
        return seconds
    since = now or _date(headers.get("date", ""))  # takes longer to read than all the others
    if since is None:
        return None
    at_s = seconds or 0.0
    return _until_s(until, since) if until else max(0.0, (at_s / 1000 if at_s > EPOCH_MS else at_s) - since.timestamp())


def _until_s(until: datetime, since: datetime) -> float:
    return max(0.0, (until - since.replace(tzinfo=since.tzinfo or UTC)).total_seconds())


def _said(value: str) -> float | None:
    """A bare number of seconds, or a duration."""
    seconds = _positive(value)
    return seconds if seconds is not None or ":" in value else duration_s(value)


def _date(value: str) -> datetime | None:
    """An HTTP date or an ISO one; UTC where no zone is told."""
    if ":" not in value:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _positive(value: str | None) -> float | None:
    number = _number(value)
    return None if number is None else max(0.0, number)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
