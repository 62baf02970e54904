"""The evidence of an outcome as the ledger keeps it: column by column, in some 20 bytes a value. Pure.

>>> found = ((Evidence("total", "exact", "12.50", 7, 12, None, 0, 1, "text"),),)
>>> unpacked(packed(found)) == found
True
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import msgpack

from pipeline.types import Evidence

LEVEL = 9
STATUSES = (  # their order is on record: new ones go to the end
    "exact", "normalised", "fuzzy", "derived", "inferred", "quoted", "xml", "not_found", "unverifiable",
)  # fmt: skip
_encode = msgpack.Encoder().encode


def packed(found: Sequence[Sequence[Evidence]]) -> bytes:
    return zlib.compress(_encode([_columns(one) for one in found]), LEVEL)


def unpacked(data: bytes) -> tuple[tuple[Evidence, ...], ...]:
    return tuple(tuple(_rows(*columns)) for columns in msgpack.decode(zlib.decompress(data)))


def _columns(found: Sequence[Evidence]) -> list[Any]:
    """Paths, statuses, quotes, how far each start is from the end before, lengths, and what is mostly the same."""
    steps, last = [], 0
    for one in found:
        steps.append(None if one.start is None else one.start - last)
        last = last if one.end is None else one.end
    return [
        [one.path for one in found],
        bytes(STATUSES.index(one.status) for one in found),
        [one.quote for one in found],
        steps,
        _even([0 if one.start is None else (one.end or 0) - one.start - len(one.quote or "") for one in found]),
        *(_even([getattr(one, name) for one in found]) for name in ("page", "chunk", "places", "source")),
    ]


def _even(values: list[Any]) -> Any:  # noqa: ANN401 (a list, or what all of it is)
    return values[0] if values and values.count(values[0]) == len(values) else values


def _rows(
    paths: list[str],
    statuses: bytes,
    quotes: list[str | None],
    steps: list[int | None],
    *even: Any,  # noqa: ANN401 (a column, or what all of it is)
) -> Iterator[Evidence]:
    longer, *others = (values if isinstance(values, list) else [values] * len(paths) for values in even)
    last = 0
    for path, status, quote, step, more, *rest in zip(paths, statuses, quotes, steps, longer, *others, strict=True):
        start = end = None
        if step is not None:
            start = last + step
            last = end = start + len(quote or "") + more
        yield Evidence(path, STATUSES[status], quote, start, end, *rest)
