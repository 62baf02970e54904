"""What a live lane sends by: a wire, a transport, and a second wire where a service tier may have no room."""

from msgspec import Struct

from pipeline.documents.chunks import Counter
from pipeline.errors import CallFailed
from pipeline.providers import Transport, Wire
from pipeline.types import Request


class Carrier(Struct, frozen=True):
    """Who takes a request to the provider, reads what comes back, and counts what that does not tell."""

    wire: Wire
    transport: Transport
    counter: Counter
    standard: Wire | None = None  # of the standard service tier, where the one that is asked for has no room

    def wire_of(self, request: Request) -> Wire:
        return self.standard if request.standard_tier and self.standard is not None else self.wire

    def falls_back(self, request: Request, failure: CallFailed) -> bool:
        """Whether the same request goes out again at the standard tier."""
        return failure.no_room and self.standard is not None and not request.standard_tier
