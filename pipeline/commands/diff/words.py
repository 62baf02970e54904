"""What `pipeline diff` tells people: both sides, the fields that changed, and the first changed rows."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pipeline.money import dollars
from pipeline.text import inert

MOST_FIELDS = 40
MOST_ROWS = 10
MOST_LEAVES = 5
NOTHING = "nothing"


def diff_text(found: Mapping[str, Any]) -> str:
    """All of it."""
    return "\n".join(inert(line) for line in _lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    costs = [None if one is None else Decimal(one) for one in found["cost_usd"]]
    for side, cost in zip(("left", "right"), costs, strict=True):
        told = "cost unknown" if cost is None else dollars(cost, *(one for one in costs if one is not None))
        yield f"{side:<6} {named(found[side])}, {told}"
    yield (
        f"rows   {found['rows']:,}: {found['same']:,} the same, {found['changed']:,} changed, "
        f"{found['only_left']:,} only left, {found['only_right']:,} only right"
    )
    yield from schema_notes(found)
    for outcomes, rows in found["outcomes"].items():
        yield f"  {rows:,} rows: {outcomes}"
    yield from _fields(found["fields"])
    yield from _rows(found)


def named(side: Mapping[str, Any]) -> str:
    """An output by its folder, model and prompt version."""
    beside = [side.get("model"), side.get("prompt_version") and f"prompt {side['prompt_version']}"]
    return " · ".join(str(one) for one in (side["folder"], *beside) if one)


def schema_notes(found: Mapping[str, Any]) -> list[str]:
    """Which fields were not compared, as one side has not got them."""
    return [
        f"fields that only {side} has, which are not compared: {', '.join(paths)}"
        for side, paths in found["fields_of_one_side"].items()
        if paths
    ]


def _fields(fields: Mapping[str, int]) -> Iterator[str]:
    if fields:
        yield ""
        yield f"{'field':<40} {'rows changed':>14}"
    for path, rows in list(fields.items())[:MOST_FIELDS]:
        yield f"{path:<40} {rows:>14,}"
    if len(fields) > MOST_FIELDS:
        yield f"and {len(fields) - MOST_FIELDS:,} more: --json has all"


def _rows(found: Mapping[str, Any]) -> Iterator[str]:
    if found["changes"]:
        yield ""
    for change in found["changes"][:MOST_ROWS]:
        left, right = change["left"]["outcome"], change["right"]["outcome"]
        yield f"{change['id']}" + ("" if left == right else f"  {left} → {right}")
        for one in change["fields"][:MOST_LEAVES]:
            values = [NOTHING if one[side]["value"] is None else repr(one[side]["value"]) for side in ("left", "right")]
            yield f"  {place(one)}: {values[0]} → {values[1]}"
        more = len(change["fields"]) - MOST_LEAVES + change["fields_left_out"]
        if more > 0:
            yield f"  and {more:,} more fields"
    left_out = found["changed"] - MOST_ROWS
    if left_out > 0:
        yield f"and {left_out:,} more changed rows: --to FILE.html shows more of them, both sides beside each other"
    for side in ("left", "right"):
        ids = found[f"only_{side}_ids"]
        more = ", …" if found[f"only_{side}"] > len(ids) else ""
        if ids:
            yield f"only {side}: {', '.join(ids)}{more}"


def place(leaf: Mapping[str, Any]) -> str:
    """Where a value stands: on both sides, where an item of a list has moved."""
    left, right = leaf["left"]["at"], leaf["right"]["at"]
    if leaf["left"]["value"] is None or leaf["right"]["value"] is None:
        return str(left if leaf["right"]["value"] is None else right)
    return str(left) if left == right else f"{left} / {right}"
