"""A field of a JSON schema: what it refers to, and the names that it goes by. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.text import folded

HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
OTHER = re.compile(r"[\W_]+")
UMLAUTS = re.compile("([aou])e")
LONGEST_NAME = 60

Schema = Mapping[str, Any]


def resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """What it refers to, and what it is where it is not null."""
    for _ in range(8):
        others = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if "$ref" in schema:
            schema = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
        elif len(others) == 1:
            schema = others[0]
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            break
    return schema


def names_of(key: str, field: Schema) -> Iterator[str]:
    """A field's name, title and description as a table has them: vendorName is vendor_name, Fällig fallig."""
    for said in (key, field.get("title"), field.get("description")):
        if isinstance(said, str) and len(said) <= LONGEST_NAME:
            name = name_of(said)
            yield name
            yield UMLAUTS.sub(r"\1", name)


def name_of(said: str) -> str:
    return OTHER.sub("_", folded(HUMPS.sub("_", said))).strip("_")
