"""What a live lane sends by: a wire, a transport, and a second wire where a service tier may have no room."""

from msgspec import Struct
from msgspec.structs import replace

from pipeline.crash_points import crash_point
from pipeline.documents.chunks import Counter
from pipeline.engine.lanes.files import FileLoader
from pipeline.errors import CallFailed
from pipeline.providers import Transport, Upload, Wire
from pipeline.providers.echoes import unechoed
from pipeline.types import Answer, HttpAnswer, Request, Stop


class Carrier(Struct, frozen=True):
    """Who takes a request to the provider, reads what comes back, and counts what that does not tell."""

    wire: Wire
    transport: Transport
    counter: Counter
    standard: Wire | None = None  # of the standard service tier, where the one that is asked for has no room
    files: FileLoader | None = None  # None: a job whose requests hold none
    packs: tuple[Wire, Wire | None] | None = None  # `wire` and `standard` of requests about several rows

    def wire_of(self, request: Request) -> Wire:
        packs = self.packs if request.pack else None
        wire, standard = packs or (self.wire, self.standard)
        return standard if request.standard_tier and standard is not None else wire

    def falls_back(self, request: Request, failure: CallFailed) -> bool:
        """Whether the same request goes out again at the standard tier."""
        return failure.no_room and self.standard is not None and not request.standard_tier

    async def exchange(
        self, request: Request, upload: Upload | None = None, *, fresh: bool = False
    ) -> tuple[HttpAnswer, Answer]:
        """One attempt, and what its answer means. `upload`: of a request that holds files.

        Raises:
            CallFailed: there is no answer.
        """
        wire = self.wire_of(request)
        if upload is None:
            answered = await self.transport.send(wire, request, fresh=fresh)
        else:
            answered = await self.transport.send(wire, request, fresh=fresh, upload=upload)
        crash_point("answer-received")
        try:
            reply = wire.reply(answered)
        except CallFailed as failure:
            failure.ttft_ms = answered.ttft_ms
            if upload is not None:
                _unsay(failure)
            raise
        return answered, reply if upload is None else _without_echoes(reply)


def _without_echoes(reply: Answer) -> Answer:
    """What a server says beside an answer; and the model's own words where they are none."""
    words = {
        "finish_reason": unechoed(reply.finish_reason),
        "model_version": _unechoed(reply.model_version),
        "provider_request_id": _unechoed(reply.provider_request_id),
        "tier": unechoed(reply.tier),
    }
    if reply.stop in {Stop.REFUSED, Stop.BLOCKED}:
        words["text"] = unechoed(reply.text)
    return replace(reply, **words)


def _unsay(failure: CallFailed) -> None:
    failure.message, failure.tier = unechoed(failure.message), unechoed(failure.tier)
    failure.finish_reason, failure.model_version = _unechoed(failure.finish_reason), _unechoed(failure.model_version)
    failure.provider_request_id = _unechoed(failure.provider_request_id)


def _unechoed(text: str | None) -> str | None:
    return None if text is None else unechoed(text)
