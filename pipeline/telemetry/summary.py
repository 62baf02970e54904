"""What the verbs tell people, as text: the summary of a run, its status, an estimate, costs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import convert, to_builtins

from pipeline.errors import CallFailed, Kind
from pipeline.job.folder import CALLS, RESULTS, RUN
from pipeline.ledger.records import Send
from pipeline.money import dollars, money
from pipeline.output.manifest import Manifest
from pipeline.telemetry.batches import lines_of
from pipeline.telemetry.causes import Cause
from pipeline.telemetry.snapshot import WORDS, ModelNow, waited_for
from pipeline.telemetry.workers import workers_lines
from pipeline.text import duration, inert
from pipeline.types import Usage

MOST_NAMED = 10  # lost calls, and rows of each
MOST_CAUSE_CHARS = 160
STILL_TRUE = {
    "rows",
    "input",
    "previous",
    "failed",
    "cost",
    "assumed",
    "at risk",
    "results",
}  # of a session that found nothing to do
LONGEST_TOLD_S = 366 * 86400.0
DAY_LEAST_S = 3600.0  # a hint shorter than this is no day's
MINUTE = "%Y-%m-%d %H:%M UTC"


def summary(
    manifest: Manifest, folder: str, next_step: str, causes: Sequence[Cause] = (), now: datetime | None = None
) -> str:
    """The end of a run, from its manifest: every figure in it can be found in run.json. `causes`: why rows failed."""
    rows, tokens = manifest.rows, manifest.tokens
    failed = ", ".join(
        f"{count} {code}" for code, count in sorted(manifest.failed_by_code.items(), key=lambda i: -i[1])
    )
    lines = [
        ("rows", f"{rows.total:,}   {rows.ok:,} ok · {rows.failed:,} failed · {rows.pending:,} pending"),
        ("repaired", f"{manifest.repaired_rows:,} rows, with {manifest.repairs:,} repair calls"),
        ("failed", failed or "none"),
        *(("", told) for told in map(_cause, (cause.as_json() for cause in causes))),
        *(("", told) for told in _untold(rows.failed, [cause.rows for cause in causes])),
        ("calls", f"{manifest.calls:,}   {manifest.rate_limited:,} answered 429"),
        *(("packs", told) for told in _packs(manifest.packs)),
        ("waited", waited_for(manifest.waited_share) or "for nothing"),
        ("tokens", _tokens(tokens)),
        ("cost", _cost(manifest)),
        *([("assumed", _assumed(manifest.assumed_usd))] if manifest.assumed_usd is not None else []),
        *([] if manifest.at_risk is None else [("at risk", _at_risk(to_builtins(manifest.at_risk)))]),
        *(("model", told) for told in _models(manifest.models)),
        *(("node", told) for told in workers_lines(manifest.workers)),
        ("time", duration(manifest.seconds or 0.0)),
        ("results", f"{folder}/{RESULTS}, {CALLS}, {RUN}"),
    ]
    cached = manifest.caching
    if cached is not None and cached.hit_rate:
        saved = "" if cached.saved_usd is None else f", which saved ${cached.saved_usd}"
        lines.append(("cache", f"{cached.hit_rate:.0%} of input tokens were read from the provider's cache{saved}"))
    if manifest.free_rows:
        lines.insert(2, ("free", f"{manifest.free_rows:,} rows answered by a duplicate or an earlier run, at no cost"))
    lines += [("batches", told) for told in lines_of(manifest.batches, now or datetime.now(UTC))]
    lines[1:1] = [*_session_lines(manifest), *_previous_lines(manifest)]
    reason = f" ({manifest.reason})" if manifest.reason else ""
    lines += [("advice", text) for text in manifest.advice]
    nothing = manifest.session.nothing_to_do if manifest.session else None
    lines = [line for line in lines if nothing is None or line[0] in STILL_TRUE]
    head = f"{inert(manifest.job['name'])}: {nothing or manifest.state + reason}"
    body = "\n".join(f"  {name:<9} {text}" for name, text in lines)
    return f"{head}\n{body}" + (f"\n\n{next_step}" if next_step else "")


def _models(models: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, one in models.items():
        yield f"{name}: {one['rows']:,} rows, {one['calls']:,} calls, ${one['cost_usd']}"


def _packs(packs: Mapping[str, int]) -> Iterator[str]:
    if packs:
        rows, calls, apart = packs["rows"], packs["calls"], packs["apart"]
        yield f"{rows:,} rows went in {calls:,} calls together; {apart:,} of these fell apart into single calls"


def _cause(cause: dict[str, Any]) -> str:
    """One kind of failure by its first row, on one line."""
    example = cause["example"]
    error = " ".join(inert(example["error"]).split())
    error = error if len(error) <= MOST_CAUSE_CHARS else f"{error[:MOST_CAUSE_CHARS]}…"
    return f"{cause['rows']:,} {cause['error_code']}, as {inert(example['id'])!r}: {error}"


def _cost(manifest: Manifest) -> str:
    """Of this session first: what a run cost on earlier days is not tonight's."""
    cost, session = manifest.cost_text, manifest.session
    if cost is None and session is not None and session.nothing_to_do:
        return "nothing in this session"
    if cost is None:
        return "unknown: no price for this model"
    if session is None or session.cost_usd == manifest.cost_usd:
        return f"${cost} by {manifest.price_table}"
    return f"${session.cost_text or 0} in this session; ${cost} in all sessions of this run, by {manifest.price_table}"


def _assumed(usd: Decimal | str) -> str:
    return f"{dollars(Decimal(usd))} more may have been spent by a machine that was lost; budget.max_usd counts it"


def _at_risk(found: Mapping[str, Any]) -> str:
    calls = "1 call" if found["calls"] == 1 else f"{found['calls']:,} calls"
    return f"up to {dollars(Decimal(found['usd']))} more may have been billed: {calls} whose fate is not known"


def _session_lines(manifest: Manifest) -> list[tuple[str, str]]:
    """What a night found and did, where it is not the first."""
    session = manifest.session
    if session is None:
        return []
    rows, lines = session.rows, []
    if rows.changed or rows.known or rows.gone:
        told = f"{rows.new:,} new · {rows.changed:,} changed · {rows.known:,} known · {rows.gone:,} gone"
        lines.append(("input", told))
    if session.verb == "retry" and session.nothing_to_do is None:
        spent = "an unknown amount" if session.cost_usd is None else f"${session.cost_text}"
        told = f"{rows.done:,} tried · {rows.ok:,} mended · {rows.failed:,} still failing · {spent} spent"
        lines.append(("retried", told))
    elif session.calls != manifest.calls:
        lines.append(("session", f"{session.calls:,} calls, {rows.done:,} rows done, in {duration(session.seconds)}"))
    return lines


def _previous_lines(manifest: Manifest) -> list[tuple[str, str]]:
    """Pending rows that show an earlier record, and those whose earlier one is no more."""
    lines = []
    if manifest.previous:
        told = ", ".join(
            f"{_rows(count, 'shows its', 'show their')} record of {day}" for day, count in manifest.previous.items()
        )
        lines.append(("previous", f"{told}, until their new one is there"))
    if unfit := manifest.previous_unfit:
        lines.append(
            (
                "previous",
                f"{_rows(unfit, 'has an', 'have an')} earlier record that does not fit the schema as it is now",
            )
        )
    return lines


def _rows(count: int, one: str, more: str) -> str:
    return f"1 row {one}" if count == 1 else f"{count:,} rows {more}"


def _tokens(tokens: Usage) -> str:
    into = f"{tokens.input_tokens:,} in ({tokens.cached_input_tokens:,} cached)"
    return f"{into} · {tokens.output_tokens:,} out ({tokens.reasoning_tokens:,} reasoning)"


def _untold(failed: int, told: Sequence[int]) -> Iterator[str]:
    """That there are more rows than those whose causes are told, if any are."""
    if told and failed > sum(told):
        yield f"{failed - sum(told):,} for other reasons, which results.parquet has"


def status_text(found: dict[str, Any], now_at: datetime | None = None) -> str:
    rows = found["rows"]
    failed = ", ".join(f"{count} {code}" for code, count in sorted(found["failed_by_code"].items()))
    lines = [
        f"{inert(found['name'])}: {found['state']}" + (f" ({found['reason']})" if found["reason"] else ""),
        f"  rows      {rows['total']:,}   {rows['ok']:,} ok · {rows['failed']:,} failed · {rows['pending']:,} pending",
        f"  failed    {failed or 'none'}",
        *(f"            {_cause(cause)}" for cause in found["causes"]),
        *(f"            {told}" for told in _untold(rows["failed"], [cause["rows"] for cause in found["causes"]])),
        f"  calls     {found['calls']:,}   {found['rate_limited']:,} answered 429",
        f"  cost      {'unknown' if found['cost_usd'] is None else '$' + found['cost_usd']}",
        *([f"  assumed   {_assumed(found['assumed_usd'])}"] if "assumed_usd" in found else []),
        *([f"  at risk   {_at_risk(found['at_risk'])}"] if "at_risk" in found else []),
        *(f"  model     {told}" for told in _models(found.get("models", {}))),
        *(f"  node      {told}" for told in workers_lines(found.get("workers", ()))),
        f"  started   {found['started_at']}",
    ]
    batches = lines_of(found["batches"], now_at or datetime.now(UTC))
    lines += [f"  {'' if number else 'batches':<9} {told}" for number, told in enumerate(batches)]
    if (now := found.get("now")) is not None:
        lines += _now_lines(now)
    if found["held_by"]:
        lines.append(f"  held by   {found['held_by']}")
    return "\n".join(lines)


def _now_lines(now: dict[str, Any]) -> list[str]:
    """What a run that goes on does at this moment."""
    pace = "" if now["rows_per_s"] is None else f"   {now['rows_per_s']:,.1f} rows/s"
    left = "" if now["seconds_left"] is None else f"   about {duration(now['seconds_left'])} left"
    lines = [f"  now       {now['in_flight']} calls in flight of {now['slots']} slots{pace}{left}"]
    lines += [
        f"  limit     {WORDS.get(limit['of'], limit['of'])}: {limit['in_use']:,} in use, {limit['left']:,} left of "
        f"{limit['limit_per_minute']:,} a minute ({limit['source']})"
        for limit in now["limits"]
    ]
    if (until := now.get("opens_at")) is not None:
        lines.append(f"  closed    until {datetime.fromisoformat(until).strftime(MINUTE)}: a Retry-After")
    lines += [f"  model     {convert(one, ModelNow)}" for one in now.get("models", ())]
    lines += [f"  node      {told}" for told in workers_lines(now.get("workers", ()))]
    waited = waited_for(now["waited_share"])
    return lines + ([f"  waits     {waited}"] if waited else [])


def costs_text(by: str, groups: Sequence[dict[str, Any]]) -> str:
    """A line for each group."""
    lines = [f"{by:<24} {'calls':>8} {'input tokens':>14} {'output tokens':>14} {'cost':>16}"]
    lines += [
        f"{inert(group[by] or '-'):<24} {group['calls']:>8,} {group['input_tokens']:>14,} "
        f"{group['output_tokens']:>14,} {'$' + group['cost_usd']:>16}"
        for group in groups
    ]
    return "\n".join(lines)


def books_text(found: dict[str, Any]) -> str:
    """Our books beside a provider's, a line for each day, model and measure."""
    lines = [f"{'day':<12} {'model':<32} {'measure':<14} {'ours':>18} {'theirs':>18} {'theirs - ours':>18}"]
    for group in found["groups"]:
        for measure in found["compared"]:
            one = group[measure]
            lines.append(
                f"{group['day'] or '-':<12} {inert(group['model'] or '-'):<32} {measure:<14} {one['ours']:>18} "
                f"{one['theirs']:>18} {one['difference']:>18}"
            )
    lines.append("they agree" if found["agrees"] else "they do not agree")
    if found["unknown_calls"]:
        lines.append(
            f"{found['unknown_calls']:,} calls of ours have no known fate; they may have been billed up to "
            f"${found['at_risk_usd']} that is not in our figures"
        )
    return "\n".join(lines)


def lost_text(lost: Sequence[Send], rows: Mapping[str, Sequence[tuple[int, str]]]) -> str:
    """The calls that were in flight when the last session died, by name. `rows`: of those about several, by call."""
    most = money(sum(send.at_risk_units for send in lost))
    lines = [f"the last session died with {len(lost)} calls in flight, which may have cost up to {most}:"]
    for send in lost[:MOST_NAMED]:
        about = f"row {send.row} ({send.id!r}), chunk {send.chunk}"
        if (pack := rows.get(send.request_id)) is not None:
            more = f" and {len(pack) - MOST_NAMED} more" if len(pack) > MOST_NAMED else ""
            about = f"rows {', '.join(f'{row} ({name!r})' for row, name in pack[:MOST_NAMED])}{more}"
        lines.append(f"  {about}, {send.purpose}, call {send.request_id}")
    if len(lost) > MOST_NAMED:
        lines.append(f"  and {len(lost) - MOST_NAMED} more; all are in {CALLS} with error_code 'lost'")
    return "\n".join(lines)


def parked_text(failure: CallFailed, now: datetime) -> str:
    """The provider's words, and when it says that they no longer hold."""
    seconds = failure.retry_after_s or 0.0
    if seconds < DAY_LEAST_S and failure.kind is Kind.QUOTA:
        return str(failure)  # a day's allowance, and "retry in 43s": the day counts
    if not seconds > 0:
        return str(failure)
    if seconds >= LONGEST_TOLD_S:
        return f"{failure}. By the provider's own word that does not end within a year"
    ends = (now + timedelta(seconds=seconds)).strftime(MINUTE)
    return f"{failure}. By the provider's own word that ends at {ends}, in {duration(seconds)}"
