"""Whether a server keeps the connections that it leaves open: each time that it does not may cost a call. Pure."""

from msgspec import Struct

DOUBT = 20  # answers on kept connections that make up for one of them that had ended
MOST = 3  # such ends, not made up for, and there is no trust any more


class Trust(Struct):
    """One server's, for one run. What was lost does not come back."""

    doubt: int = 0
    lost: bool = False

    def answered(self) -> None:
        """A kept connection brought an answer."""
        if self.doubt:
            self.doubt -= 1

    def ended(self) -> None:
        """One ended before a byte of its answer had come."""
        self.doubt += DOUBT
        self.lost = self.lost or self.doubt > (MOST - 1) * DOUBT
