"""What results say of the files that rows are. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from msgspec.structs import asdict

from pipeline.types import Document

FOUND = ("pages", "media_type")  # kept columns of a file that only reading it tells


def of_files(documents: Sequence[Document | None], schema: pa.Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Column → values: `document`, and those of FOUND that are kept; what `values` have of them already, stays."""
    told = [None if document is None else _known(document) for document in documents]
    found: dict[str, Any] = {"document": told}
    for name in FOUND:
        if name in schema.names:
            own, kind = values[name].to_pylist(), schema.field(name).type
            found[name] = [
                _as(kind, one[name]) if one is not None and kept is None else kept
                for one, kept in zip(told, own, strict=True)
            ]
    return found


def _known(document: Document) -> dict[str, Any]:
    """What is not known of a file that cannot be read is null."""
    return {name: None if value == "" else value for name, value in asdict(document).items()}


def _as(kind: pa.DataType, value: str | int | None) -> str | int | None:
    """What reading tells, in a column that may be of a table beside; nothing where that has no place for it."""
    if value is None or pa.types.is_string(kind):
        return None if value is None else str(value)
    return value if isinstance(value, int) and (pa.types.is_integer(kind) or pa.types.is_floating(kind)) else None
