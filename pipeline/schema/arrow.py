"""Records → a column of one Arrow type, declared up front by the user's model.

Everything is nullable at every level; what Arrow cannot type is a JSON string, marked in the field's metadata. The type
depends on the model alone, so it is the same every night, also when a column is all null.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
from pydantic import BaseModel

from pipeline.schema.fields import kind_of
from pipeline.schema.kinds import Convert, Kind, Part

CANNOT = (pa.ArrowException, ValueError, TypeError, AttributeError, ArithmeticError)  # hold this value
DECODE = json.JSONDecoder(parse_float=Decimal).decode  # made once: `json.loads` makes one for every text
NULL = "is null, which the schema does not allow. Let it be null there (`| None`), or see which validator makes it so"
WIDER = (
    "has more digits than {} holds. Say how many there are by an Arrow type: "
    "Annotated[Decimal, pyarrow.decimal128(38, 18)], or pyarrow.string() for text. Nothing is asked again for that"
)


class RecordColumn:
    """The `record` column of a schema."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._kind = kind_of(model)
        self.type: pa.StructType = self._kind.type

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """(path, Arrow type) of each field that is no struct or list of its own."""
        return _described(self._kind, "")

    def array(self, records: Sequence[str | None]) -> pa.StructArray:
        """Records as they stand on the ledger; None is null."""
        if not self._kind.exact:
            with contextlib.suppress(*CANNOT):  # a record of before may hold other kinds than its field is of
                return self._with(records, orjson.loads, self._kind.quick)
        return self._with(records, DECODE, self._kind.convert)

    def _with(self, records: Sequence[str | None], decode: Any, convert: Convert | None) -> pa.StructArray:  # noqa: ANN401 (a decoder)
        values = [None if record is None else decode(record) for record in records]
        if convert is not None:
            values = [None if value is None else convert(value) for value in values]
        return pa.array(values, self.type)

    def problem_of(self, record: str) -> str | None:
        """Why the column cannot hold this record, or None.

        Pydantic has judged it already, but a model may hold what its own fields do not allow (defaults, validators and
        serializers are not checked), and Arrow's integers have 64 bits. A try takes 20 us: it is for those in doubt.
        """
        try:
            if self._kind.fits(orjson.loads(record)):
                return None
        except CANNOT:
            pass  # no proof of anything: JSON that only the exact way can read, or a value of another kind
        found = next(self._unfit(record), None)
        return None if found is None else f"the record cannot be stored: {found[0]}"

    def past_repair(self, record: str) -> bool:
        """Whether a problem is none of the answer's: another one could only leave digits out, or is not asked for."""
        return any(final for _, final in self._unfit(record))

    def _unfit(self, record: str) -> Iterator[tuple[str, bool]]:
        try:
            yield from _unfit(self._kind, DECODE(record), "")
        except CANNOT as error:
            yield (str(error).splitlines()[0], False)

    def lacks(self, array: pa.StructArray) -> bool:
        """Whether a record of this column has null where its schema does not allow it."""
        return _lacks(self._kind, array)


def _described(kind: Kind, path: str) -> Iterator[tuple[str, str]]:
    for part in kind.parts:
        inner = _at(path, part)
        if part.kind.parts:
            yield from _described(part.kind, inner)
        else:
            yield inner, f"JSON in a {part.kind.type}" if part.kind.is_json else str(part.kind.type)


def _at(path: str, part: Part) -> str:
    return f"{path}.{part.name}" if path and part.name != "[]" else path + part.name


def _unfit(kind: Kind, value: Any, path: str) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 (any JSON value)
    """(what of the value is wrong, whether no other answer mends it)."""
    if kind.is_root:
        yield from _unfit_part(kind.parts[0], value, path)
    elif pa.types.is_list(kind.type) and isinstance(value, list):
        for one in value:
            yield from _unfit_part(kind.parts[0], one, path)
    elif pa.types.is_struct(kind.type) and isinstance(value, dict):
        for part in kind.parts:
            yield from _unfit_part(part, value.get(part.name), path)
    else:
        yield from _unfit_leaf(kind, value, path)


def _unfit_part(part: Part, value: Any, path: str) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 (any JSON value)
    path = _at(path, part)
    if value is not None:
        yield from _unfit(part.kind, value, path)
    elif part.needed:
        yield f"{path} {NULL}", True


def _unfit_leaf(kind: Kind, value: Any, path: str) -> Iterator[tuple[str, bool]]:  # noqa: ANN401 (any JSON value)
    try:
        pa.array([kind.convert(value)], kind.type)
    except CANNOT as error:
        told = f"{value} {WIDER.format(kind.type)}" if kind.assumed else str(error).splitlines()[0]
        yield f"{path}: {told}", kind.assumed


def _lacks(kind: Kind, array: Any) -> bool:  # noqa: ANN401 (of the kind's type)
    for part in kind.parts:
        inner = array.flatten() if part.name == "[]" else array.field(part.name)
        if part.needed and inner.null_count > (0 if part.name == "[]" else array.null_count):
            return True
        if part.kind.parts and _lacks(part.kind, inner):
            return True
    return False
