"""Chunk records → one record of the row. Pure: by the schema, by its own `merge_chunks`, or by a plain rule."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from pipeline.extraction.validate import Invalid, errors_of, raised


class Merged(Struct, frozen=True):
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
            return Merged(_again(model, _input_of(record)).model_dump_json())
        conflicts: dict[str, None] = {}
        whole = json.loads(_input_of(records[0]))
        for record in records[1:]:
            whole = _joined(whole, json.loads(_input_of(record)), "", conflicts, overlapping=overlapping)
        merged = _again(model, json.dumps(whole)).model_dump_json()
        return Merged(merged, tuple(conflicts) if rule == "auto" else ())
    except ValidationError as error:
        return Invalid(tuple(f"merged record: {one}" for one in errors_of(error)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the user's code may raise anything; it is the cause)
        name = "a validator" if own is None else "merge_chunks"
        return Invalid((f"merged record: {name} of {model.__name__} raised {raised(error)}",))


def _input_of(record: BaseModel) -> str:
    """What the model reads again, and checks: without computed fields, under the names of the fields."""
    return record.model_dump_json(round_trip=True, warnings=False)


def _again(model: type[BaseModel], record_json: str) -> BaseModel:
    """The record once more, by the names of its fields even where answers come under other names."""
    return model.model_validate_json(record_json, by_alias=True, by_name=True)


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
