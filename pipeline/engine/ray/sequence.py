"""Bytes that get to the other end once and in order, over calls of which nobody may say whether they ran. Pure.

A batch has a number and is said again until it is acknowledged; who hears a number again knows what it holds.
"""

MOST_BYTES = 4 * 1024 * 1024  # of one call, unless a single piece has more


class Outbox:
    """The end that sends. What gathers while a batch is on its way goes in the next."""

    def __init__(self) -> None:
        self._gathered: list[bytes] = []
        self._batch = b""
        self.number = 0  # of the last batch

    def gather(self, data: bytes) -> None:
        self._gathered.append(data)

    def is_empty(self, acknowledged: int) -> bool:
        """Whether there is nothing to be sent."""
        return acknowledged >= self.number and not self._gathered

    def batch(self, acknowledged: int) -> tuple[int, bytes] | None:
        """What is to be sent now; None: nothing. `acknowledged`: the last number that has arrived."""
        if acknowledged >= self.number:
            if not self._gathered:
                return None
            self.number, self._batch = self.number + 1, self._next()
        return self.number, self._batch

    def _next(self) -> bytes:
        """Some of what has gathered: all of it, or as much as one call should carry."""
        size, taken = 0, 0
        while taken < len(self._gathered) and (not taken or size + len(self._gathered[taken]) <= MOST_BYTES):
            size += len(self._gathered[taken])
            taken += 1
        now, self._gathered = self._gathered[:taken], self._gathered[taken:]
        return b"".join(now)


class Heard:
    """The end that receives."""

    def __init__(self) -> None:
        self.number = 0  # of the last batch that has arrived

    def take(self, number: int, data: bytes) -> bytes:
        """What is new in it: nothing, where it has been heard before."""
        if number <= self.number:
            return b""
        self.number = number
        return data
