"""Columns that stand in a file's path, as Hive and Spark write them: year=2024/month=05/part-0.parquet. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from pipeline.documents.sources.files import File

NULL = "__HIVE_DEFAULT_PARTITION__"


def folder_keys(file: File) -> Mapping[str, str | None]:
    """Name → value, as text, of every folder of the file's path that is named so."""
    parts = (part.partition("=") for part in file.path.split("/")[:-1])
    return {
        unquote(name): None if value == NULL else unquote(value) for name, equals, value in parts if name and equals
    }


def with_keys(record: dict[str, Any] | str, keys: Mapping[str, str | None]) -> dict[str, Any] | str:
    """The record with the keys that it does not have itself; what is wrong with a row stays so."""
    return {**keys, **record} if isinstance(record, dict) else record
