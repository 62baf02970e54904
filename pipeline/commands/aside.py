"""Values put aside until they are asked for by their key: on disk, so that memory does not grow with them."""

import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from pipeline.errors import JobError

CACHE_KIB = 16_384


class Aside:
    """In each of its places values by key; of several under one key the first put aside is the first taken."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute("CREATE TABLE aside (number INTEGER PRIMARY KEY, place INTEGER, key BLOB, value BLOB)")
        db.execute("CREATE INDEX by_key ON aside (place, key)")

    def put(self, place: int, key: bytes, value: Any) -> None:  # noqa: ANN401 (any value)
        self._db.execute(
            "INSERT INTO aside (place, key, value) VALUES (?, ?, ?)", (place, key, pickle.dumps(value, protocol=5))
        )

    def has(self, place: int, key: bytes) -> bool:
        asked = "SELECT 1 FROM aside WHERE place = ? AND key = ? LIMIT 1"
        return self._db.execute(asked, (place, key)).fetchone() is not None

    def take(self, place: int, key: bytes) -> Any:  # noqa: ANN401 (any value)
        """None where there is none, or none any more."""
        asked = "SELECT number, value FROM aside WHERE place = ? AND key = ? ORDER BY number LIMIT 1"
        found = self._db.execute(asked, (place, key)).fetchone()
        if found is None:
            return None
        self._db.execute("DELETE FROM aside WHERE number = ?", found[:1])
        return pickle.loads(found[1])  # noqa: S301 (of ours, in a file that has no name)

    def rest(self, place: int) -> Iterator[Any]:
        """What was never taken, in the order in which it was put aside."""
        asked = "SELECT value FROM aside WHERE place = ? ORDER BY number"
        return (pickle.loads(value) for (value,) in self._db.execute(asked, (place,)))  # noqa: S301 (as above)


@contextmanager
def aside() -> Iterator[Aside]:
    """In a temporary file that nobody else can open, gone at the end.

    Raises:
        JobError: there is no room for it.
    """
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as db:
            db.execute("BEGIN")
            yield Aside(db)
    except sqlite3.Error as error:
        raise JobError(
            f"rows cannot be kept in the temporary folder: {error}. Free space there, or point SQLITE_TMPDIR elsewhere"
        ) from None


def key_of(row_id: str, chunk: int | None) -> bytes:
    """Of a row of results.parquet, of which there are several with `merge = "none"`."""
    return f"{'' if chunk is None else chunk}:{row_id}".encode("utf-8", "surrogatepass")
