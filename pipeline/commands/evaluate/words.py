"""What `pipeline eval` tells people: a table of fields, the worst first, and what was wrong."""

from collections.abc import Iterator, Mapping
from math import floor
from typing import Any

from pipeline.text import inert

MOST_FIELDS = 60
MOST_SAID = 12
NOTHING = "nothing"


def eval_text(found: Mapping[str, Any]) -> str:
    """All of it."""
    return "\n".join(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield from _head(found)
    width = max([24, *(len(inert(path)) for path in found["fields"])])
    yield ""
    yield f"{'field':<{width}} {'values':>8} {'right':>8} {'wrong':>8} {'missing':>8} {'extra':>8} {'accuracy':>9}"
    fields = worst_first(found["fields"])
    for path, counts in fields[:MOST_FIELDS]:
        numbers = " ".join(f"{counts[name]:>8,}" for name in ("n", "right", "wrong", "missing", "extra"))
        yield f"{inert(path):<{width}} {numbers} {share(counts['accuracy']):>9}"
    if len(fields) > MOST_FIELDS:
        yield f"and {len(fields) - MOST_FIELDS:,} more fields, which are no worse: --json has all"
    yield from _groups(found.get("by", {}), width)
    yield from _examples(found["examples"])


def _head(found: Mapping[str, Any]) -> Iterator[str]:
    """How many of what, and how right they are."""
    left = [f"{found[name]:,} {told}" for name, told in (("pending", "are pending"), ("absent", "have no row here"))
            if found[name]]  # fmt: skip
    failed = f", {found['failed']:,} of them failed" if found["failed"] else ""
    beside = f" ({'; '.join(left)})" if left else ""
    yield f"compared {found['compared']:,} of {found['rows']:,} known rows{failed}{beside}"
    gate = (
        "" if "gate" not in found else f", {'at or above' if found['passed'] else 'BELOW'} the gate of {found['gate']}"
    )
    yield f"accuracy {share(found['accuracy'])} of values, {share(found['record_accuracy'])} of whole records{gate}"
    each = found["cost_per_right_record_usd"]
    yield f"cost     {'unknown, or no record is right' if each is None else f'${each} for each record that is right'}"


def _groups(groups: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[str]:
    if groups:
        yield ""
        yield f"{'by':<{width}} {'rows':>8} {'failed':>8} {'accuracy':>9} {'records':>9} {'cost of a right record':>23}"
    for name, one in groups.items():
        each = one["cost_per_right_record_usd"]
        yield (
            f"{inert(name):<{width}} {one['compared']:>8,} {one['failed']:>8,} {share(one['accuracy']):>9} "
            f"{share(one['record_accuracy']):>9} {'-' if each is None else f'${each}':>23}"
        )


def _examples(examples: list[Mapping[str, Any]]) -> Iterator[str]:
    if examples:
        yield ""
        yield "what was not right, for example:"
    for one in examples[:MOST_SAID]:
        known, got = (NOTHING if one[side] is None else repr(one[side]) for side in ("known", "found"))
        yield f"  {inert(one['id'])}  {inert(one['path'])}: {inert(got)} was found, {inert(known)} is known"
    if len(examples) > MOST_SAID:
        yield f"  and {len(examples) - MOST_SAID} more in --json"


def worst_first(fields: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(fields.items(), key=lambda item: item[1]["accuracy"])


def share(part: float | None) -> str:
    """Rounded down: what is not all right is not 100 %."""
    return "-" if part is None else f"{floor(part * 10_000 + 1e-6) / 100:.2f} %"
