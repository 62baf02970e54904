"""What providers say about waiting and limits, in all its spellings. Shared by the wires; never raises."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipeline.work import Lane, LimitSeen

MESSAGE_CHARS = 500
DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hours?|d|days?)(?![a-z])", re.IGNORECASE
)
AGAIN = re.compile(r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?\s*[a-z]+\s*)+)", re.IGNORECASE)
UNITS_S = {"ms": 1e-3, "mi": 60.0, "m": 60.0, "s": 1.0, "h": 3600.0, "d": 86400.0}
KEY_LIKE = re.compile(r"(sk-[\w-]{8,}|Bearer\s+\S+|AKIA\w{12,}|AIza[\w-]{20,}|\b[A-Za-z0-9_-]{40,}\b)")
LANES = {
    "requests": Lane.REQUESTS,
    "tokens": Lane.TOKENS,
    "input-tokens": Lane.INPUT_TOKENS,
    "output-tokens": Lane.OUTPUT_TOKENS,
}


def retry_after_s(headers: Mapping[str, str], text: str = "", body_hint: str = "") -> float | None:
    """Seconds to wait: retry-after-ms, Retry-After (seconds or a date), a hint in the body, or in the message."""
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = _retry_after(headers)
    if milliseconds is not None or seconds is not None:
        in_ms = None if milliseconds is None else milliseconds / 1000
        if in_ms and in_ms > 0:
            return in_ms
        return seconds if seconds is not None else max(0.0, in_ms or 0.0)
    if body_hint:
        return duration_s(body_hint)
    found = AGAIN.search(text)
    return duration_s(found.group(1)) if found else None


def duration_s(text: str) -> float | None:
    """Seconds of "6m0s", "1.5s", "20ms", "2 hours"; None when it is no duration."""
    total, seen = 0.0, False
    for amount, unit in DURATION.findall(text[:200]):
        lower = unit.lower()
        factor = 1e-3 if lower.startswith("mil") else UNITS_S.get(lower[:2], UNITS_S.get(lower[:1], 0.0))
        total += float(amount) * factor
        seen = True
    return total if seen and math.isfinite(total) else None


def limits_seen(headers: Mapping[str, str], now: datetime | None = None) -> tuple[LimitSeen, ...]:
    """x-ratelimit-{limit,remaining,reset}-LANE and anthropic-ratelimit-LANE-{limit,remaining,reset}."""
    found = []
    for name, lane in LANES.items():
        for pattern in ("x-ratelimit-{0}-" + name, "anthropic-ratelimit-" + name + "-{0}"):
            limit = _number(headers.get(pattern.format("limit")))
            remaining = _number(headers.get(pattern.format("remaining")))
            if limit is not None or remaining is not None:
                reset = headers.get(pattern.format("reset"), "")
                found.append(LimitSeen(lane, limit, remaining, _reset_s(reset, headers, now)))
    return tuple(found)


def shortened(text: str) -> str:
    """At most 500 characters, without what looks like a key (the run's own is already out, see `secrets`)."""
    text = KEY_LIKE.sub("[redacted]", text[: 4 * MESSAGE_CHARS])
    return text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 3] + "..."


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    until, now = _date(value), _date(headers.get("date", ""))
    if until is None:
        return None
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def _reset_s(value: str, headers: Mapping[str, str], now: datetime | None) -> float | None:
    if not value:
        return None
    found = duration_s(value) if not re.match(r"\d{4}-", value) else None
    if found is not None:
        return found
    if (seconds := _number(value)) is not None:
        return max(0.0, seconds)
    try:
        until = datetime.fromisoformat(value)
        since = now or _date(headers.get("date", ""))
        return max(0.0, (until - since).total_seconds()) if since else None
    except (ValueError, TypeError, OverflowError):
        return None


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
