"""`pipeline diff`: two outputs, row by row of the same id, by what their values mean."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from pipeline.commands.aside import aside
from pipeline.commands.diff.changes import Counts, change_of
from pipeline.commands.diff.pairs import Alone, Both, Pairs
from pipeline.commands.evaluate.meanings import meaning_of, only_in, shared
from pipeline.commands.evaluate.shapes import shape_of
from pipeline.commands.published import results_in
from pipeline.errors import JobError
from pipeline.job.folder import OutputPlace
from pipeline.output.manifest import read_run

NEEDED = ("id", "status", "record", "cost_usd")
MOST_SHOWN = 100  # changed rows in JSON


def diff(left: OutputPlace, right: OutputPlace, most: int = MOST_SHOWN) -> dict[str, Any]:
    """What differs: section 11 of the contract, and what each side is, `outcomes`, and the first `most` changed rows.

    `rows` is `same` + `changed` + `only_left` + `only_right`; `fields` counts the rows in which a field changed. A row
    whose outcome differs (ok here, failed there) is changed, and counted in `outcomes`. `cost_usd`: what the results of
    either side have cost in all runs, None where no price is known. `equal`: no row differs, and the schemas have the
    same fields.

    Raises:
        JobError: one has no results, or a line for each chunk where the other has one for each row.
    """
    (left_path, left_schema), (right_path, right_schema) = results_in(left, *NEEDED), results_in(right, *NEEDED)
    _require_same_lines(left, left_schema, right, right_schema)
    left_shape, right_shape = shape_of(left_schema.field("record")), shape_of(right_schema.field("record"))
    meaning, counts = meaning_of(shared(left_shape, right_shape)), Counts(most)
    with aside() as waiting:
        pairs = Pairs(left_path, right_path, waiting)
        for found in pairs:
            if isinstance(found, Both):
                counts.add(change_of(found.left, found.right, meaning))
            elif isinstance(found, Alone):
                counts.add_alone(found.side, found.line["id"])
            else:
                counts.same += found.rows
    only = {"left": only_in(left_shape, right_shape), "right": only_in(right_shape, left_shape)}
    return {
        **_counted(counts),
        "cost_usd": [_usd(one) for one in pairs.usd],
        "equal": not (counts.changed or any(counts.alone) or any(only.values())),
        "outcomes": dict(counts.outcomes.most_common()),
        "fields_of_one_side": only,
        "left": _facts(left),
        "right": _facts(right),
        "only_left_ids": counts.ids[0],
        "only_right_ids": counts.ids[1],
        "changes": counts.shown,
        "changes_left_out": counts.changed - len(counts.shown),
    }


def _counted(counts: Counts) -> dict[str, Any]:
    return {
        "rows": counts.same + counts.changed + sum(counts.alone),
        "same": counts.same,
        "changed": counts.changed,
        "only_left": counts.alone[0],
        "only_right": counts.alone[1],
        "fields": dict(counts.fields.most_common()),
    }


def _require_same_lines(left: OutputPlace, left_schema: pa.Schema, right: OutputPlace, right_schema: pa.Schema) -> None:
    chunked = [folder for folder, schema in ((left, left_schema), (right, right_schema)) if "chunk" in schema.names]
    if len(chunked) == 1:
        whole = right if chunked[0] == left else left
        raise JobError(
            f"{chunked[0]}: has a line for each chunk (merge = none), and {whole} one for each row. "
            "Compare outputs of the same extract.merge"
        )


def _usd(cost: Decimal | None) -> str | None:
    return None if cost is None else f"{cost:.10f}"


def _facts(folder: OutputPlace) -> Mapping[str, Any]:
    """What made an output, as far as its run.json tells."""
    manifest = read_run(folder.path)
    if manifest is None:
        return {"folder": str(folder)}
    job = manifest.job
    return {
        "folder": str(folder),
        "job": job["name"],
        "provider": job["model"].get("provider"),
        "model": job["model"].get("name"),
        "prompt_version": job.get("prompt_version") or None,
        "schema_hash": manifest.schema_hash or None,
        "state": manifest.state,
        "started_at": manifest.started_at or None,
        "ok": manifest.rows.ok,
        "failed": manifest.rows.failed,
        "pending": manifest.rows.pending,
    }
