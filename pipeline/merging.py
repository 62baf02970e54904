"""Chunk records → one record of the row. Pure: by the schema, by its own `merge_chunks`, or by a plain rule."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.validating import Invalid, _told


@dataclass(frozen=True, slots=True)
class Merged:
    record_json: str
    conflicts: tuple[str, ...] = ()  # dotted paths of scalars on which chunks disagreed


def merge(model: type[BaseModel], rule: str, records: Sequence[BaseModel], *, overlapping: bool) -> Merged | Invalid:
    """One record of many. `overlapping`: neighbours share text, so an equal list item at a seam is the same one.

    auto: lists joined, nested models field by field, scalars by the first that is not null; disagreements are listed.
    first: the first record. concat: as auto, without a list of disagreements.
    """
    if len(records) == 1 or rule == "first":
        return Merged(records[0].model_dump_json())
    own = getattr(model, "merge_chunks", None)
    try:
        if own is not None:
            record = own(list(records))
            return Merged(model.model_validate_json(record.model_dump_json()).model_dump_json())
        conflicts: dict[str, None] = {}
        whole = json.loads(records[0].model_dump_json())
        for record in records[1:]:
            whole = _joined(whole, json.loads(record.model_dump_json()), "", conflicts, overlapping=overlapping)
        merged = model.model_validate_json(json.dumps(whole)).model_dump_json()
        return Merged(merged, tuple(conflicts) if rule == "auto" else ())
    except ValidationError as error:
        return Invalid(tuple(f"merged record: {one}" for one in _told(error)))
    except Exception as error:  # noqa: BLE001 (the user's merge_chunks may raise anything; it is recorded as the cause)
        return Invalid((f"merged record: {model.__name__}.merge_chunks raised {type(error).__name__}: {error}",))


def _joined(left: Any, right: Any, path: str, conflicts: dict[str, None], *, overlapping: bool) -> Any:  # noqa: ANN401 (any JSON value)
    if left is None or right is None:
        return right if left is None else left
    if isinstance(left, dict) and isinstance(right, dict):
        out = dict(left)
        for name, value in right.items():
            inner = f"{path}.{name}" if path else name
            out[name] = _joined(left.get(name), value, inner, conflicts, overlapping=overlapping)
        return out
    if isinstance(left, list) and isinstance(right, list):
        return left + [item for item in right if not (overlapping and item in left)]
    if left != right:
        conflicts[path] = None
    return left
