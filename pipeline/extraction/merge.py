"""Chunk records → one record of the row. Pure: by the schema, by its own `merge_chunks`, or by a plain rule."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from pipeline.extraction.validate import Invalid, errors_of, raised
from pipeline.schema.part_model import part_validator
from pipeline.schema.record_json import NOT_WRITTEN, writer_of

NOT_READ_BACK = (
    "a validator of {} changes what it has made once more, so that records of chunks cannot be joined. "
    "Let it leave its own values as they are, or write a method merge_chunks"
)


class Merged(Struct, frozen=True):
    record_json: str
    conflicts: tuple[str, ...] = ()  # dotted paths of scalars on which chunks disagreed


def merge(model: type[BaseModel], rule: str, records: Sequence[BaseModel], *, overlapping: bool) -> Merged | Invalid:
    """One record of many. `overlapping`: neighbours share text, so an equal list item at a seam is the same one.

    auto: lists joined, nested models field by field, scalars by the first that is not null; disagreements are listed.
    first: the first record. concat: as auto, without a list of disagreements.
    """
    if len(records) == 1 or rule == "first":
        return Merged(writer_of(model).json(records[0]))
    own = getattr(model, "merge_chunks", None)
    try:
        if own is not None:
            return Merged(_judged(model, writer_of(model).input_json(own(list(records)))))
        conflicts: dict[str, None] = {}
        whole = json.loads(_input_of(model, records[0]))
        for record in records[1:]:
            whole = _joined(whole, json.loads(_input_of(model, record)), "", conflicts, overlapping=overlapping)
        return Merged(_judged(model, json.dumps(whole)), tuple(conflicts) if rule == "auto" else ())
    except ValidationError as error:
        return Invalid(tuple(f"merged record: {one}" for one in errors_of(error)))
    except _NotReadBackError:
        return Invalid((f"merged record: {NOT_READ_BACK.format(model.__name__)}",))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the user's code may raise anything; it is the cause)
        name = "a validator" if own is None else "merge_chunks"
        return Invalid((f"merged record: {name} of {model.__name__} raised {raised(error)}",))


class _NotReadBackError(Exception):
    """A record is another one once it was written and read."""


def _input_of(model: type[BaseModel], record: BaseModel) -> str:
    """What the model reads as the same record: its values, or what its own serializers make for its validators."""
    writer = writer_of(model)
    for write in (writer.input_json, _written_by_itself) if writer.differs else (writer.input_json,):
        with suppress(ValidationError, *NOT_WRITTEN):
            again = _again(model, text := write(record), part=True)
            if again == record or writer.input_json(again) == writer.input_json(record):
                return text
    raise _NotReadBackError


def _written_by_itself(record: BaseModel) -> str:
    return record.model_dump_json(round_trip=True, by_alias=False, warnings=False)


def _judged(model: type[BaseModel], record_json: str) -> str:
    return writer_of(model).json(_again(model, record_json))


def _again(model: type[BaseModel], record_json: str, *, part: bool = False) -> BaseModel:
    """The record once more, by the names of its fields even where answers come under other names."""
    judge = part_validator(model) if part else None
    validated = model.model_validate_json if judge is None else judge.validate_json
    return validated(record_json, by_alias=True, by_name=True)


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
