"""What has come of one answer: whole, or as much as was seen of it before its connection broke."""

import asyncio

from pipeline.errors import CallFailed, Kind
from pipeline.providers import EventAssembler, Wire
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import limits_seen
from pipeline.providers.transport.connection import Headers, Raw, Take
from pipeline.types import HttpAnswer


class Received:
    """A `Receive`: a streamed answer is handed piece by piece to the wire's assembler."""

    def __init__(self, wire: Wire, *, stream: bool) -> None:
        self._wire = wire
        self._stream = stream
        self._clock = asyncio.get_running_loop().time
        self._began_s = self._clock()
        self._assembler: EventAssembler | None = None
        self._status: int | None = None
        self._headers: Headers = {}
        self._ttft_ms: int | None = None
        self._began = False  # whether anything of a stream has come

    def __call__(self, status: int, headers: Headers) -> Take | None:
        self._status, self._headers = status, headers
        if not self._stream or status != 200 or "json" in headers.get("content-type", ""):
            return None
        self._assembler = self._wire.stream()
        return self._take

    def whole(self, raw: Raw, secret: Secret) -> HttpAnswer:
        """The answer.

        Raises:
            CallFailed: NO_ANSWER: it is empty, and may have been billed all the same.
        """
        if raw.status == 200 and not (raw.body or self._began):
            raise CallFailed(Kind.NO_ANSWER, "an empty answer", status=raw.status, unread=True)
        body = raw.body if self._assembler is None else self._assembler.finish(raw.status, raw.headers)
        return HttpAnswer(raw.status, raw.headers, secret.redacted(body), self._ttft_ms)

    def despite(self, failure: CallFailed, error: BaseException | None, secret: Secret) -> HttpAnswer:
        """A streamed answer that has said that it is complete, however its connection ended.

        Raises:
            CallFailed: `failure`, with what was seen of any other.
        """
        if self._status is not None and self._assembler is not None:
            body = self._assembler.finish(self._status, self._headers)
            if self._assembler.ended:
                return HttpAnswer(self._status, self._headers, secret.redacted(body), self._ttft_ms)
        failure.status = failure.status if self._status is None else self._status
        failure.ttft_ms, failure.limits = self._ttft_ms, limits_seen(self._headers)
        raise failure from error

    def _take(self, piece: bytes) -> None:
        self._began = True
        if self._assembler is not None and self._assembler.feed(piece) and self._ttft_ms is None:
            self._ttft_ms = round((self._clock() - self._began_s) * 1000)
