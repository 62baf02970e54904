"""Which requests may have an answer on record: never wrong when it says no, so that most need not be looked up.

A Bloom filter of a byte a place, 8 MB: setting one is atomic, so that a thread may fill it while the event loop adds
and reads. With a million keys three in a hundred strangers are looked up for nothing. A look into SQLite costs 10 µs.
"""

PLACES = 2**23
SHIFT, MASK = 23, PLACES - 1


class Keys:
    """Keys of 16 random bytes."""

    def __init__(self, places: bytes | None = None) -> None:
        """`places`: of another filter; without them it is empty."""
        self._places = bytearray(PLACES if places is None else places)

    @property
    def places(self) -> bytes:
        return bytes(self._places)

    def add(self, key: bytes) -> None:
        places, number = self._places, int.from_bytes(key, "little")
        places[number & MASK] = places[number >> SHIFT & MASK] = places[number >> 2 * SHIFT & MASK] = 1

    def __contains__(self, key: bytes) -> bool:
        places, number = self._places, int.from_bytes(key, "little")
        return bool(places[number & MASK] and places[number >> SHIFT & MASK] and places[number >> 2 * SHIFT & MASK])
