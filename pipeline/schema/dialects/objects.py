"""Objects with known fields in a dialect. Pure."""

from typing import Any

from msgspec.structs import replace

from pipeline.schema.dialects import scalars as leaves
from pipeline.schema.dialects.descriptions import described
from pipeline.schema.dialects.draft import Draft, SchemaPlace, Written
from pipeline.schema.dialects.names import safe_name
from pipeline.schema.dialects.nodes import Field, Record
from pipeline.schema.dialects.optional import FieldPolicy, in_order, policy, without_null
from pipeline.schema.dialects.restore import Fields, FieldWay


def record(draft: Draft, kind: Record, place: SchemaPlace) -> Written:
    dialect = draft.dialect
    if not kind.fields and dialect.enforced and not dialect.empty_objects:
        draft.note(place, "an object without fields is asked for as JSON text")
        return draft.text(*kind.words, what="the JSON text {}")
    taken = {one.name for one in kind.fields}
    properties: dict[str, Any] = {}
    required: list[str] = []
    ways: dict[str, FieldWay] = {}
    for one in in_order(kind) if dialect.enforced else kind.fields:
        asked = one.name
        if dialect.names is not None and not dialect.names.match(one.name):
            asked = safe_name(one.name, taken | properties.keys(), "field")
            draft.note(place.at(one.name), f"is asked for as {asked!r} (names are of A-Z, a-z, 0-9, _ . - here)")
            words = (f'the field "{one.name}"', *one.kind.words)
            one = replace(one, kind=replace(one.kind, words=words))  # noqa: PLW2901 (the same field, introduced)
        rule = policy(one, draft.reading, dialect, draft.room)
        written = _field(draft, one, rule, place.at(one.name))
        properties[asked] = written.schema
        required += [asked] if rule.required else []
        ways[asked] = FieldWay(one.name, written.way, rule.takes_null, rule.absent_is_null)
    if kind.extra is not None and dialect.enforced:
        draft.note(place, "extra fields are not asked for (the provider allows none)")
    schema = draft.closed(properties, required)
    if kind.closed and not dialect.enforced:
        schema["additionalProperties"] = False
    return Written(described(schema, *kind.words), Fields(ways))


def _field(draft: Draft, one: Field, rule: FieldPolicy, place: SchemaPlace) -> Written:
    if rule.default_unused:
        draft.note(place, f"null means null, so that its default {one.default!r} is never taken")
    kind = (without_null(one.kind) or one.kind) if rule.drops_null else one.kind
    written = draft.write(kind, place)
    draft.nulls += rule.takes_null or draft.reading.nullable(kind)
    draft.absents += not rule.required
    return replace(written, schema=leaves.or_null(written.schema)) if rule.takes_null else written
