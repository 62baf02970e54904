"""`check --strict`: what a job needs that runs when nobody looks, one line each; what is missing is a problem."""

import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.catalog.pins import pin_of
from pipeline.errors import Finding
from pipeline.job.settings import Job, Limits

LONGEST_CALL_S = 900.0
LONGEST_SILENCE_S = 120.0
LONGEST_OUTAGE_S = 6 * 3600.0
MOST_ATTEMPTS = 20
LOST_AT_RESTART = ("/dev/shm", "/run")  # noqa: S108 (told of, not written to)


def strictly(job: Job, *, priced: bool | None) -> list[Finding]:
    """The checklist. Reads the job file once more, for what it says itself.

    `priced`: whether the model's price is known; None: not told.
    """
    temporary = (tempfile.gettempdir(), *LOST_AT_RESTART)
    return list(checklist(job, written_keys(job.file), priced=priced, temporary=temporary))


def written_keys(file: str) -> frozenset[str]:
    """`section.key` of all that stands in a job file, defaults or not; nothing where there is none."""
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return frozenset()
    sections = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    return frozenset(f"{name}.{key}" for name, section in sections.items() for key in section)


def checklist(
    job: Job, written: frozenset[str], *, priced: bool | None, temporary: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """A line for each point. `written`: keys of the job file; `temporary`: folders that a restart empties. Pure."""
    yield from _money(job, priced=priced)
    yield _alert(job, written)
    yield from _answers(job)
    yield from _endurance(job, written)
    yield from _rows(job, temporary)


def _money(job: Job, *, priced: bool | None) -> Iterator[Finding]:
    cap, tenants = job.budget.max_usd, job.budget.tenant_max_usd_per_day
    why = "a wrong input may cost any amount: write the most that a run may cost, such as budget.max_usd = 20"
    yield _line("budget.max_usd", f"at most ${cap} a run", why, good=cap is not None)
    if job.input.tenant:
        why = "one tenant can use up the budget of all: write budget.tenant_max_usd_per_day"
        yield _line("budget.tenant_max_usd_per_day", f"at most ${tenants} each", why, good=tenants is not None)
    if priced is not None:
        why = f"none is known for {job.model.name}, so no cap can hold, and costs are null: write [prices]"
        yield _line("prices", "known", f"{why} input_usd_per_mtok and output_usd_per_mtok", good=priced)


def _alert(job: Job, written: frozenset[str]) -> Finding:
    """A program, metrics, or the log alone, where that was chosen in the file."""
    by_log = "budget.alert_at" in written
    told = bool(job.budget.alert_command or job.telemetry.prometheus_file)
    who = "somebody is told" if told else f"the log alone says it, at {job.budget.alert_at:.0%} of a budget"
    why = 'nobody is told when money runs out: write budget.alert_command = ["program"], or telemetry.prometheus_file'
    return _line("budget.alert_command", who, why, good=told or by_log)


def _answers(job: Job) -> Iterator[Finding]:
    pin, name, version = pin_of(job.model.provider, job.model.name), job.model.name, job.prompt_version
    if pin.sure:
        why = f"what {name} is may change unseen, and its answers with it: write {pin.instead}"
        yield _line("model.name", f"{name} is one version", why, good=pin.pinned)
    else:
        why = f"whether deployment {name!r} is upgraded by itself is not in its name: set it to no automatic upgrade"
        yield Finding("model.name", "warning", why)
    why = 'no answer says by which prompt it was given: write prompt_version = "2026-11-30", and change both together'
    yield _line("prompt_version", version, why, good=bool(version.strip()))


def _endurance(job: Job, written: frozenset[str]) -> Iterator[Finding]:
    limits = job.limits
    call, silence, tries, outage = limits.timeout_s, limits.idle_timeout_s, limits.max_attempts, limits.outage_s
    why = f"a stuck call holds its row for {call:g} s: write {LONGEST_CALL_S:g} or less"
    yield _line("limits.timeout_s", f"{call:g} s a call", why, good=call <= LONGEST_CALL_S)
    if job.model.stream:
        why = f"a stream may be silent for {silence:g} s: write {LONGEST_SILENCE_S:g} or less"
        yield _line("limits.idle_timeout_s", f"{silence:g} s", why, good=silence <= LONGEST_SILENCE_S)
    why = f"with {tries}, one bad minute costs rows, or a bad row is tried for long: write 2 to {MOST_ATTEMPTS}"
    yield _line("limits.max_attempts", f"{tries} a call", why, good=2 <= tries <= MOST_ATTEMPTS)
    why = f"with {outage:g} s, a provider that is down parks the run at once, or holds it for long: write 60 to"
    good = 1 <= outage <= LONGEST_OUTAGE_S
    yield _line("limits.outage_s", f"{outage:g} s", f"{why} {LONGEST_OUTAGE_S:g}", good=good)
    why = "nobody has chosen how many rows may fail before the exit code is 1: write it in the job file, also if 0.0"
    yield _line("limits.max_failed_share", f"{limits.max_failed_share:g}", why, good=_chosen(limits, written))


def _chosen(limits: Limits, written: frozenset[str]) -> bool:
    """By the file's own key: a default that is meant is written down."""
    key = "max_failed_share"
    return f"limits.{key}" in written or limits.max_failed_share != _default(Limits, key)


def _default(kind: Any, name: str) -> Any:  # noqa: ANN401 (of any setting)
    return dict(zip(reversed(kind.__struct_fields__), reversed(kind.__struct_defaults__), strict=False))[name]


def _rows(job: Job, temporary: tuple[str, ...]) -> Iterator[Finding]:
    why = "rows are named by their place, and one that is put in between renames all after it: write the column"
    yield _line("input.id", f"column {job.input.id!r}", f"{why} that names a row", good=bool(job.input.id))
    why = f"only the first {job.limit_rows} rows would run: leave --limit out"
    yield _line("--limit", "all rows", why, good=job.limit_rows is None)
    folder = Path(job.output.path)
    lost = next((one for one in temporary if folder.is_relative_to(one)), None)
    if job.output_url:
        yield Finding("output.path", "ok", f"{job.output_url}: kept in a bucket, worked on in {folder}")
    elif lost is not None:
        told = f"{folder} is below {lost}, which a restart may empty, and what was paid for with it"
        yield Finding("output.path", "warning", f"{told}: write a folder that is kept")
    else:
        yield Finding("output.path", "ok", f"{folder} is kept")


def _line(what: str, detail: str, missing: str, *, good: bool) -> Finding:
    return Finding(what, "ok", detail) if good else Finding(what, "problem", missing)
